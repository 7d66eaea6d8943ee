import type { BusyMode } from '../../domain/busy-mode.ts';
import type { HermesClient } from '../client/client.ts';
import type { Ask } from '../chat/item.ts';

/** What a slash command may do to the chat it was typed in. */
export interface SlashContext {
  readonly client: HermesClient;
  /** The conversation that is shown. */
  readonly conversationId: () => string;
  /** Decisions that wait in it, oldest first. */
  readonly asks: () => readonly Ask[];
  /** Prints Markdown. */
  readonly print: (markdown: string) => void;
  readonly notice: (text: string) => void;
  /** Sends a message as if it had been typed. */
  readonly send: (text: string, busyMode?: BusyMode) => void;
  /** Shows another conversation. */
  readonly switchTo: (conversationId: string) => Promise<void>;
  /** Forgets what is shown of this conversation and shows it anew (after an undo). */
  readonly setInput: (text: string) => void;
  readonly decide: (ask: Ask, decision: 'approve' | 'deny', scope: Scope, answer: string | null) => Promise<void>;
  readonly quit: () => void;
}

export type Scope = 'once' | 'conversation' | 'always';

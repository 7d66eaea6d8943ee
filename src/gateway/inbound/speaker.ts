import type { BusyMode } from '../../domain/busy-mode.ts';
import type { ConversationRow } from '../../store/ports.ts';
import type { PlatformUser } from '../../store/platform-ports.ts';
import type { PlatformChat } from '../platforms/platform.ts';

/** Somebody who is let in, in the chat where they speak. */
export interface Speaker {
  /** `telegram`, `telegram/work`. */
  readonly account: string;
  readonly chat: PlatformChat;
  readonly user: PlatformUser;
  /**
   * Whose conversations and memory they speak into: in a direct chat their own person's, in a group the group's, which is
   * a person of its own so that nobody's memory is told to others.
   */
  readonly personId: string;
  /** May change the agent itself: the owner, and people with the role admin. */
  readonly isAdmin: boolean;
  /** The conversation this chat goes on with; made when there is none. */
  conversation(): Promise<ConversationRow>;
  /** Goes on with another one, here and wherever the same talk is held. */
  goOnWith(conversationId: string): Promise<void>;
}

/** A slash command given in a chat. */
export interface CommandCall {
  /** Names the event for ever: `<account>:<key of the event>`; what a command makes has ids derived from it. */
  readonly key: string;
  readonly name: string;
  readonly args: string;
  readonly speaker: Speaker;
}

export interface CommandOutcome {
  /** Markdown for the chat; empty says nothing. */
  readonly text: string;
  /** A message that now takes its way as if it had been typed (`/queue`, `/steer`, `/retry`). */
  readonly message?: { readonly text: string; readonly busyMode?: BusyMode };
}

/**
 * Carries out a command. Idempotent by key: after a crash it is given once more. Rejects with a Refusal, whose words are
 * for the person, or with a retryable PortError.
 */
export type RunCommand = (call: CommandCall) => Promise<CommandOutcome>;

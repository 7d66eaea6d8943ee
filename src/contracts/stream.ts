import type { ToolStatus } from '../domain/effect.ts';

/**
 * Live events beside Temporal. Losing one is harmless: the store has the final word. `seq` counts from 0 within
 * (conversation, turn, step, attempt); a higher attempt tells the reader to forget the step's text.
 */
export type StreamEvent = { readonly conversationId: string; readonly turn: number } & (
  | { readonly kind: 'turn-started'; readonly inboundIds: readonly string[] }
  | { readonly kind: 'step-started'; readonly step: number; readonly attempt: number; readonly model: string }
  | {
      readonly kind: 'delta';
      readonly step: number;
      readonly attempt: number;
      readonly seq: number;
      readonly text: string;
      readonly channel: 'answer' | 'reasoning';
    }
  | {
      readonly kind: 'tool-started';
      readonly step: number;
      readonly callKey: string;
      readonly name: string;
      readonly summary: string;
    }
  | {
      readonly kind: 'tool-finished';
      readonly step: number;
      readonly callKey: string;
      readonly name: string;
      readonly summary: string;
      readonly status: ToolStatus;
      readonly preview: string;
      readonly durationMs: number;
    }
  | {
      readonly kind: 'asked';
      readonly approvalId: string;
      readonly ask: 'approval' | 'question' | 'budget';
      readonly title: string;
      readonly detail: string;
      readonly choices: readonly string[];
    }
  | { readonly kind: 'decided'; readonly approvalId: string; readonly decision: string }
  | { readonly kind: 'notice'; readonly text: string }
  /** Something new waits in the outbox for a chat of this conversation. For the sender, not for people. */
  | { readonly kind: 'outbox' }
  | {
      /** Published after the turn's end is committed. */
      readonly kind: 'turn-finished';
      readonly outcome: 'done' | 'failed' | 'interrupted';
      readonly inboundIds: readonly string[];
    }
);

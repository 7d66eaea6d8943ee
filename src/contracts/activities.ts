import type { EffectClass, ToolStatus } from '../domain/effect.ts';
import type { ReplyAddress, UsageTotals } from './conversation.ts';

/** What the conversation workflow calls. One object in, one object out, JSON only, small. */
export interface ConversationActivities {
  /** Reads what a fresh run must know of the conversation. Read only. */
  loadConversation(input: LoadConversationInput): Promise<LoadConversationResult>;
  /**
   * Takes the given messages into the transcript, calls the model and journals the answer. Idempotent by
   * (conversation, turn, step): a second call returns the journal and calls no model.
   */
  invokeModel(input: InvokeModelInput): Promise<ModelStepOutcome>;
  /** Runs one planned call and writes its result to the transcript. What a retry does depends on the effect class. */
  executeTool(input: ExecuteToolInput): Promise<ExecuteToolResult>;
  /** Ends a turn that has no final answer: failed, interrupted, parked for good. Idempotent. */
  finaliseTurn(input: FinaliseTurnInput): Promise<void>;
  /** Puts a turn's answer (or a question) into the outbox, for the platform it came from. Idempotent by key. */
  deliverMessage(input: DeliverMessageInput): Promise<DeliverMessageResult>;
}

export interface LoadConversationInput {
  readonly conversationId: string;
}
export interface LoadConversationResult {
  /** Number of the newest turn in the store, 0 when there is none. */
  readonly lastTurn: number;
  readonly title: string;
  readonly usage: UsageTotals;
}

export interface InvokeModelInput {
  readonly conversationId: string;
  readonly turn: number;
  readonly step: number;
  /** Messages this step takes in, in order. Empty on a step that only follows tool results. */
  readonly inboundIds: readonly string[];
  readonly spent: {
    readonly steps: number;
    readonly tokens: number;
    readonly costUsd: number;
    readonly startedAt: string;
  };
  /** How often the person has let this turn go beyond its budget. */
  readonly budgetGrants: number;
}

export interface StepUsage extends UsageTotals {
  readonly model: string;
}

export type ModelStepOutcome =
  | {
      /** The turn is over; answer, usage and the turn's end are in the store. */
      readonly kind: 'final';
      readonly usage: StepUsage;
      readonly preview: string;
      readonly title: string;
    }
  | {
      readonly kind: 'tools';
      readonly usage: StepUsage;
      readonly preview: string;
      readonly calls: readonly PlannedToolCall[];
    }
  | {
      /** The person stopped it; what had been written so far is in the transcript. */
      readonly kind: 'interrupted';
      readonly usage: StepUsage;
    }
  | {
      /** Every message of a turn's first step had been taken by an earlier turn: there is nothing to do. */
      readonly kind: 'duplicate';
    }
  | {
      /** No model was called: a limit is reached and the person is asked. */
      readonly kind: 'budget';
      readonly approvalId: string;
      readonly title: string;
    };

/** A call parsed, checked and annotated, so that the workflow needs to know no tools. */
export interface PlannedToolCall {
  readonly callKey: string;
  readonly index: number;
  readonly name: string;
  /** One line for people: `run_command: npm test`. No secrets. */
  readonly summary: string;
  readonly effect: EffectClass;
  /** The call's own limit; the activity gets some slack on top. */
  readonly timeoutMs: number;
  /** Present when a person must decide or answer first. */
  readonly ask?: {
    readonly approvalId: string;
    readonly kind: 'approval' | 'question';
    readonly title: string;
  };
  /** Own task queue, where the call must run on a certain machine. */
  readonly taskQueue?: string;
}

export interface ExecuteToolInput {
  readonly conversationId: string;
  readonly turn: number;
  readonly step: number;
  readonly callKey: string;
  /** What the person decided, where the plan asked. */
  readonly decision?: {
    readonly decision: 'approve' | 'deny' | 'answer';
    readonly answer?: string;
  };
  /** What the person decided about a question that came up while the call ran (a result of status `ask`). */
  readonly terminalDecision?: {
    readonly approvalId: string;
    readonly decision: 'approve' | 'deny' | 'answer';
    readonly answer?: string;
  };
}
export interface ExecuteToolResult {
  /** `ask`: it has done nothing, and is to be called again with the person's word on `ask`. */
  readonly status: ToolStatus | 'ask';
  /** At most 200 characters, redacted. */
  readonly preview: string;
  readonly durationMs: number;
  readonly ask?: { readonly approvalId: string; readonly kind: 'approval'; readonly title: string };
}

export interface FinaliseTurnInput {
  readonly conversationId: string;
  readonly turn: number;
  readonly outcome: 'failed' | 'interrupted';
  /** Failure code and words for the person, where there are any. */
  readonly code?: string;
  readonly message?: string;
  /** Messages drained for a step that never began. */
  readonly inboundIds: readonly string[];
}

export interface DeliverMessageInput {
  readonly conversationId: string;
  readonly turn: number;
  readonly to: ReplyAddress;
  readonly what: { readonly kind: 'answer' } | { readonly kind: 'ask'; readonly approvalId: string };
}
export interface DeliverMessageResult {
  /** `queued`: in the outbox, on its way; `sent`: there was nothing to send. */
  readonly state: 'queued' | 'sent' | 'ambiguous' | 'failed';
  readonly preview: string;
}

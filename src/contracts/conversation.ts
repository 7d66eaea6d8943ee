import type { BusyMode } from '../domain/busy-mode.ts';

/** What the conversation workflow is started with, and what it carries across continue-as-new. JSON only. */
export interface ConversationInput {
  readonly schemaVersion: number;
  readonly conversationId: string;
  readonly settings: ConversationSettings;
  /** True when the conversation was made by the very request that starts it: there is nothing to load. */
  readonly fresh?: boolean;
  /** From the run before; absent on a start, when the workflow asks the store where the conversation stands. */
  readonly carried?: CarriedState;
}

/** Knobs that must be the same on replay, so they enter through input or `configure`. */
export interface ConversationSettings {
  readonly busyMode: BusyMode;
  /** After this long without anything to do the workflow completes; the next message starts it again. */
  readonly idleCompleteMs: number;
  readonly heartbeatTimeoutMs: number;
  /** Whether the server knows the Hermes search attributes. */
  readonly searchAttributes: boolean;
  /** Events of one run after which it continues as new. */
  readonly continueAsNewAfterEvents: number;
}

export interface CarriedState {
  readonly nextTurn: number;
  readonly queue: readonly InboundEnvelope[];
  /** Newest last, capped. */
  readonly seenInboundIds: readonly string[];
  readonly usage: UsageTotals;
  readonly title: string;
  /** It was told to end once nothing is left to do. */
  readonly closing: boolean;
}

export interface UsageTotals {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costUsd: number;
}

/** Signal `inbound`: a message that is already in the store. The text stays there. */
export interface InboundEnvelope {
  readonly inboundId: string;
  readonly receivedAt: string;
  readonly platform: string;
  /** Overrides the conversation's mode for this message. */
  readonly busyMode?: BusyMode;
  /** First words, for the person who looks at the workflow. */
  readonly preview: string;
  /** Name of the model that will answer, as far as the sender knows; for the same person. */
  readonly model?: string;
  /** Where the answer must be pushed to; absent for clients that read it from the store. */
  readonly replyTo?: ReplyAddress;
}

export interface ReplyAddress {
  readonly platform: string;
  readonly chat: string;
  readonly thread?: string;
}

/** Update `interrupt`. */
export interface InterruptRequest {
  /** Only this turn; absent: whichever runs. */
  readonly turn?: number;
  readonly by: string;
}
export interface InterruptResult {
  readonly interrupted: boolean;
  readonly turn: number | null;
}

export type Decision = 'approve' | 'deny' | 'answer';
export type DecisionScope = 'once' | 'conversation' | 'always';

/** Update `decide`: the answer to an approval, a question or a reached budget. */
export interface DecideRequest {
  readonly approvalId: string;
  readonly decision: Decision;
  readonly scope?: DecisionScope;
  /** The words of an answer to a question, or the reason of a refusal. */
  readonly answer?: string;
  readonly by: string;
}
export interface DecideResult {
  /** False when nothing waits for it (any more): already decided, or its turn has ended. */
  readonly accepted: boolean;
}

/** Update `configure`. */
export interface ConfigureRequest {
  readonly busyMode?: BusyMode;
  readonly title?: string;
  readonly settings?: Partial<ConversationSettings>;
}

/** Query `snapshot`: for attaching and for people; clients read the store for content. */
export interface ConversationSnapshot {
  readonly conversationId: string;
  readonly phase: 'idle' | 'thinking' | 'working' | 'waiting' | 'finishing';
  readonly turn: number | null;
  readonly step: number | null;
  readonly queue: readonly InboundEnvelope[];
  readonly waiting: readonly { readonly approvalId: string; readonly title: string }[];
  readonly busyMode: BusyMode;
  readonly usage: UsageTotals;
  readonly turnsInRun: number;
}

export const messageNames = {
  inbound: 'inbound',
  interrupt: 'interrupt',
  decide: 'decide',
  configure: 'configure',
  close: 'close',
  snapshot: 'snapshot',
} as const;

import type { ModelStepOutcome, StepUsage } from '../contracts/activities.ts';
import type { Decision, DecisionScope, ReplyAddress, UsageTotals } from '../contracts/conversation.ts';
import type { BusyMode } from '../domain/busy-mode.ts';
import type { EffectClass, ToolStatus } from '../domain/effect.ts';
import type { RawToolCall } from '../models/provider.ts';
import type {
  AllowRule,
  AllowRuleReader,
  BlobStore,
  ConversationSearch,
  MemoryStore,
  TodoStore,
} from '../tools/tool-deps.ts';
import type { EnvironmentRepository, TerminalUseRepository } from './environment-ports.ts';
import type { HandoffRepository, LinkRepository, SpokenConversationRepository } from './people-ports.ts';
import type { OutboxRepository } from './outbox-ports.ts';
import type {
  ChatConversationRepository,
  PairingRepository,
  PlatformEventRepository,
  PlatformUserRepository,
  PlatformValueRepository,
} from './platform-ports.ts';

/**
 * The store: what was said and done, as opposed to what is in progress (Temporal). Every method is one transaction.
 * All reject with a PortError `Storage.*`. Times are ISO 8601 UTC.
 */
export interface Store {
  readonly conversations: ConversationRepository;
  readonly inbox: InboxRepository;
  readonly transcript: TranscriptRepository;
  readonly turns: TurnRepository;
  readonly steps: StepRepository;
  readonly toolCalls: ToolCallRepository;
  readonly approvals: ApprovalRepository;
  readonly rules: AllowRuleRepository;
  readonly usage: UsageRepository;
  readonly outbox: OutboxRepository;
  readonly idempotency: IdempotencyRepository;
  readonly blobs: BlobStore;
  readonly search: ConversationSearch;
  readonly todos: TodoStore;
  readonly memories: MemoryStore;
  readonly environments: EnvironmentRepository;
  readonly terminalUses: TerminalUseRepository;
  readonly platformEvents: PlatformEventRepository;
  readonly platformUsers: PlatformUserRepository;
  readonly platformValues: PlatformValueRepository;
  readonly pairings: PairingRepository;
  readonly chatConversations: ChatConversationRepository;
  readonly links: LinkRepository;
  readonly handoffs: HandoffRepository;
  readonly spokenConversations: SpokenConversationRepository;
  close(): Promise<void>;
}

export interface ConversationRow {
  readonly id: string;
  /** What a person calls it (`-c NAME`); unique per person. */
  readonly name: string | null;
  readonly title: string;
  readonly personId: string;
  /** Where it began: cli, api, telegram … */
  readonly platform: string;
  readonly busyMode: BusyMode | null;
  /** `provider:name`, set by /model; null: the configured one. */
  readonly model: string | null;
  /** Added to the system prompt of this conversation (API clients send one). */
  readonly instructions: string | null;
  readonly lastTurn: number;
  readonly messageCount: number;
  /** First turn the model still sees; older ones are found by search. */
  readonly windowFromTurn: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly usage: UsageTotals;
}

export interface ConversationRepository {
  /** Idempotent by id: an existing row is returned unchanged. */
  create(conversation: {
    id: string;
    name?: string;
    title?: string;
    personId: string;
    platform: string;
    instructions?: string;
  }): Promise<ConversationRow>;
  get(id: string): Promise<ConversationRow | null>;
  /** By id, else by exact name, else by exact title (newest). */
  find(personId: string, idOrName: string): Promise<ConversationRow | null>;
  /** The person's main conversation; made on first use. */
  current(personId: string): Promise<ConversationRow>;
  setCurrent(personId: string, conversationId: string): Promise<void>;
  list(personId: string, page: { limit: number; before?: string }): Promise<readonly ConversationRow[]>;
  update(
    id: string,
    change: {
      title?: string;
      name?: string | null;
      busyMode?: BusyMode | null;
      model?: string | null;
      windowFromTurn?: number;
    },
  ): Promise<ConversationRow>;
  /** Removes it with all its messages, calls, blobs and search entries. Idempotent. */
  delete(id: string): Promise<void>;
}

export interface InboundRow {
  readonly id: string;
  readonly conversationId: string;
  readonly personId: string;
  readonly platform: string;
  readonly text: string;
  readonly busyMode: BusyMode | null;
  readonly replyTo: ReplyAddress | null;
  readonly state: 'received' | 'signalled' | 'taken';
  /** Turn that took it, once taken. */
  readonly turn: number | null;
  readonly receivedAt: string;
}

export interface InboxRepository {
  /** Idempotent by id: `created` is false for a message that is already there, whose row comes back. */
  accept(message: {
    id: string;
    conversationId: string;
    personId: string;
    platform: string;
    text: string;
    busyMode?: BusyMode;
    replyTo?: ReplyAddress;
  }): Promise<{ created: boolean; row: InboundRow }>;
  get(id: string): Promise<InboundRow | null>;
  markSignalled(id: string): Promise<void>;
  /** Oldest first, at most `limit`; what the relay still has to signal. */
  unsignalled(limit: number): Promise<readonly InboundRow[]>;
  /** Signalled but in no turn yet, older than `olderThanMs`: a Temporal that lost its file would leave these. */
  untaken(olderThanMs: number, limit: number): Promise<readonly InboundRow[]>;
  pending(conversationId: string): Promise<readonly InboundRow[]>;
}

export type MessageRole = 'user' | 'assistant' | 'tool' | 'notice';

export interface MessageRow {
  readonly id: number;
  readonly conversationId: string;
  readonly turn: number;
  readonly step: number;
  readonly slot: number;
  readonly role: MessageRole;
  readonly text: string;
  readonly reasoning: string | null;
  readonly toolCalls: readonly RawToolCall[];
  readonly toolCallId: string | null;
  readonly toolName: string | null;
  readonly toolStatus: ToolStatus | null;
  readonly inboundId: string | null;
  readonly speaker: string;
  readonly createdAt: string;
}

export interface TranscriptRepository {
  /** In order (turn, step, slot), active messages only. */
  load(conversationId: string, range: { fromTurn: number; toTurn?: number }): Promise<readonly MessageRow[]>;
  /** Newest page, in order; `beforeId` pages back. */
  page(conversationId: string, page: { limit: number; beforeId?: number }): Promise<readonly MessageRow[]>;
  /** Puts messages of an imported talk before the first turn (turn 0). Idempotent: does nothing if turn 0 exists. */
  seed(conversationId: string, messages: readonly { role: 'user' | 'assistant'; text: string }[]): Promise<void>;
  /** Hides a turn from model, search and lists (`/undo`); its rows stay. Returns the text of its user messages. */
  hideTurn(conversationId: string, turn: number): Promise<string>;
}

export type TurnState = 'running' | 'done' | 'failed' | 'interrupted' | 'undone';

export interface TurnRow {
  readonly conversationId: string;
  readonly turn: number;
  readonly state: TurnState;
  readonly inboundIds: readonly string[];
  readonly steps: number;
  readonly usage: UsageTotals;
  readonly model: string | null;
  readonly answer: string | null;
  readonly errorCode: string | null;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly toolCalls: readonly {
    readonly callKey: string;
    readonly name: string;
    readonly summary: string;
    readonly state: ToolCallRow['state'];
    readonly status: ToolStatus | null;
    readonly durationMs: number | null;
  }[];
}

export interface TurnRepository {
  get(conversationId: string, turn: number): Promise<TurnRow | null>;
  /** The turn that took this message. */
  ofInbound(inboundId: string): Promise<TurnRow | null>;
  last(conversationId: string): Promise<TurnRow | null>;
  running(): Promise<readonly TurnRow[]>;
  /**
   * Ends a turn without a final answer, first caller wins: takes in `inboundIds` not yet in the transcript, gives open
   * tool calls the result `cancelled` so that the transcript stays well-formed, closes open approvals, appends the
   * notice (which is also the turn's `answer`). Creates the turn row when the turn never got a step.
   */
  finalise(end: {
    conversationId: string;
    turn: number;
    state: 'failed' | 'interrupted';
    inboundIds: readonly string[];
    notice: string;
    errorCode: string | null;
  }): Promise<TurnRow>;
}

export interface PlannedCallRow {
  readonly callKey: string;
  readonly index: number;
  readonly toolCallId: string;
  readonly name: string;
  readonly argumentsText: string;
  readonly summary: string;
  readonly effect: EffectClass;
  readonly timeoutMs: number;
}

export interface StepRepository {
  /**
   * One transaction before a model call: makes the turn if new, takes the inbound messages into the transcript (user
   * rows, state `taken`), counts the attempt. `journal` is set when the step has been answered already.
   * `taken` lists those of `inboundIds` that belong to this turn (now or by an earlier attempt); a message that another
   * turn has taken is left out and written nowhere. When it is a turn's first step and none is left, nothing is written at
   * all: no turn, no step.
   */
  begin(step: { conversationId: string; turn: number; step: number; inboundIds: readonly string[] }): Promise<{
    journal: ModelStepOutcome | null;
    attempt: number;
    taken: readonly string[];
    /** Where the turn's newest message came from. */
    platform: string;
    conversation: ConversationRow;
  }>;
  /**
   * One transaction after it: assistant message, results of calls that cannot run, planned calls, approvals, usage and
   * outcome; for a final answer also the turn's end and, if given, the title. The first commit wins: a later one changes
   * nothing and gets the first one's outcome.
   */
  commit(answer: {
    conversationId: string;
    turn: number;
    step: number;
    provider: string;
    usage: StepUsage;
    cachedInputTokens: number;
    text: string;
    reasoning: string;
    toolCalls: readonly RawToolCall[];
    planned: readonly PlannedCallRow[];
    /** Calls that are answered at once: unknown tool, broken arguments, blocked. `index` as in `toolCalls`. */
    rejected: readonly {
      index: number;
      toolCallId: string;
      name: string;
      text: string;
    }[];
    approvals: readonly NewApproval[];
    title?: string;
    outcome: ModelStepOutcome;
  }): Promise<{ committed: boolean; outcome: ModelStepOutcome }>;
}

export interface ToolCallRow extends PlannedCallRow {
  readonly conversationId: string;
  readonly turn: number;
  readonly step: number;
  readonly state: 'planned' | 'started' | 'done';
  readonly status: ToolStatus | null;
  readonly preview: string | null;
  readonly attempts: number;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
}

export interface ToolCallRepository {
  get(callKey: string): Promise<ToolCallRow | null>;
  /** Writes down that the call is about to act; returns the row as it was before, so that a retry can look first. */
  start(callKey: string): Promise<ToolCallRow>;
  /**
   * Takes a `start` back: the call was only found to need a person's word first and has done nothing. Does nothing for a
   * call that is done.
   */
  postpone(callKey: string): Promise<void>;
  /** Result, preview and the transcript's tool message in one transaction. First finish wins and is returned. */
  finish(
    callKey: string,
    result: { status: ToolStatus; text: string; preview: string; durationMs: number },
  ): Promise<ToolCallRow>;
  /** Calls whose effect nobody can vouch for, newest first. */
  uncertain(limit: number): Promise<readonly ToolCallRow[]>;
}

export type ApprovalKind = 'approval' | 'question' | 'budget';

export interface NewApproval {
  readonly id: string;
  readonly kind: ApprovalKind;
  readonly title: string;
  readonly detail: string;
  readonly choices: readonly string[];
  readonly tool: string | null;
  readonly ruleKey: string | null;
  readonly callKey: string | null;
}

export interface ApprovalRow extends NewApproval {
  readonly conversationId: string;
  readonly personId: string;
  readonly turn: number;
  readonly state: 'waiting' | 'approved' | 'denied' | 'answered' | 'closed';
  readonly scope: DecisionScope | null;
  readonly answer: string | null;
  /** The workflow has been told. */
  readonly relayed: boolean;
  readonly askedAt: string;
  readonly decidedAt: string | null;
  readonly decidedBy: string | null;
}

export interface ApprovalRepository {
  /** Idempotent by id. For questions that do not come with a step commit (budget). */
  ask(approval: NewApproval & { conversationId: string; turn: number }): Promise<ApprovalRow>;
  get(id: string): Promise<ApprovalRow | null>;
  list(filter: {
    state?: ApprovalRow['state'];
    conversationId?: string;
    limit: number;
  }): Promise<readonly ApprovalRow[]>;
  /**
   * Records the person's word, once: `decided` is false when it was decided or closed before. `conversation` and
   * `always` also write the allow rule, in the same transaction.
   */
  decide(decision: {
    id: string;
    decision: Decision;
    scope: DecisionScope;
    answer: string | null;
    by: string;
  }): Promise<{ decided: boolean; row: ApprovalRow }>;
  /** Decided, but the workflow does not know yet: the relay tells it. */
  unrelayed(limit: number): Promise<readonly ApprovalRow[]>;
  markRelayed(id: string): Promise<void>;
  /** Ends a wait without a decision (the turn went on or ended). Idempotent. */
  close(id: string, reason: string): Promise<void>;
}

export interface AllowRuleRepository extends AllowRuleReader {
  list(personId: string): Promise<readonly AllowRule[]>;
  remove(id: string): Promise<boolean>;
}

export interface UsageRepository {
  /** What the person's model calls cost since the start of the day (UTC offset in minutes). */
  costSince(personId: string, sinceAt: string): Promise<number>;
  /** One row per day and model, newest first. */
  byDay(days: number): Promise<readonly ({ day: string; model: string; calls: number } & UsageTotals)[]>;
}

export interface IdempotencyRepository {
  /**
   * Reserves a key for an inbound id. `existing` is set when it was used before; `mismatch` when then for another
   * request.
   */
  reserve(entry: {
    key: string;
    requestHash: string;
    inboundId: string;
    conversationId: string;
  }): Promise<{ existing: { inboundId: string; conversationId: string } | null; mismatch: boolean }>;
  /** Looks without reserving. */
  find(key: string): Promise<{ inboundId: string; conversationId: string } | null>;
}

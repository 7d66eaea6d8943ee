import type { BusyMode } from '../../domain/busy-mode.ts';
import type {
  CarriedState,
  ConfigureRequest,
  ConversationInput,
  ConversationSettings,
  ConversationSnapshot,
  DecideRequest,
  InboundEnvelope,
  ReplyAddress,
  UsageTotals,
} from '../../contracts/conversation.ts';
import { addUsage, noUsage } from './usage.ts';

/** Messages remembered for de-duplication; the store knows all of them, this only spares it most questions. */
const seenLimit = 200;

export type Phase = ConversationSnapshot['phase'];

/** The turn in progress. */
export interface TurnProgress {
  readonly turn: number;
  readonly startedAt: string;
  step: number;
  phase: Phase;
  /** Messages drained and not yet handed to a step that began. */
  undelivered: readonly InboundEnvelope[];
  replyTo: ReplyAddress | undefined;
  steps: number;
  usage: UsageTotals;
  budgetGrants: number;
  interruptedBy: string | null;
  /** What waits for the person, in the order it was asked. */
  waiting: { readonly approvalId: string; readonly title: string; readonly kind: string }[];
  decisions: Partial<Record<string, DecideRequest>>;
}

/** All state and rules of a conversation, free of Temporal so that it can be tested alone. */
export class ConversationState {
  readonly conversationId: string;
  settings: ConversationSettings;
  title: string;
  usage: UsageTotals;
  /** Name of the model, for summaries; empty until somebody says it. */
  model = '';
  current: TurnProgress | null = null;
  /** Ends once nothing is left to do. */
  closing: boolean;
  turnsInRun = 0;
  private nextTurn: number;
  private queue: InboundEnvelope[];
  private readonly seen: string[];

  constructor(input: ConversationInput, carried: CarriedState) {
    this.conversationId = input.conversationId;
    this.settings = input.settings;
    this.nextTurn = carried.nextTurn;
    this.queue = [...carried.queue];
    this.seen = [...carried.seenInboundIds];
    this.usage = carried.usage;
    this.title = carried.title;
    this.closing = carried.closing;
  }

  /** Takes over what the store knows; messages received meanwhile stay. */
  adopt(known: { lastTurn: number; title: string; usage: UsageTotals }): void {
    this.nextTurn = known.lastTurn + 1;
    this.title = known.title;
    this.usage = known.usage;
  }

  /**
   * Takes a message in, once.
   * @returns whether it asks for the running turn to be stopped.
   */
  receive(envelope: InboundEnvelope): { readonly interrupt: boolean } {
    if (this.seen.includes(envelope.inboundId)) return { interrupt: false };
    this.seen.push(envelope.inboundId);
    if (this.seen.length > seenLimit) this.seen.splice(0, this.seen.length - seenLimit);
    this.queue.push(envelope);
    if (envelope.model !== undefined) this.model = envelope.model;
    const mode = this.modeOf(envelope);
    if (this.current === null) return { interrupt: false };
    if (mode !== 'queue') this.refuseWhatWaits();
    return { interrupt: mode === 'interrupt' };
  }

  get hasWork(): boolean {
    return this.queue.length > 0;
  }

  /** Starts a turn with the messages that belong into it: one queued message, or all that may share a turn. */
  beginTurn(now: string): TurnProgress {
    const taken = this.takeForTurn();
    const turn: TurnProgress = {
      turn: this.nextTurn,
      startedAt: now,
      step: 0,
      phase: 'thinking',
      undelivered: taken,
      replyTo: taken.at(-1)?.replyTo,
      steps: 0,
      usage: noUsage,
      budgetGrants: 0,
      interruptedBy: null,
      waiting: [],
      decisions: {},
    };
    this.current = turn;
    return turn;
  }

  /** Messages the next step takes in: the turn's own on its first step, steering ones later. */
  drainForStep(turn: TurnProgress): readonly InboundEnvelope[] {
    const steering = turn.step <= 1 ? [] : this.queue.filter((one) => this.modeOf(one) === 'steer');
    this.queue = this.queue.filter((one) => !steering.includes(one));
    const drained = [...turn.undelivered, ...steering];
    turn.undelivered = drained;
    const last = drained.at(-1);
    if (last?.replyTo !== undefined) turn.replyTo = last.replyTo;
    return drained;
  }

  endTurn(turn: TurnProgress, consumed: boolean): void {
    if (consumed) {
      this.nextTurn = turn.turn + 1;
      this.turnsInRun += 1;
    }
    this.usage = addUsage(this.usage, turn.usage);
    this.current = null;
  }

  ask(turn: TurnProgress, waiting: { approvalId: string; title: string; kind: string }): void {
    // Several calls may wait for one word: whether to trust the machine they all want to work on.
    if (!turn.waiting.some((one) => one.approvalId === waiting.approvalId)) turn.waiting.push(waiting);
    turn.phase = 'waiting';
  }

  settle(turn: TurnProgress, approvalId: string): void {
    turn.waiting = turn.waiting.filter((one) => one.approvalId !== approvalId);
    turn.phase = turn.waiting.length > 0 ? 'waiting' : 'working';
  }

  /** @returns false when nothing waits for this decision. */
  decide(request: DecideRequest): boolean {
    const turn = this.current;
    if (turn === null || turn.phase === 'finishing' || turn.interruptedBy !== null) return false;
    if (turn.decisions[request.approvalId] !== undefined) return false;
    // An approval may be decided between its record in the store and the workflow's own wait for it, so any id of the
    // running turn is accepted.
    if (!request.approvalId.startsWith(`ask:${this.conversationId}/${String(turn.turn)}/`)) return false;
    turn.decisions[request.approvalId] = request;
    return true;
  }

  configure(request: ConfigureRequest): void {
    if (request.title !== undefined) this.title = request.title;
    this.settings = {
      ...this.settings,
      ...request.settings,
      ...(request.busyMode === undefined ? {} : { busyMode: request.busyMode }),
    };
  }

  carry(): CarriedState {
    return {
      nextTurn: this.nextTurn,
      queue: this.queue,
      seenInboundIds: this.seen,
      usage: this.usage,
      title: this.title,
      closing: this.closing,
    };
  }

  snapshot(): ConversationSnapshot {
    const turn = this.current;
    return {
      conversationId: this.conversationId,
      phase: turn?.phase ?? 'idle',
      turn: turn?.turn ?? null,
      step: turn?.step ?? null,
      queue: this.queue,
      waiting: turn?.waiting ?? [],
      busyMode: this.settings.busyMode,
      usage: turn === null ? this.usage : addUsage(this.usage, turn.usage),
      turnsInRun: this.turnsInRun,
    };
  }

  private modeOf(envelope: InboundEnvelope): BusyMode {
    return envelope.busyMode ?? this.settings.busyMode;
  }

  private takeForTurn(): readonly InboundEnvelope[] {
    const [head, ...rest] = this.queue;
    if (head === undefined) return [];
    if (this.modeOf(head) === 'queue') {
      this.queue = rest;
      return [head];
    }
    const end = this.queue.findIndex((one) => this.modeOf(one) === 'queue');
    const taken = end === -1 ? this.queue : this.queue.slice(0, end);
    this.queue = end === -1 ? [] : this.queue.slice(end);
    return taken;
  }

  /** A person who writes something else instead of deciding has refused what waits, and should be heard at once. */
  private refuseWhatWaits(): void {
    const turn = this.current;
    if (turn === null) return;
    for (const { approvalId } of turn.waiting) {
      turn.decisions[approvalId] ??= {
        approvalId,
        decision: 'deny',
        answer: 'The person sent another message instead of deciding.',
        by: 'message',
      };
    }
  }
}

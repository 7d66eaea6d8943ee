import type {
  ConfigureRequest,
  ConversationSnapshot,
  DecideRequest,
  InboundEnvelope,
} from '../../../../src/contracts/conversation.ts';
import type { StreamEvent } from '../../../../src/contracts/stream.ts';
import type { ConversationClient, StartHints } from '../../../../src/gateway/conversation-client.ts';
import { PortError } from '../../../../src/lib/port-error.ts';
import type { ApprovalRow, NewApproval, Store } from '../../../../src/store/ports.ts';
import type { StreamBus } from '../../../../src/stream/bus.ts';

/** What a turn does between its beginning and its end. */
export interface TurnPlay {
  readonly conversationId: string;
  readonly turn: number;
  readonly text: string;
  readonly aborted: AbortSignal;
  publish(event: Omit<StreamEvent, 'conversationId' | 'turn'>): void;
  /** Streams the answer in the given pieces. */
  say(pieces: readonly string[], attempt?: number, step?: number): void;
  /** Waits for a person. */
  ask(approval: Partial<NewApproval> & { kind: NewApproval['kind']; title: string }): Promise<DecideRequest>;
}
/** Returns the answer, or how the turn fails. */
export type TurnScript = (play: TurnPlay) => Promise<string | { code: string; message: string }>;

/**
 * Plays the part of the conversation workflows on a real store and bus: a seen-set, a queue, one turn at a time, steps
 * written down and events published in the order the real ones use.
 */
export class ScriptedConversations implements ConversationClient {
  readonly signals: { conversationId: string; inboundId: string; start: StartHints | undefined }[] = [];
  readonly decisions: DecideRequest[] = [];
  readonly configured: ConfigureRequest[] = [];
  /** While set, nothing can be reached. */
  down = false;
  /** Conversations that take no messages. */
  readonly broken = new Set<string>();
  /** Called in the middle of a signal. */
  beforeSignal: (conversationId: string) => Promise<void> = () => Promise.resolve();
  script: TurnScript = (play) => {
    play.say([`echo: ${play.text}`]);
    return Promise.resolve(`echo: ${play.text}`);
  };
  private readonly store: Store;
  private readonly bus: StreamBus;
  private readonly running = new Map<string, Conversation>();

  constructor(store: Store, bus: StreamBus) {
    this.store = store;
    this.bus = bus;
  }

  async inbound(conversationId: string, envelope: InboundEnvelope, start?: StartHints): Promise<void> {
    await this.reach(conversationId);
    await this.beforeSignal(conversationId);
    this.signals.push({ conversationId, inboundId: envelope.inboundId, start });
    const conversation = this.running.get(conversationId) ?? new Conversation();
    this.running.set(conversationId, conversation);
    if (conversation.seen.has(envelope.inboundId)) return;
    conversation.seen.add(envelope.inboundId);
    conversation.queue.push(envelope);
    conversation.work ??= this.work(conversationId, conversation).finally(() => {
      conversation.work = null;
    });
  }

  async interrupt(conversationId: string): Promise<{ interrupted: boolean; turn: number | null }> {
    await this.reach(conversationId);
    const conversation = this.running.get(conversationId);
    if (conversation?.turn == null) return { interrupted: false, turn: null };
    conversation.abort.abort();
    return { interrupted: true, turn: conversation.turn };
  }

  async decide(conversationId: string, request: DecideRequest): Promise<{ accepted: boolean }> {
    await this.reach(conversationId);
    this.decisions.push(request);
    const waiting = this.running.get(conversationId)?.waiting;
    const resolve = waiting?.get(request.approvalId);
    waiting?.delete(request.approvalId);
    resolve?.(request);
    return { accepted: resolve !== undefined };
  }

  async configure(conversationId: string, request: ConfigureRequest): Promise<void> {
    await this.reach(conversationId);
    this.configured.push(request);
  }

  async snapshot(conversationId: string): Promise<ConversationSnapshot | null> {
    await this.reach(conversationId);
    const conversation = this.running.get(conversationId);
    if (conversation === undefined) return null;
    return {
      conversationId,
      phase: conversation.work === null ? 'idle' : 'working',
      turn: conversation.turn,
      step: null,
      queue: conversation.queue,
      waiting: [],
      busyMode: 'steer',
      usage: { inputTokens: 0, outputTokens: 0, costUsd: 0 },
      turnsInRun: 0,
    };
  }

  /** Temporal lost its file: no conversation runs, no signal is remembered. */
  loseEverything(): void {
    for (const conversation of this.running.values()) conversation.queue.length = 0;
    this.running.clear();
  }

  /** Ends turns that would wait for ever. */
  async stop(): Promise<void> {
    for (const conversation of this.running.values()) conversation.abort.abort();
    await Promise.all([...this.running.values()].map((conversation) => conversation.work ?? Promise.resolve()));
  }

  private reach(conversationId: string): Promise<void> {
    if (this.down) return Promise.reject(new PortError('Storage.Unavailable', 'Temporal cannot be reached'));
    if (this.broken.has(conversationId)) {
      return Promise.reject(new PortError('Internal.Invariant', 'this conversation is broken'));
    }
    return Promise.resolve();
  }

  private async work(conversationId: string, conversation: Conversation): Promise<void> {
    for (let next = conversation.queue.shift(); next !== undefined; next = conversation.queue.shift()) {
      const last = (await this.store.conversations.get(conversationId))?.lastTurn ?? 0;
      conversation.turn = last + 1;
      conversation.abort = new AbortController();
      await this.playTurn(conversationId, conversation, next.inboundId, last + 1);
      conversation.turn = null;
    }
  }

  private async playTurn(
    conversationId: string,
    conversation: Conversation,
    inboundId: string,
    turn: number,
  ): Promise<void> {
    const inboundIds = [inboundId];
    await this.store.steps.begin({ conversationId, turn, step: 1, inboundIds });
    const publish = (event: object): void => this.bus.publish({ conversationId, turn, ...event } as StreamEvent);
    publish({ kind: 'turn-started', inboundIds });
    publish({ kind: 'step-started', step: 1, attempt: 1, model: 'scripted' });
    const text = (await this.store.inbox.get(inboundId))?.text ?? '';
    const play = this.playOf(conversationId, conversation, { turn, text, publish });
    const stopped = new Promise<null>((resolve) => {
      conversation.abort.signal.addEventListener('abort', () => resolve(null), { once: true });
    });
    const result = await Promise.race([this.script(play), stopped]);
    if (typeof result === 'string') await this.commitFinal(conversationId, turn, result);
    else {
      const state = result === null ? ('interrupted' as const) : ('failed' as const);
      const notice = result?.message ?? 'Interrupted.';
      const errorCode = result?.code ?? null;
      await this.store.turns.finalise({ conversationId, turn, state, inboundIds, notice, errorCode });
    }
    publish({ kind: 'turn-finished', outcome: 'done', inboundIds });
  }

  private playOf(
    conversationId: string,
    conversation: Conversation,
    { turn, text, publish }: { turn: number; text: string; publish: (event: object) => void },
  ): TurnPlay {
    return {
      conversationId,
      turn,
      text,
      publish,
      aborted: conversation.abort.signal,
      say: (pieces, attempt = 1, step = 1) => {
        if (attempt > 1 || step > 1) publish({ kind: 'step-started', step, attempt, model: 'scripted' });
        pieces.forEach((piece, seq) => publish({ kind: 'delta', step, attempt, seq, text: piece, channel: 'answer' }));
      },
      ask: async (asked) => {
        const row: ApprovalRow = await this.store.approvals.ask({
          id: `ask:${conversationId}/${String(turn)}/1/${String(conversation.asked++)}`,
          detail: '',
          choices: [],
          tool: 'run_command',
          ruleKey: 'npm test',
          callKey: null,
          ...asked,
          conversationId,
          turn,
        });
        const decision = new Promise<DecideRequest>((resolve) => conversation.waiting.set(row.id, resolve));
        publish({
          kind: 'asked',
          approvalId: row.id,
          ask: row.kind,
          title: row.title,
          detail: row.detail,
          choices: row.choices,
        });
        return decision;
      },
    };
  }

  private async commitFinal(conversationId: string, turn: number, text: string): Promise<void> {
    const usage = { inputTokens: 10, outputTokens: 5, costUsd: 0.25, model: 'scripted' };
    await this.store.steps.commit({
      conversationId,
      turn,
      step: 1,
      provider: 'test',
      usage,
      cachedInputTokens: 0,
      text,
      reasoning: '',
      toolCalls: [],
      planned: [],
      rejected: [],
      approvals: [],
      outcome: { kind: 'final', usage, preview: '', title: '' },
    });
  }
}

class Conversation {
  readonly seen = new Set<string>();
  readonly queue: InboundEnvelope[] = [];
  readonly waiting = new Map<string, (decision: DecideRequest) => void>();
  work: Promise<void> | null = null;
  turn: number | null = null;
  abort = new AbortController();
  asked = 0;
}

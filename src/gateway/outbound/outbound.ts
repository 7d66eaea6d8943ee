import type { OutboxButton, OutboxLane, OutboxRow } from '../../store/outbox-ports.ts';
import type { OutboxWriter } from '../accounts.ts';
import type { OutboundDeps } from './deps.ts';
import { Desk, laneOf } from './desk.ts';
import { sendDirect, type DirectMessage } from './direct.ts';
import { giveUp } from './gone.ts';
import { LiveTurns } from './live-turns.ts';
import { PartSender } from './part-sender.ts';
import { Questions } from './questions.ts';
import { Sender } from './sender.ts';

/** Everything that leaves for a chat. Rejects with a PortError `Storage.*` or, where a person asked, a Refusal. */
export interface Outbound extends OutboxWriter {
  /** Begins with what an earlier process left behind. */
  start(): void;
  /** Lets sends under way end for a few seconds. Idempotent. */
  stop(): Promise<void>;
  /** Something may be new. */
  nudge(): void;
  /**
   * What the buttons of a question mean, by the token in their data. A press under a message proves that it arrived, where
   * nobody knew.
   */
  buttonOf(token: string, messageId?: string): Promise<{ approvalId: string; choices: readonly OutboxButton[] } | null>;
  /** Of a moment ago. */
  backlog(accountId: string): { readonly waiting: number; readonly ambiguous: number };
  /** Ambiguous and failed ones, newest first. */
  problems(limit: number): Promise<readonly OutboxRow[]>;
  /** Sends what is ambiguous or failed once more. False when there is no such message. */
  retry(id: string): Promise<boolean>;
  /** Takes it out of the way. False when there is no such message. */
  drop(id: string): Promise<boolean>;
  /** Sends without waking the agent. Idempotent by key. @returns the ids of the messages, for `get`. */
  sendDirect(message: DirectMessage): Promise<readonly string[]>;
  get(id: string): Promise<OutboxRow | null>;
  /** A platform says that a chat is gone. */
  chatGone(lane: OutboxLane, reason: string): Promise<void>;
}

const keepSentMs = 30 * 24 * 3_600_000;
const pruneEveryMs = 6 * 3_600_000;

export function createOutbound(deps: OutboundDeps): Outbound {
  return new StoreOutbound(deps);
}

class StoreOutbound implements Outbound {
  private readonly desk: Desk;
  private readonly lives: LiveTurns;
  private readonly questions: Questions;
  private readonly sender: Sender;
  private readonly counts = new Map<string, { readonly waiting: number; readonly ambiguous: number }>();
  private timer: NodeJS.Timeout | null = null;
  private unsubscribe: () => void = () => undefined;
  private sweeping: Promise<void> | null = null;
  private isSweepWanted = false;
  private prunedAt = 0;

  constructor(deps: OutboundDeps) {
    this.desk = new Desk(deps);
    this.lives = new LiveTurns(this.desk);
    this.questions = new Questions(this.desk);
    const parts = new PartSender(this.desk, this.lives.rows, async (row, error) => {
      await giveUp(this.desk, laneOf(row), error);
      this.nudge();
    });
    this.sender = new Sender(this.desk, parts);
  }

  start(): void {
    this.lives.start();
    this.unsubscribe = this.desk.deps.bus.subscribeAll(({ kind }) => {
      if (kind === 'outbox' || kind === 'turn-finished') this.sender.nudge();
      if (kind === 'decided' || kind === 'turn-finished') this.sweep();
    });
    this.sender.start();
    this.sweep();
    this.timer = setInterval(() => this.nudge(), this.desk.times.lookMs);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    this.unsubscribe();
    this.lives.close();
    this.sender.stop();
    await this.desk.close();
    await this.sweeping;
  }

  nudge(): void {
    this.sender.nudge();
    this.sweep();
  }

  async enqueue(message: Parameters<OutboxWriter['enqueue']>[0]): Promise<void> {
    const { key, to, text, conversationId, replyTo } = message;
    await this.desk.store.outbox.enqueue({
      id: key,
      kind: 'text',
      to,
      text: this.desk.deps.redact(text),
      conversationId,
      ...(replyTo === undefined ? {} : { replyTo }),
    });
    this.sender.nudge();
  }

  async buttonOf(token: string, messageId?: string): ReturnType<Outbound['buttonOf']> {
    const row = await this.desk.store.outbox.byToken(token);
    if (row !== null && messageId !== undefined) await this.questions.seen(row, messageId);
    return row?.approvalId == null ? null : { approvalId: row.approvalId, choices: row.buttons };
  }

  backlog(accountId: string): ReturnType<Outbound['backlog']> {
    return this.counts.get(accountId) ?? { waiting: 0, ambiguous: 0 };
  }

  problems(limit: number): Promise<readonly OutboxRow[]> {
    return this.desk.store.outbox.problems(limit);
  }

  get(id: string): Promise<OutboxRow | null> {
    return this.desk.store.outbox.get(id);
  }

  async retry(id: string): Promise<boolean> {
    const row = await this.get(id);
    if (row === null || row.kind === 'live' || (row.state !== 'ambiguous' && row.state !== 'failed')) return false;
    const parts = row.parts?.map(({ carries, text, state, messageId }) =>
      state === 'sent'
        ? { carries, text, state, ...(messageId === undefined ? {} : { messageId }) }
        : { carries, text, state: 'new' as const },
    );
    const fresh = { state: 'new', attempts: 0, nextTryAt: null, error: null } as const;
    await this.desk.store.outbox.change({ id, ...fresh, ...(parts === undefined ? {} : { parts }) });
    this.nudge();
    return true;
  }

  async drop(id: string): Promise<boolean> {
    const row = await this.get(id);
    if (row === null) return false;
    await this.desk.alone(laneOf(row), () => this.desk.store.outbox.change({ id, state: 'dropped', open: false }));
    this.nudge();
    return true;
  }

  async sendDirect(message: DirectMessage): Promise<readonly string[]> {
    const ids = await sendDirect(this.desk, message);
    this.sender.nudge();
    return ids;
  }

  async chatGone(lane: OutboxLane, reason: string): Promise<void> {
    await this.desk.alone(lane, () => giveUp(this.desk, lane, reason));
    this.nudge();
  }

  /** What is shown already and must be edited, the numbers, and what is old. */
  private sweep(): void {
    if (this.sweeping !== null) {
      this.isSweepWanted = true;
      return;
    }
    this.sweeping = this.sweepOnce().finally(() => {
      this.sweeping = null;
      if (!this.isSweepWanted || this.desk.isEnding()) return;
      this.isSweepWanted = false;
      this.sweep();
    });
  }

  private async sweepOnce(): Promise<void> {
    if (this.desk.isEnding()) return;
    try {
      const counts = await this.desk.store.outbox.counts();
      this.counts.clear();
      for (const { account, waiting, ambiguous } of counts) this.counts.set(account, { waiting, ambiguous });
      await Promise.all([this.questions.sweep(), this.lives.rows.sweep()]);
      if (Date.now() - this.prunedAt < pruneEveryMs) return;
      this.prunedAt = Date.now();
      await this.desk.store.outbox.prune(new Date(Date.now() - keepSentMs).toISOString());
    } catch (error) {
      if (!this.desk.isEnding()) this.desk.deps.log.warn({ error: String(error) }, 'the outbox could not be swept');
    }
  }
}

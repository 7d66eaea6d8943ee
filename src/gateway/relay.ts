import type { BaseLogger } from 'pino';
import type { DecideRequest, InboundEnvelope } from '../contracts/conversation.ts';
import { PortError } from '../lib/port-error.ts';
import type { ApprovalRow, InboundRow, Store } from '../store/ports.ts';
import type { ConversationClient, StartHints } from './conversation-client.ts';
import { Lanes } from './lanes.ts';
import { createLostMessageSearch, type LostMessageSearch } from './lost-messages.ts';

export interface RelayDeps {
  readonly store: Store;
  readonly client: ConversationClient;
  /** Pause between two passes while all is well. */
  readonly intervalMs: number;
  readonly log: BaseLogger;
  /** Takes secrets out of the few words that a history shows of a message. */
  readonly redact?: (text: string) => string;
  /** How long a signalled message may stay untaken before its conversation is looked at. */
  readonly untakenAfterMs?: number;
  /** Longest pause between two passes while conversations cannot be reached. */
  readonly maxBackoffMs?: number;
}

/**
 * Brings what is in the store to the workflows: accepted messages and decisions, each at least once and in order within
 * a conversation. What cannot be brought now is brought later; the store remembers, so a crash loses nothing.
 * Contract: no method throws; failures are logged once per outage and retried.
 */
export interface Relay {
  /** Begins with what an earlier process left behind. Until then nothing is signalled. */
  start(): void;
  /** Signals a freshly accepted message at once, unless earlier ones of its conversation still wait. */
  signal(message: InboundRow, start?: StartHints): void;
  /** Tells the workflow of a freshly recorded decision at once. */
  tell(approval: ApprovalRow): void;
  /** Makes the next pass start now. */
  nudge(): void;
  /** Ends when the running pass and all signals under way have ended. Idempotent. */
  stop(): Promise<void>;
}

const pageSize = 100;
const firstBackoffMs = 100;
const lanesAtOnce = 16;
const previewLength = 80;

export function createRelay(deps: RelayDeps): Relay {
  return new StoreRelay(deps);
}

/** What the relay owes one conversation in one pass, in order. */
type Debt = readonly { readonly key: string; readonly settle: () => Promise<void> }[];

class StoreRelay implements Relay {
  private readonly deps: RelayDeps;
  private readonly lanes = new Lanes();
  private readonly lost: LostMessageSearch;
  /** Conversations with something unsettled; the number says in which pass at the latest that was noticed. */
  private readonly behind = new Map<string, number>();
  private readonly settled = new RecentKeys(2_000);
  private readonly reported = new Set<string>();
  private outageSince: number | null = null;
  private failedPasses = 0;
  private passes = 0;
  /** False until a pass has seen everything that was left behind. */
  private caughtUp = false;
  private started = false;
  private stopped = false;
  private nudged = false;
  private timer: NodeJS.Timeout | null = null;
  private dueAt = 0;
  private passing: Promise<void> | null = null;

  constructor(deps: RelayDeps) {
    this.deps = deps;
    this.lost = createLostMessageSearch({
      store: deps.store,
      client: deps.client,
      log: deps.log,
      untakenAfterMs: deps.untakenAfterMs ?? 15_000,
      signal: (message) => this.lanes.run(message.conversationId, () => this.bring(message, { again: true })),
    });
  }

  start(): void {
    if (this.started || this.stopped) return;
    this.started = true;
    this.schedule(0);
  }

  signal(message: InboundRow, start?: StartHints): void {
    this.settleSoon(message.conversationId, message.id, () => this.bring(message, { start }));
  }

  tell(approval: ApprovalRow): void {
    this.settleSoon(approval.conversationId, approval.id, () => this.report(approval));
  }

  nudge(): void {
    if (this.stopped || !this.started) return;
    if (this.passing !== null) this.nudged = true;
    // While nothing answers, a burst of messages must not become a burst of attempts.
    else this.schedule(this.failedPasses > 0 ? firstBackoffMs : 0);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await this.passing;
    await this.lanes.settled();
  }

  private settleSoon(conversationId: string, key: string, settle: () => Promise<void>): void {
    if (!this.caughtUp || this.stopped || this.behind.has(conversationId)) {
      this.leaveToPass(conversationId);
      return;
    }
    this.lanes
      .run(conversationId, async () => {
        // An earlier message of this conversation may have failed while this one queued.
        if (this.behind.has(conversationId)) this.leaveToPass(conversationId);
        else if (!this.settled.has(key)) await settle();
      })
      .catch((error: unknown) => {
        this.deps.log.debug({ conversationId, key, err: error }, 'left to the next pass');
        this.leaveToPass(conversationId);
      });
  }

  private leaveToPass(conversationId: string): void {
    this.fallBehind(conversationId);
    this.nudge();
  }

  private fallBehind(conversationId: string): void {
    this.behind.set(conversationId, this.passes);
  }

  private async bring(
    message: InboundRow,
    how: { again?: boolean; start?: StartHints | undefined } = {},
  ): Promise<void> {
    if (how.again !== true && this.settled.has(message.id)) return;
    const start = { ...how.start, personId: message.personId };
    await this.deps.client.inbound(message.conversationId, envelopeOf(message, this.deps.redact), start);
    this.settled.add(message.id);
    await this.deps.store.inbox.markSignalled(message.id);
  }

  private async report(approval: ApprovalRow): Promise<void> {
    if (this.settled.has(approval.id)) return;
    const { accepted } = await this.deps.client.decide(approval.conversationId, decisionOf(approval));
    this.settled.add(approval.id);
    if (!accepted) this.deps.log.info({ approvalId: approval.id }, 'nothing waited for the decision any more');
    await this.deps.store.approvals.markRelayed(approval.id);
  }

  private schedule(delayMs: number): void {
    if (this.stopped) return;
    const dueAt = performance.now() + delayMs;
    if (this.timer !== null) {
      // Many nudges must not push the pass before them all.
      if (this.dueAt <= dueAt) return;
      clearTimeout(this.timer);
    }
    this.dueAt = dueAt;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.passing = this.pass().finally(() => {
        this.passing = null;
        const again = this.nudged;
        this.nudged = false;
        if (this.failedPasses > 0) this.schedule(this.backoffMs());
        else this.schedule(again ? 0 : this.deps.intervalMs);
      });
    }, delayMs);
  }

  private backoffMs(): number {
    const longest = Math.min(this.deps.maxBackoffMs ?? 1_500, this.deps.intervalMs);
    return Math.min(longest, firstBackoffMs * 2 ** Math.min(this.failedPasses - 1, 10));
  }

  /** One look at everything that is owed. Never rejects. */
  private async pass(): Promise<void> {
    this.passes += 1;
    const number = this.passes;
    let progress: Progress = { brought: 0, failed: new Map() };
    try {
      // A page that only holds what failed before must not hide what comes after it.
      const limit = pageSize * Math.min(20, 1 + this.reported.size);
      const messages = await this.deps.store.inbox.unsignalled(limit);
      const decisions = await this.deps.store.approvals.unrelayed(limit);
      const complete = messages.length < limit && decisions.length < limit;
      progress = await this.settleAll(this.debts(messages, decisions));
      this.noticeOutcome(progress);
      if (complete) this.forgetBehind(number, progress);
      else if (progress.brought > 0) this.nudged = true;
      if (progress.failed.size === 0) await this.lost.lookWhenDue();
    } catch (error) {
      // The store itself failed; it is asked again as after any other failure.
      progress.failed.set('', error);
      this.noticeOutcome(progress);
    }
  }

  private debts(messages: readonly InboundRow[], decisions: readonly ApprovalRow[]): Map<string, Debt> {
    const debts = new Map<string, { key: string; settle: () => Promise<void> }[]>();
    const owe = (conversationId: string, key: string, settle: () => Promise<void>): void => {
      const debt = debts.get(conversationId);
      if (debt === undefined) debts.set(conversationId, [{ key, settle }]);
      else debt.push({ key, settle });
    };
    for (const message of messages) owe(message.conversationId, message.id, () => this.bring(message));
    for (const decision of decisions) owe(decision.conversationId, decision.id, () => this.report(decision));
    return debts;
  }

  /** Conversations side by side, a few at a time; stops early when the first ones show that nothing can be reached. */
  private async settleAll(debts: Map<string, Debt>): Promise<Progress> {
    const progress: Progress = { brought: 0, failed: new Map() };
    const left = [...debts];
    const work = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const [conversationId, debt] = next;
        try {
          for (const { settle } of debt) {
            if (this.stopped) return;
            await this.lanes.run(conversationId, settle);
            progress.brought += 1;
          }
        } catch (error) {
          progress.failed.set(conversationId, error);
          if (progress.brought === 0 && progress.failed.size >= lanesAtOnce && isOutage(error)) return;
        }
      }
    };
    await Promise.all(Array.from({ length: lanesAtOnce }, work));
    // What was not even tried is as unsettled as what failed.
    for (const [conversationId] of left) this.fallBehind(conversationId);
    return progress;
  }

  private forgetBehind(pass: number, progress: Progress): void {
    for (const [conversationId, since] of this.behind) {
      if (since < pass && !progress.failed.has(conversationId)) this.behind.delete(conversationId);
    }
    for (const conversationId of progress.failed.keys()) this.fallBehind(conversationId);
    this.caughtUp = true;
  }

  private noticeOutcome({ brought, failed }: Progress): void {
    const { log } = this.deps;
    const [error] = failed.values();
    this.failedPasses = failed.size > 0 ? this.failedPasses + 1 : 0;
    if (brought === 0 && error !== undefined && isOutage(error)) {
      if (this.outageSince !== null) return;
      this.outageSince = Date.now();
      log.warn({ err: error }, 'conversations cannot be reached; messages wait in the store');
      return;
    }
    if (this.outageSince !== null) {
      log.info({ outageMs: Date.now() - this.outageSince }, 'conversations can be reached again');
      this.outageSince = null;
      this.lost.lookSoon();
    }
    for (const conversationId of this.reported) if (!failed.has(conversationId)) this.reported.delete(conversationId);
    for (const [conversationId, reason] of failed) {
      if (this.reported.has(conversationId)) continue;
      this.reported.add(conversationId);
      log.error({ conversationId, err: reason }, 'a conversation takes no messages; they wait in the store');
    }
  }
}

interface Progress {
  brought: number;
  readonly failed: Map<string, unknown>;
}

function isOutage(error: unknown): boolean {
  return PortError.is(error) && error.retryable;
}

/** What the workflow gets of a message; the text stays in the store. */
export function envelopeOf(message: InboundRow, redact: (text: string) => string = (text) => text): InboundEnvelope {
  const words = redact(message.text.slice(0, previewLength * 4))
    .replace(/\s+/g, ' ')
    .trim();
  return {
    inboundId: message.id,
    receivedAt: message.receivedAt,
    platform: message.platform,
    preview: words.length > previewLength ? `${words.slice(0, previewLength - 1)}…` : words,
    ...(message.busyMode === null ? {} : { busyMode: message.busyMode }),
    ...(message.replyTo === null ? {} : { replyTo: message.replyTo }),
  };
}

function decisionOf(row: ApprovalRow): DecideRequest {
  const decision = row.state === 'denied' ? 'deny' : row.state === 'answered' ? 'answer' : 'approve';
  return {
    approvalId: row.id,
    decision,
    by: row.decidedBy ?? 'unknown',
    ...(row.scope === null ? {} : { scope: row.scope }),
    ...(row.answer === null ? {} : { answer: row.answer }),
  };
}

/** A set that forgets its oldest entries. */
class RecentKeys {
  private readonly keys = new Set<string>();
  private readonly capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  has(key: string): boolean {
    return this.keys.has(key);
  }

  add(key: string): void {
    this.keys.add(key);
    if (this.keys.size <= this.capacity) return;
    const [oldest] = this.keys;
    if (oldest !== undefined) this.keys.delete(oldest);
  }
}

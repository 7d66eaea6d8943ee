import { PortError } from '../../lib/port-error.ts';
import type { PlatformEventRow } from '../../store/platform-ports.ts';
import type { PlatformInbox } from '../platforms/platform.ts';
import { Refusal } from '../refusal.ts';
import { usualTimes, type InboundDeps, type InboundTimes } from './deps.ts';
import { EventLanes, type LaneStep } from './event-lanes.ts';
import { wordsOf } from './failures.ts';
import { createInbox, type InboxHooks } from './inbox.ts';
import { EventProcessor } from './process-event.ts';

/** Everything between what a platform delivers and a message that its conversation will answer. */
export interface Inbound {
  /** The inbox of an account; usable before `start`, and as often as it is asked for. */
  inbox(accountId: string, hooks?: InboxHooks): PlatformInbox;
  /** Takes up what an earlier process left, and from now on whatever is accepted. */
  start(): Promise<void>;
  /** Lets the steps under way end; what they could not finish is taken up by the next start. Idempotent. */
  stop(): Promise<void>;
  /** Tries now what waits for better times: an account has been connected. */
  nudge(): void;
}

const lanesAtOnce = 32;
const rowsAtOnce = 64;
const mostAttempts = 5;
const dayMs = 24 * 60 * 60 * 1_000;
const keepEventsMs = 30 * dayMs;
/** No platform delivers anything again after a year. */
const keepKeysMs = 365 * dayMs;

export function createInbound(deps: InboundDeps): Inbound {
  return new StoredInbound({ ...deps, times: { ...usualTimes, ...deps.times } });
}

class StoredInbound implements Inbound {
  private readonly deps: InboundDeps & { readonly times: InboundTimes };
  private readonly stopping = new AbortController();
  private readonly lanes: EventLanes;
  private readonly processor: EventProcessor;
  /** Failures in a row of lanes that wait because of one. */
  private readonly failures = new Map<string, number>();
  private pruning: NodeJS.Timeout | null = null;

  constructor(deps: InboundDeps & { readonly times: InboundTimes }) {
    this.deps = deps;
    this.processor = new EventProcessor(deps, this.stopping.signal);
    this.lanes = new EventLanes({
      open: (except, limit) => deps.store.platformEvents.openLanes(except, limit),
      step: (lane) => this.step(lane),
      log: deps.log,
      atOnce: lanesAtOnce,
    });
  }

  inbox(accountId: string, hooks?: InboxHooks): PlatformInbox {
    return createInbox(accountId, { store: this.deps.store, wake: (lane) => this.lanes.wake(lane) }, hooks);
  }

  async start(): Promise<void> {
    await this.prune();
    if (this.stopping.signal.aborted) return;
    this.lanes.start();
    this.pruning = setInterval(() => {
      this.prune().catch((err: unknown) => this.deps.log.warn({ err }, 'events of long ago cannot be forgotten now'));
    }, this.deps.times.pruneEveryMs);
    this.pruning.unref();
  }

  nudge(): void {
    this.lanes.nudge();
  }

  stop(): Promise<void> {
    if (this.pruning !== null) clearInterval(this.pruning);
    this.pruning = null;
    this.stopping.abort(new Error('the service stops'));
    return this.lanes.stop();
  }

  private prune(): Promise<void> {
    const before = (ms: number): string => new Date(Date.now() - ms).toISOString();
    return this.deps.store.platformEvents.prune({ events: before(keepEventsMs), keys: before(keepKeysMs) });
  }

  private async step(lane: string): Promise<LaneStep> {
    let head: PlatformEventRow | undefined;
    try {
      const rows = await this.deps.store.platformEvents.open(lane, rowsAtOnce);
      head = rows[0];
      if (head === undefined) {
        this.failures.delete(lane);
        return 'idle';
      }
      const step = await this.processor.process(head, rows);
      this.failures.delete(lane);
      return step;
    } catch (error) {
      return this.afterFailure(lane, head, error);
    }
  }

  private async afterFailure(lane: string, head: PlatformEventRow | undefined, error: unknown): Promise<LaneStep> {
    if (this.stopping.signal.aborted) return 'idle';
    const failures = (this.failures.get(lane) ?? 0) + 1;
    this.failures.set(lane, failures);
    const wait = { waitMs: this.pauseAfter(failures, error), onWake: false };
    const fields = { account: head?.account, key: head?.key, err: error };
    if (head === undefined || isPassing(error)) {
      if (failures === 1) this.deps.log.warn(fields, 'an event cannot be processed now; it is tried again');
      return wait;
    }
    try {
      const attempts = await this.deps.store.platformEvents.countFailure(head.seq, wordsOf(error));
      if (attempts < mostAttempts && !isFinal(error)) {
        this.deps.log.warn({ ...fields, attempts }, 'an event could not be processed; it is tried again');
        return wait;
      }
      await this.setAside(head, wordsOf(error));
      this.deps.log.error(fields, 'an event could not be processed and is set aside');
      this.failures.delete(lane);
      return 'more';
    } catch (next) {
      this.deps.log.warn({ ...fields, err: next }, 'an event could not be set aside; it is tried again');
      return wait;
    }
  }

  private async setAside(head: PlatformEventRow, error: string): Promise<void> {
    let isLetIn = false;
    try {
      isLetIn = await this.processor.apologise(head, sentence(error));
    } catch (failure) {
      if (isPassing(failure)) throw failure;
      this.deps.log.warn({ account: head.account, key: head.key, err: failure }, 'nobody can be told of an event');
    }
    // Of what a stranger wrote nothing is kept.
    await this.deps.store.platformEvents.settle(head.seq, { state: isLetIn ? 'failed' : 'ignored', error });
  }

  private pauseAfter(failures: number, error: unknown): number {
    const { firstPauseMs, longestPauseMs } = this.deps.times;
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 20));
    return Math.max(pauseMs, PortError.is(error) ? (error.retryAfterMs ?? 0) : 0);
  }
}

/** Whether waiting mends it. */
function isPassing(error: unknown): boolean {
  return PortError.is(error) && error.retryable;
}

const finalRefusals: readonly Refusal['code'][] = ['Api.Invalid', 'Api.TooLarge', 'Api.Unauthorized'];

/** Whether the same thing would be refused every time. */
function isFinal(error: unknown): boolean {
  return error instanceof Refusal && finalRefusals.includes(error.code);
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

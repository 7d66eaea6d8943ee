import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OutboxLane, OutboxRow } from '../../store/outbox-ports.ts';
import type { Accounts, OpenAccount } from '../accounts.ts';
import { Lanes } from '../lanes.ts';
import { type OutboundDeps, type OutboundTimes, usualTimes } from './deps.ts';
import { keyOf, Pace } from './pace.ts';

/** What everything that writes into chats shares: one at a time per chat, the pace, the pauses. */
export class Desk {
  readonly deps: OutboundDeps;
  readonly times: OutboundTimes;
  readonly pace = new Pace();
  private readonly lanes = new Lanes();
  private readonly requests = new Set<AbortController>();
  /** Messages with a job that nobody waits for. */
  private readonly aside = new Set<string>();
  private isClosed = false;

  constructor(deps: OutboundDeps) {
    this.deps = deps;
    this.times = { ...usualTimes, ...deps.times };
  }

  get store(): OutboundDeps['store'] {
    return this.deps.store;
  }

  get accounts(): Pick<Accounts, 'get' | 'list'> {
    return this.deps.accounts();
  }

  /** Requests under way are being ended, and none begins any more. */
  isEnding(): boolean {
    return this.isClosed;
  }

  /** Nobody else writes into the chat meanwhile. */
  alone<T>(lane: OutboxLane, job: () => Promise<T>): Promise<T> {
    return this.lanes.run(keyOf(lane), job);
  }

  /** Does a job on a message once its chat is free, unless one is begun already. A chat that hangs delays no other. */
  doAside(row: OutboxRow, job: () => Promise<void>): void {
    if (this.aside.has(row.id)) return;
    this.aside.add(row.id);
    this.alone(laneOf(row), job)
      .catch((error: unknown) => {
        if (!this.isClosed) this.deps.log.warn({ outboxId: row.id, error: String(error) }, 'left for the next look');
      })
      .finally(() => this.aside.delete(row.id));
  }

  account(lane: OutboxLane): OpenAccount | undefined {
    return this.accounts.get(lane.account);
  }

  /** One request to a platform: it ends in time, and when the sender does, even where it does not hear the signal. */
  async request<T>(work: (signal: AbortSignal) => Promise<T>, limitMs = this.times.sendMs): Promise<T> {
    const ending = new AbortController();
    const limit = setTimeout(() => ending.abort(new Error('it took too long')), limitMs);
    limit.unref();
    if (this.isClosed) ending.abort(stopping());
    this.requests.add(ending);
    const heard = new AbortController();
    try {
      return await Promise.race([work(ending.signal), deaf(ending.signal, heard.signal, this.times.graceMs)]);
    } finally {
      heard.abort();
      clearTimeout(limit);
      this.requests.delete(ending);
    }
  }

  /** Pause before the next try, after so many that failed. */
  backoffMs(attempts: number): number {
    return Math.min(this.times.longestBackoffMs, this.times.firstBackoffMs * 2 ** Math.min(attempts, 20));
  }

  /** Lets what is under way end for a while, then makes it end. */
  async close(): Promise<void> {
    const settled = this.lanes.settled();
    await Promise.race([settled, sleep(this.times.graceMs, undefined, { ref: false })]);
    this.isClosed = true;
    for (const request of this.requests) request.abort(stopping());
    // What hears no signal is left behind, in doubt.
    await Promise.race([settled, sleep(this.times.graceMs, undefined, { ref: false })]);
  }

  /** Tells people of a message nobody can vouch for. */
  report(row: OutboxRow, what: string): void {
    const { conversationId, turn } = row;
    this.deps.log.warn({ outboxId: row.id, account: row.to.platform, chat: row.to.chat, state: what }, 'not delivered');
    if (conversationId === null || turn === null) return;
    const text = `A message to ${row.to.platform} ${what}.`;
    this.deps.bus.publish({ conversationId, turn, kind: 'notice', text });
  }
}

/** Rejects a while after the signal: who hears it knows better what became of the request. */
async function deaf(ending: AbortSignal, heard: AbortSignal, graceMs: number): Promise<never> {
  if (!ending.aborted) await once(ending, 'abort', { signal: heard });
  await sleep(graceMs, undefined, { ref: false, signal: heard });
  throw ending.reason as Error;
}

function stopping(): Error {
  return new Error('the sender is stopping');
}

export function laneOf({ to }: Pick<OutboxRow, 'to'>): OutboxLane {
  return { account: to.platform, chat: to.chat };
}

export function inMs(ms: number): string {
  return new Date(Date.now() + ms).toISOString();
}

/** The one message that answers a turn. */
export function answerId(of: { readonly conversationId: string; readonly turn: number }): string {
  return `${of.conversationId}/${of.turn}`;
}

/** The turn a message is the answer of; null for every other message. */
export function answeredTurn(row: OutboxRow): { readonly conversationId: string; readonly turn: number } | null {
  const { conversationId, turn } = row;
  if (row.kind !== 'text' || conversationId === null || turn === null) return null;
  return row.id === answerId({ conversationId, turn }) ? { conversationId, turn } : null;
}

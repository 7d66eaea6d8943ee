import type { AcquireResult } from '../../contracts/environment.ts';
import type { EnvironmentClient, EnvironmentRef } from '../../gateway/environment-client.ts';
import { PortError } from '../../lib/port-error.ts';

/** How long a holder that is never heard of again keeps an environment awake. */
const defaultLeaseMs = 5 * 60_000;
/** Asked at once about one environment; the server takes ten updates in flight from everybody together. */
const atOncePerEnvironment = 3;

/** The leases this process holds on environments, one per environment and holder, asked for as seldom as possible. */
export interface Leases {
  /**
   * A lease that is good for a while: the one that is held, or a new one. Callers at the same time share one question.
   * It is renewed in the background until `leave` was called as often as `hold`. Rejects as `EnvironmentClient.acquire`.
   */
  hold(environment: EnvironmentRef, holder: string): Promise<AcquireResult>;
  leave(environment: EnvironmentRef, holder: string): void;
  /** It could not be connected to: the next `hold` has it looked at. */
  suspect(environment: EnvironmentRef, generation: number): void;
  /** Ends all leases of a holder. Never throws. */
  end(holder: string): void;
  /** Ends the renewals; the leases end by themselves. */
  close(): void;
}

interface Entry {
  readonly environment: EnvironmentRef;
  readonly holder: string;
  users: number;
  granted: AcquireResult | null;
  pending: Promise<AcquireResult> | null;
  timer: NodeJS.Timeout | null;
  isOver: boolean;
}

export interface LeasesOptions {
  readonly client: Pick<EnvironmentClient, 'acquire' | 'release'>;
  readonly log: { warn(fields: object, message: string): void };
  readonly leaseMs?: number;
}

export function createLeases(options: LeasesOptions): Leases {
  return new LeaseBook(options);
}

class LeaseBook implements Leases {
  private readonly options: LeasesOptions;
  private readonly leaseMs: number;
  private readonly entries = new Map<string, Entry>();
  private readonly unreachable = new Map<string, number>();
  private readonly queues = new Map<string, Queue>();

  constructor(options: LeasesOptions) {
    this.options = options;
    this.leaseMs = options.leaseMs ?? defaultLeaseMs;
  }

  async hold(environment: EnvironmentRef, holder: string): Promise<AcquireResult> {
    const entry = this.entryOf(environment, holder);
    entry.users += 1;
    const granted = entry.granted !== null && this.isGood(entry, entry.granted) ? entry.granted : await this.ask(entry);
    this.renewLater(entry);
    return granted;
  }

  leave(environment: EnvironmentRef, holder: string): void {
    const entry = this.entries.get(keyOf(environment, holder));
    if (entry === undefined) return;
    entry.users = Math.max(0, entry.users - 1);
    if (entry.users === 0) stopTimer(entry);
  }

  suspect({ environmentId }: EnvironmentRef, generation: number): void {
    this.unreachable.set(environmentId, Math.max(generation, this.unreachable.get(environmentId) ?? 0));
  }

  end(holder: string): void {
    for (const [key, entry] of this.entries) {
      if (entry.holder !== holder) continue;
      this.entries.delete(key);
      entry.isOver = true;
      stopTimer(entry);
      if (entry.granted !== null) this.release(entry);
    }
  }

  close(): void {
    for (const entry of this.entries.values()) {
      entry.isOver = true;
      stopTimer(entry);
    }
    this.entries.clear();
  }

  private entryOf(environment: EnvironmentRef, holder: string): Entry {
    const key = keyOf(environment, holder);
    const known = this.entries.get(key);
    if (known !== undefined) return known;
    const entry: Entry = { environment, holder, users: 0, granted: null, pending: null, timer: null, isOver: false };
    this.entries.set(key, entry);
    return entry;
  }

  /** Far from its end, and not of a generation somebody could not connect to. */
  private isGood(entry: Entry, granted: AcquireResult): boolean {
    const bad = this.unreachable.get(entry.environment.environmentId) ?? 0;
    return granted.generation > bad && Date.parse(granted.leasedUntil) - Date.now() > this.leaseMs / 4;
  }

  private ask(entry: Entry): Promise<AcquireResult> {
    entry.pending ??= this.acquire(entry).finally(() => {
      entry.pending = null;
    });
    return entry.pending;
  }

  private async acquire(entry: Entry): Promise<AcquireResult> {
    const { environment, holder } = entry;
    const { environmentId } = environment;
    const granted = await this.queueOf(environmentId).run(() => {
      const unreachableGeneration = this.unreachable.get(environmentId);
      return this.options.client.acquire(environment, {
        holder,
        leaseMs: this.leaseMs,
        ...(unreachableGeneration === undefined ? {} : { unreachableGeneration }),
      });
    });
    entry.granted = granted;
    // The turn ended while it was asked for.
    if (entry.isOver) this.release(entry);
    return granted;
  }

  /** While a call works under the lease, half-way to its end each time. */
  private renewLater(entry: Entry): void {
    if (entry.timer !== null || entry.users === 0 || entry.isOver || entry.granted === null) return;
    const leftMs = Date.parse(entry.granted.leasedUntil) - Date.now();
    entry.timer = setTimeout(
      () => {
        entry.timer = null;
        void this.renew(entry);
      },
      Math.max(leftMs / 2, this.leaseMs / 20),
    );
    entry.timer.unref();
  }

  private async renew(entry: Entry): Promise<void> {
    try {
      await this.ask(entry);
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      const { environmentId } = entry.environment;
      this.options.log.warn({ environmentId, holder: entry.holder, error: words }, 'a lease could not be renewed');
    }
    this.renewLater(entry);
  }

  private release({ environment, holder }: Entry): void {
    this.options.client.release(environment.environmentId, holder).catch((error: unknown) => {
      // It ends by itself a little later.
      const code = PortError.is(error) ? error.code : String(error);
      this.options.log.warn({ environmentId: environment.environmentId, holder, code }, 'a lease was not given back');
    });
  }

  private queueOf(environmentId: string): Queue {
    let queue = this.queues.get(environmentId);
    if (queue === undefined) {
      queue = new Queue(atOncePerEnvironment);
      this.queues.set(environmentId, queue);
    }
    return queue;
  }
}

/** Runs a few at a time, in order. */
class Queue {
  private free: number;
  private readonly waiting: (() => void)[] = [];

  constructor(atOnce: number) {
    this.free = atOnce;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.free += 1;
      else next();
    }
  }
}

function stopTimer(entry: Entry): void {
  if (entry.timer !== null) clearTimeout(entry.timer);
  entry.timer = null;
}

function keyOf({ environmentId }: EnvironmentRef, holder: string): string {
  return `${environmentId}|${holder}`;
}

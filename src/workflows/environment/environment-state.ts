import type {
  AcquireRequest,
  AcquireResult,
  CarriedEnvironment,
  ChangeEnvironmentInput,
  ChangeRequest,
  EnvironmentInput,
  EnvironmentLease,
  EnvironmentPhase,
  EnvironmentRecord,
  EnvironmentSettings,
  EnvironmentSnapshot,
} from '../../contracts/environment.ts';
import type { ChangeFailure } from './failure.ts';

/** Somebody who waits until it is awake. */
export interface Waiter {
  readonly request: AcquireRequest;
  /** Milliseconds since the epoch. */
  readonly since: number;
  outcome: { readonly result: AcquireResult } | { readonly failure: ChangeFailure } | null;
}

/** What a person asked for, in the order they asked. */
export interface PendingChange {
  readonly request: ChangeRequest;
  /** `done`, or why not. */
  outcome: 'done' | ChangeFailure | null;
}

/** What is to be done next. */
export type Task =
  | { readonly kind: 'change'; readonly change: PendingChange }
  | { readonly kind: 'wake' }
  /** Nobody has needed it for long enough. */
  | { readonly kind: 'sleep' }
  | { readonly kind: 'complete' }
  | { readonly kind: 'rest'; readonly untilMs: number };

const unmade: EnvironmentRecord = {
  phase: 'absent',
  handle: null,
  generation: 0,
  lastWakeMs: null,
  sleptMs: 0,
  sleepingSince: null,
  log: [],
  failure: null,
};

/** A turn that begins later than this before the end of a place begins in a new one. */
const renewBeforeMs = 30 * 60_000;

const phaseDuring: Record<ChangeEnvironmentInput['op'], EnvironmentPhase> = {
  create: 'starting',
  wake: 'waking',
  hibernate: 'hibernating',
  // A reset is on its way to a new one.
  destroy: 'starting',
};

/** All state and rules of an environment, free of Temporal so that it can be tested alone. Times are milliseconds. */
export class EnvironmentState {
  readonly environmentId: string;
  readonly backend: string;
  readonly personId: string;
  settings: EnvironmentSettings;
  phase: EnvironmentPhase = 'absent';
  record: EnvironmentRecord = unmade;
  /** Ends once nothing is left to do. */
  closing = false;
  /** It may not be in the phase it seems to be in: the next holder has it woken, which changes nothing if it is awake. */
  unsure = false;
  private leases: readonly { readonly holder: string; readonly until: number }[] = [];
  private waiting: Waiter[] = [];
  private changes: PendingChange[] = [];
  /** Since when nobody has held a lease, or since when it has been at rest. */
  private idleSince: number;
  private isKnown = false;

  constructor(input: EnvironmentInput, now: number) {
    this.environmentId = input.environmentId;
    this.backend = input.backend;
    this.personId = input.personId;
    this.settings = input.settings;
    this.idleSince = now;
  }

  /** Takes over what the store knows. A change that was under way there was cut off, so nobody knows how it ended. */
  adoptStored(record: EnvironmentRecord | null): void {
    this.record = record ?? unmade;
    const resting = this.record.phase === 'absent' || this.record.phase === 'hibernated';
    this.unsure = !resting && this.record.phase !== 'failed';
    this.phase = this.unsure ? (this.record.handle === null ? 'absent' : 'awake') : this.record.phase;
    this.isKnown = true;
  }

  adoptCarried(carried: CarriedEnvironment): void {
    this.record = carried.record;
    this.phase = carried.record.phase;
    this.unsure = carried.unsure;
    this.leases = carried.leases.map(({ holder, until }) => ({ holder, until: Date.parse(until) }));
    this.idleSince = Date.parse(carried.idleSince);
    this.isKnown = true;
  }

  carry(): CarriedEnvironment {
    return {
      record: { ...this.record, phase: this.phase },
      leases: this.leaseList(),
      idleSince: new Date(this.idleSince).toISOString(),
      unsure: this.unsure,
    };
  }

  /** Grants a lease at once where it is awake, else as soon as it is. */
  acquire(request: AcquireRequest, now: number): Waiter {
    this.settings = request.settings;
    this.expireLeases(now);
    const unreachable = request.unreachableGeneration === this.record.generation;
    if (this.phase === 'awake' && (unreachable || this.isNearItsEnd(now))) this.unsure = true;
    const waiter: Waiter = { request, since: now, outcome: null };
    if (this.isReady) this.grant(waiter, now);
    else this.waiting.push(waiter);
    return waiter;
  }

  release(holder: string, now: number): void {
    this.expireLeases(now);
    const rest = this.leases.filter((lease) => lease.holder !== holder);
    if (rest.length === 0 && this.leases.length > 0) this.idleSince = now;
    this.leases = rest;
  }

  change(request: ChangeRequest): PendingChange {
    this.settings = request.settings;
    const change: PendingChange = { request, outcome: null };
    this.changes.push(change);
    return change;
  }

  /** Waking one that is awake moves it on before it ends by itself; not while somebody works in it. */
  private isNearItsEnd(now: number): boolean {
    const expiresAt = this.record.handle?.expiresAt;
    return expiresAt !== undefined && !this.isLeased && now >= Date.parse(expiresAt) - renewBeforeMs;
  }

  /** Awake beyond doubt. */
  get isReady(): boolean {
    return this.isKnown && this.phase === 'awake' && !this.unsure;
  }

  /** Somebody waits for something to be done. */
  get hasWork(): boolean {
    return this.waiting.length > 0 || this.changes.length > 0;
  }

  get isLeased(): boolean {
    return this.leases.length > 0;
  }

  get holders(): readonly string[] {
    return this.leases.map((lease) => lease.holder);
  }

  next(now: number): Task {
    this.expireLeases(now);
    const [change] = this.changes;
    if (change !== undefined) return { kind: 'change', change };
    if (this.waiting.length > 0) return { kind: 'wake' };
    if (this.closing) return { kind: 'complete' };
    const untilMs = this.dueAt();
    if (now < untilMs) return { kind: 'rest', untilMs };
    return this.phase === 'awake' ? { kind: 'sleep' } : { kind: 'complete' };
  }

  /** When it will have been idle, or at rest, for long enough if nothing happens. */
  dueAt(): number {
    const freeFrom = Math.max(this.idleSince, ...this.leases.map((lease) => lease.until));
    return freeFrom + this.settings.idleMs;
  }

  begin(op: ChangeEnvironmentInput['op']): void {
    this.phase = phaseDuring[op];
  }

  /** It counts as used now, whoever holds a lease: looked at again after the idle time. */
  touch(now: number): void {
    this.idleSince = now;
  }

  awoken(record: EnvironmentRecord, now: number): void {
    this.settle(record, now);
    for (const waiter of this.waiting) this.grant(waiter, now);
    this.waiting = [];
  }

  /** Whoever waits now is told; who asks later has it tried again. */
  wakeFailed(failure: ChangeFailure, now: number): void {
    this.markFailed('failed', failure, now);
    for (const waiter of this.waiting) waiter.outcome = { failure };
    this.waiting = [];
  }

  /** Asleep, or gone after a removal. */
  fellAsleep(record: EnvironmentRecord, now: number): void {
    this.settle(record, now);
    this.leases = [];
  }

  /** Nobody can say whether it sleeps; it is tried again after the idle time, or woken by the next holder. */
  sleepFailed(failure: ChangeFailure, now: number): void {
    const gone = failure.code === 'Terminal.SessionLost';
    this.markFailed(gone ? 'failed' : 'awake', failure, now);
    this.unsure = !gone;
  }

  finish(change: PendingChange, outcome: 'done' | ChangeFailure): void {
    change.outcome = outcome;
    this.changes = this.changes.filter((one) => one !== change);
  }

  snapshot(): EnvironmentSnapshot {
    const { generation, lastWakeMs, sleptMs, sleepingSince, log, failure } = this.record;
    const { environmentId, backend, personId, phase } = this;
    const leases = this.leaseList();
    return {
      environmentId,
      backend,
      personId,
      phase,
      generation,
      leases,
      lastWakeMs,
      sleptMs,
      sleepingSince,
      log,
      failure,
    };
  }

  private settle(record: EnvironmentRecord, now: number): void {
    this.record = record;
    this.phase = record.phase;
    this.unsure = false;
    this.idleSince = now;
  }

  private markFailed(phase: EnvironmentPhase, failure: ChangeFailure, now: number): void {
    const { code, message } = failure;
    const line = `${new Date(now).toISOString()} ${code}: ${message}`;
    this.record = { ...this.record, phase, failure: { code, message }, log: [line, ...this.record.log].slice(0, 20) };
    this.phase = phase;
    this.idleSince = now;
  }

  private grant(waiter: Waiter, now: number): void {
    const { handle, generation } = this.record;
    if (handle === null) {
      waiter.outcome = {
        failure: { code: 'Internal.Invariant', message: 'It is awake and has no handle.', mayPass: false },
      };
      return;
    }
    const { holder, leaseMs } = waiter.request;
    const until = now + leaseMs;
    this.leases = [...this.leases.filter((lease) => lease.holder !== holder), { holder, until }];
    const wokenInMs = now - waiter.since;
    const leasedUntil = new Date(until).toISOString();
    const result = { handle, generation, leasedUntil, ...(wokenInMs > 0 ? { wokenInMs } : {}) };
    waiter.outcome = { result };
  }

  private expireLeases(now: number): void {
    const valid = this.leases.filter((lease) => lease.until > now);
    if (valid.length === 0 && this.leases.length > 0) {
      this.idleSince = Math.max(...this.leases.map((lease) => lease.until));
    }
    this.leases = valid;
  }

  private leaseList(): readonly EnvironmentLease[] {
    return this.leases.map(({ holder, until }) => ({ holder, until: new Date(until).toISOString() }));
  }
}

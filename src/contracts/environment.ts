/** What crosses Temporal for an environment: one workflow per environment, `environment/<id>`. */

import type { JsonValue } from './json.ts';

/** Also what a person reads in the UI. */
export const environmentPhases = [
  'absent',
  'starting',
  'awake',
  'hibernating',
  'hibernated',
  'waking',
  'failed',
] as const;
export type EnvironmentPhase = (typeof environmentPhases)[number];

/** JSON form of a backend's handle. */
export interface EnvironmentHandleJson {
  readonly environmentId: string;
  readonly backend: string;
  readonly state: Readonly<Record<string, string>>;
  /** It ends by itself then, unless it is woken anew shortly before. */
  readonly expiresAt?: string;
}

export interface EnvironmentSettings {
  /** Without a lease for this long it is put to sleep. */
  readonly idleMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly searchAttributes: boolean;
  /** Events of one run after which it continues as new. */
  readonly continueAsNewAfterEvents?: number;
  /** How often a change is tried before it is given up, and how long it waits before the second try (then doubling). */
  readonly retry?: { readonly maxAttempts: number; readonly firstDelayMs: number };
}

export interface EnvironmentInput {
  readonly environmentId: string;
  readonly backend: string;
  readonly personId: string;
  readonly settings: EnvironmentSettings;
  /** Version of this shape; absent on the first. */
  readonly schemaVersion?: number;
  /** From the run before; absent on a start, when the workflow asks the store how the environment stands. */
  readonly carried?: CarriedEnvironment;
}

export interface EnvironmentLease {
  readonly holder: string;
  readonly until: string;
}

export interface CarriedEnvironment {
  readonly record: EnvironmentRecord;
  readonly leases: readonly EnvironmentLease[];
  /** Since when nobody has held a lease. */
  readonly idleSince: string;
  /** It may not be in the phase the record names. */
  readonly unsure: boolean;
}

/** What the store knows of an environment. */
export interface EnvironmentRecord {
  readonly phase: EnvironmentPhase;
  readonly handle: EnvironmentHandleJson | null;
  readonly generation: number;
  readonly lastWakeMs: number | null;
  readonly sleptMs: number;
  readonly sleepingSince: string | null;
  /** Newest first. */
  readonly log: readonly string[];
  readonly failure: { readonly code: string; readonly message: string } | null;
}

/** Update `acquire`: resolves once it is awake. A holder that asks again prolongs its lease. */
export interface AcquireRequest {
  /** Who works in it: `turn/<conversation>/<turn>`, `shell/<id>`. */
  readonly holder: string;
  readonly leaseMs: number;
  /** The configuration may have changed since the workflow began. */
  readonly settings: EnvironmentSettings;
  /** The holder could not connect to this generation, so it is not as awake as it seems. */
  readonly unreachableGeneration?: number;
}
export interface AcquireResult {
  readonly handle: EnvironmentHandleJson;
  /** Grows with every wake and every new beginning. */
  readonly generation: number;
  readonly leasedUntil: string;
  /** What had to be done for it: nothing, or how long making or waking took. */
  readonly wokenInMs?: number;
}

/** Signal `release`. */
export interface ReleaseRequest {
  readonly holder: string;
}

/** Update `change`: what a person asks for; resolves when it is done. */
export interface ChangeRequest {
  readonly what: 'wake' | 'hibernate' | 'reset';
  readonly settings: EnvironmentSettings;
  /** Puts it to sleep although somebody works in it or commands run in it. */
  readonly force?: boolean;
  /** Only while it is this generation; another one means that it has been done already. */
  readonly ifGeneration?: number;
}

/** Query `snapshot`, and what the API shows. */
export interface EnvironmentSnapshot {
  readonly environmentId: string;
  readonly backend: string;
  readonly personId: string;
  readonly phase: EnvironmentPhase;
  readonly generation: number;
  readonly leases: readonly EnvironmentLease[];
  readonly lastWakeMs: number | null;
  readonly sleptMs: number;
  readonly sleepingSince: string | null;
  /** Newest first, at most 20: `2026-01-01T00:00:00.000Z woken in 0.4 s`. */
  readonly log: readonly string[];
  readonly failure: { readonly code: string; readonly message: string } | null;
}

/** What the environment workflow calls. */
export interface EnvironmentActivities {
  /** Null: it was never made. Read only. */
  loadEnvironment(input: { readonly environmentId: string }): Promise<EnvironmentRecord | null>;
  /**
   * Makes, wakes, puts to sleep or removes it, and writes down how that ended. Idempotent; a second attempt goes on from
   * the newest handle in the store. Its failures are final: the workflow decides what is tried again.
   */
  changeEnvironment(input: ChangeEnvironmentInput): Promise<EnvironmentRecord>;
  /** Whether commands still run in it. Read only. */
  inspectEnvironment(input: { readonly environmentId: string }): Promise<InspectEnvironmentResult>;
}

export interface ChangeEnvironmentInput {
  readonly environmentId: string;
  readonly personId: string;
  readonly backend: string;
  readonly op: 'create' | 'wake' | 'hibernate' | 'destroy';
}

export interface InspectEnvironmentResult {
  /** Commands that run, in whichever conversation. */
  readonly runningCommands: number;
  /** False when it turned out not to be awake. */
  readonly awake: boolean;
}

/** First of the details of a failed change. */
export interface ChangeFailureDetails {
  /** Another try may help. */
  readonly mayPass: boolean;
  readonly retryAfterMs?: number;
  /** Those of the failure itself: what a person must decide, for instance. */
  readonly details: Readonly<Record<string, JsonValue>>;
}

export const environmentMessageNames = {
  acquire: 'acquire',
  release: 'release',
  change: 'change',
  snapshot: 'snapshot',
} as const;

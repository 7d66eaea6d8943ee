/** What crosses Temporal for an environment: one workflow per environment, `environment/<id>`. */

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
}

export interface EnvironmentSettings {
  /** Without a lease for this long it is put to sleep. */
  readonly idleMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly searchAttributes: boolean;
}

export interface EnvironmentInput {
  readonly environmentId: string;
  readonly backend: string;
  readonly personId: string;
  readonly settings: EnvironmentSettings;
}

/** Update `acquire`: resolves once it is awake. A holder that asks again prolongs its lease. */
export interface AcquireRequest {
  /** Who works in it: `turn/<conversation>/<turn>`, `shell/<id>`. */
  readonly holder: string;
  readonly leaseMs: number;
  /** The configuration may have changed since the workflow began. */
  readonly settings: EnvironmentSettings;
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
}

/** Query `snapshot`, and what the API shows. */
export interface EnvironmentSnapshot {
  readonly environmentId: string;
  readonly backend: string;
  readonly personId: string;
  readonly phase: EnvironmentPhase;
  readonly generation: number;
  readonly leases: readonly { readonly holder: string; readonly until: string }[];
  readonly lastWakeMs: number | null;
  readonly sleptMs: number;
  readonly sleepingSince: string | null;
  /** Newest first, at most 20: `2026-01-01T00:00:00.000Z woken in 0.4 s`. */
  readonly log: readonly string[];
  readonly failure: { readonly code: string; readonly message: string } | null;
}

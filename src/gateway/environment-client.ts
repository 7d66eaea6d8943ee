import type { AcquireResult, ChangeRequest, EnvironmentSnapshot } from '../contracts/environment.ts';

/** Names an environment, and says what it takes to make it. */
export interface EnvironmentRef {
  readonly environmentId: string;
  readonly backend: string;
  readonly personId: string;
}

export interface AcquireOptions {
  /** Who works in it: `turn/<conversation>/<turn>`, `shell/<id>`. */
  readonly holder: string;
  readonly leaseMs: number;
  /** The generation the holder was given and could not connect to. */
  readonly unreachableGeneration?: number;
}

/**
 * How environments that sleep and wake are reached.
 * Contract: every method rejects with a PortError and with nothing else. What the environment's own workflow says (its
 * backend's code, `Terminal.*`) is not retryable, since it has been tried often enough; `details.generation` is there then.
 * `Storage.Unavailable` (retryable): the workflow service cannot be reached.
 */
export interface EnvironmentClient {
  /** What is known of each, newest first, without the leases. Reads the store only. */
  list(filter?: { readonly personId?: string }): Promise<readonly EnvironmentSnapshot[]>;
  /** With its leases where its workflow runs, else as the store knows it; null: there never was one. */
  snapshot(environmentId: string): Promise<EnvironmentSnapshot | null>;
  /** Resolves when it is done, which may take as long as making an environment takes. */
  change(environment: EnvironmentRef, request: Omit<ChangeRequest, 'settings'>): Promise<EnvironmentSnapshot>;
  /** Resolves once it is awake and leased; asking again prolongs the lease. */
  acquire(environment: EnvironmentRef, options: AcquireOptions): Promise<AcquireResult>;
  /** Ends a lease. Does nothing where the workflow does not run. */
  release(environmentId: string, holder: string): Promise<void>;
  /**
   * Sees to it that what the store knows as awake, or as being changed, has a workflow that puts it to sleep: after Temporal's
   * file was lost nobody else would. Idempotent. @returns how many there are.
   */
  recover(): Promise<number>;
}

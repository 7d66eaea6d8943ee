import type {
  BackendReport,
  CopyRequest,
  CopyResponse,
  EnvironmentView,
  Lease,
  LeaseRequest,
} from '../contracts/api-environments.ts';

/**
 * Where commands run, as the API shows and changes it. `current` as an id is the environment of the owner's next command.
 * Rejects with a Refusal for an unknown id, and with a PortError `Terminal.*` when a change fails.
 */
export interface Environments {
  /** Tries every backend for real, which takes seconds. */
  backends(): Promise<readonly BackendReport[]>;
  list(): Promise<readonly EnvironmentView[]>;
  get(environmentId: string): Promise<EnvironmentView>;
  /** Resolves when it is done. `reset` removes the environment with its files and makes a new one. */
  change(environmentId: string, what: 'wake' | 'hibernate' | 'reset'): Promise<EnvironmentView>;
  /** Wakes it where needed and keeps it awake until the lease ends. */
  lease(environmentId: string, request: LeaseRequest): Promise<Lease>;
  release(environmentId: string, holder: string): Promise<void>;
  /** Carries a folder from one backend's environment to another's; what is there already stays unless it is the same file. */
  copy(request: CopyRequest, signal: AbortSignal): Promise<CopyResponse>;
}

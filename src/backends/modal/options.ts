/** Settings of the modal backend, `terminal.modal.*`. */
export interface ModalBackendOptions {
  /** Twelve lower-case hex digits, one per home folder; part of every name, so that two installations never meet. */
  readonly installationId: string;
  /** `https://api.modal.com` where not given. */
  readonly serverUrl?: string;
  /** From `modal token new`; starts with `ak-`. */
  readonly tokenId?: string;
  /** Starts with `as-`. */
  readonly tokenSecret?: string;
  /** Modal's name for a part of a workspace; the workspace's default one where not given. */
  readonly environment?: string;
  /** `hermes` where not given; made when it is missing. */
  readonly app?: string;
  /** Image of a registry that environments start from; `python:3.12-slim-bookworm` where not given. */
  readonly image?: string;
  /** Cores, fractions too; Modal's default where not given. */
  readonly cpu?: number;
  /** Modal's default where not given. */
  readonly memoryMb?: number;
  /** Life of a sandbox; 1440 (the most Modal allows) where not given. An environment outlives its sandboxes. */
  readonly timeoutMinutes?: number;
  /**
   * Modal itself ends a sandbox that nobody used for this long, should the service not come back to do it; 60 where not
   * given, 0 for never. A command counts as use only while somebody watches it.
   */
  readonly idleTimeoutMinutes?: number;
  /** Such as `us-east`; anywhere where not given. */
  readonly region?: string;
  /**
   * Has Modal keep the files of a sandbox that ends by itself, where it offers that; true where not given. Without it
   * such a sandbox falls back to its last snapshot.
   */
  readonly exitSnapshots?: boolean;
  /** Connections are let go of after this long without use; 30 where not given. */
  readonly idleConnectionSeconds?: number;
}

/** The options with every default filled in; what is undefined is left to Modal. */
export interface ModalSettings extends ModalBackendOptions {
  readonly serverUrl: string;
  readonly app: string;
  readonly image: string;
  readonly timeoutMinutes: number;
  readonly idleTimeoutMinutes: number;
  readonly exitSnapshots: boolean;
  readonly idleConnectionMs: number;
}

const longestLifeMinutes = 24 * 60;

export function modalSettings(options: ModalBackendOptions): ModalSettings {
  return {
    ...options,
    serverUrl: options.serverUrl ?? 'https://api.modal.com',
    app: options.app ?? 'hermes',
    image: options.image ?? 'python:3.12-slim-bookworm',
    timeoutMinutes: Math.min(options.timeoutMinutes ?? longestLifeMinutes, longestLifeMinutes),
    idleTimeoutMinutes: options.idleTimeoutMinutes ?? 60,
    exitSnapshots: options.exitSnapshots ?? true,
    idleConnectionMs: (options.idleConnectionSeconds ?? 30) * 1000,
  };
}

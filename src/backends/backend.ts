/**
 * Where commands run. Two tiers: the host side makes, sleeps and wakes an environment; the session side is what tools
 * get. Every failure is a PortError with a `Terminal.*` code.
 */
export interface Backend {
  readonly id: string;
  /** Makes the environment or finds the one of that id. Idempotent. */
  create(environmentId: string): Promise<EnvironmentHandle>;
  resume(handle: EnvironmentHandle): Promise<EnvironmentHandle>;
  /** Lets go of everything that costs while idle; files stay. Idempotent. */
  hibernate(handle: EnvironmentHandle): Promise<EnvironmentHandle>;
  /** Removes the environment with its files. Idempotent. */
  destroy(handle: EnvironmentHandle): Promise<void>;
  describe(handle: EnvironmentHandle): Promise<EnvironmentDescription>;
  /** Opens the session side. Cheap; may be called for every command. */
  connect(handle: EnvironmentHandle): Promise<TerminalSession>;
  /**
   * Forgets runs that ended more than `olderThanMs` ago, in all environments; never a running one. Resolves with how many.
   * Absent where run records go with their environment.
   */
  sweep?(options: { olderThanMs: number }): Promise<number>;
}

export interface EnvironmentHandle {
  readonly environmentId: string;
  readonly backend: string;
  /** What the backend needs to find it again; JSON, no secrets. */
  readonly state: Readonly<Record<string, string>>;
}

export interface EnvironmentDescription {
  readonly state: 'absent' | 'awake' | 'hibernated' | 'failed';
  readonly detail: string;
}

export interface RunSpec {
  /** Names the run for ever. Starting the same key again attaches and starts nothing. */
  readonly key: string;
  /** A line or script for bash (sh where there is no bash). */
  readonly command: string;
  /** Runs of one session share working directory and exported variables, as in one terminal. */
  readonly sessionKey: string;
  /** Overrides the session's directory for this run. */
  readonly cwd?: string;
  /** Added to the environment of this run. */
  readonly env?: Readonly<Record<string, string>>;
  /** The supervisor itself ends the run after this long, whoever watches. */
  readonly timeoutMs?: number;
  /** Keeps standard input open for `writeStdin`; otherwise it is empty. */
  readonly stdin?: boolean;
}

export interface RunState {
  readonly key: string;
  readonly phase: 'running' | 'exited' | /** Supervisor gone without a record. */ 'lost' | 'absent';
  /** Null unless it exited by itself. */
  readonly exitCode: number | null;
  /** `SIGKILL` and so on, when a signal ended it. */
  readonly signal: string | null;
  readonly timedOut: boolean;
  readonly killed: boolean;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  /** Bytes of output written so far (standard output and error in one stream). */
  readonly outputBytes: number;
  /** The session's directory after the run. */
  readonly cwd: string | null;
}

export interface RunOutput {
  readonly state: RunState;
  readonly offset: number;
  readonly bytes: Buffer;
}

export interface FileEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
  readonly sizeBytes: number;
  readonly modifiedAt: string;
}

/** What tools may do in an environment. Paths are absolute or relative to the session's directory. */
export interface TerminalSession {
  /** Starts or attaches. Returns as soon as the run is known to exist. Idempotent by key. */
  start(spec: RunSpec): Promise<RunState>;
  /**
   * Reads output from `offset`, waiting up to `waitMs` for something new or the end. Read only.
   * Honours the signal: rejects with its reason and leaves the run alone.
   */
  poll(
    key: string,
    options: { offset: number; maxBytes: number; waitMs: number; signal?: AbortSignal },
  ): Promise<RunOutput>;
  /** Ends the whole process tree: asks, then forces after `graceMs`. Returns when it is gone. Idempotent. */
  kill(key: string, options?: { graceMs?: number }): Promise<RunState>;
  writeStdin(key: string, bytes: Buffer, options?: { end?: boolean }): Promise<void>;
  /** Keys of runs of a session, newest first. */
  listRuns(sessionKey: string): Promise<readonly RunState[]>;
  /** Forgets a finished run and its output. Idempotent. */
  forget(key: string): Promise<void>;
  /** The session's current directory. */
  cwd(sessionKey: string): Promise<string>;
  readFile(
    path: string,
    options: { sessionKey: string; offset?: number; maxBytes?: number },
  ): Promise<{ bytes: Buffer; sizeBytes: number; modifiedAt: string }>;
  /** Writes the whole file, atomically, making parent folders. Idempotent. */
  writeFile(path: string, bytes: Buffer, options: { sessionKey: string }): Promise<void>;
  listFiles(path: string, options: { sessionKey: string }): Promise<readonly FileEntry[]>;
  /** Absolute form of a path as the environment sees it; does not require that it exists. */
  resolve(path: string, options: { sessionKey: string }): Promise<string>;
}

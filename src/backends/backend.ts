import type { Readable, Writable } from 'node:stream';

/**
 * Where commands run. Two tiers: the host side makes, sleeps and wakes an environment; the session side is what tools
 * get. Every failure is a PortError with a `Terminal.*` code.
 */
export interface Backend {
  readonly id: string;
  /**
   * `false` where an idle environment costs nothing (local): then nobody leases it, puts it to sleep or wakes it.
   */
  readonly hibernates: boolean;
  /** Whether it can be used here, tried for real within 5 s; makes nothing. Never throws. */
  check(): Promise<BackendCheck>;
  /** Makes the environment or finds the one of that id. Idempotent, also when two callers race. */
  create(environmentId: string, options?: ChangeOptions): Promise<EnvironmentHandle>;
  /**
   * Wakes it with every file in place; one that is awake stays as it is. Idempotent, also when two callers race.
   * Terminal.SessionLost: it is gone for good, only `create` helps.
   */
  resume(handle: EnvironmentHandle, options?: ChangeOptions): Promise<EnvironmentHandle>;
  /** Lets go of everything that costs while idle; files stay. Idempotent. */
  hibernate(handle: EnvironmentHandle, options?: ChangeOptions): Promise<EnvironmentHandle>;
  /** Removes the environment with its files. Idempotent. */
  destroy(handle: EnvironmentHandle): Promise<void>;
  describe(handle: EnvironmentHandle): Promise<EnvironmentDescription>;
  /**
   * Opens the session side. Cheap; may be called for every command. Does not wake: Terminal.SessionLost where there is
   * no environment, Terminal.Asleep where it hibernates.
   */
  connect(handle: EnvironmentHandle): Promise<TerminalSession>;
  /** A shell on a terminal of its own, for a person. Ends with its connection. */
  openShell(handle: EnvironmentHandle, screen: ScreenOptions): Promise<InteractiveShell>;
  /**
   * Removes what nobody can use any more: runs that ended more than `olderThanMs` ago in environments that are awake,
   * snapshots and containers of ours that no environment in `known` names. Never a running command. Resolves with how many.
   */
  sweep(options: { olderThanMs: number; known: readonly EnvironmentHandle[] }): Promise<number>;
  /** Lets go of connections. The backend opens new ones when it is used again. */
  close(): Promise<void>;
}

export interface BackendCheck {
  readonly usable: boolean;
  /** One line: version and place where it is usable, else what is missing. */
  readonly detail: string;
  /** What to do about it, as a command or setting where there is one. */
  readonly fix?: string;
}

export interface ChangeOptions {
  /** Hears one line for people on what takes long: `pulling debian:bookworm, 34 %`. */
  readonly progress?: (line: string) => void;
  /**
   * Called with a handle under which all files are safe, before anything that the old handle needs is let go of. The
   * backend waits for it; when it rejects, the change stops there and the old handle still works.
   */
  readonly commit?: (next: EnvironmentHandle) => Promise<void>;
  readonly signal?: AbortSignal;
}

export interface ScreenOptions {
  readonly columns: number;
  readonly rows: number;
  /** Value of TERM. */
  readonly term: string;
  /** Runs in the session's directory and with its variables. */
  readonly sessionKey: string;
}

export interface InteractiveShell {
  readonly input: Writable;
  readonly output: Readable;
  resize(columns: number, rows: number): void;
  /** Exit code, null where the connection ended without one. Never rejects. */
  readonly ended: Promise<number | null>;
  close(): void;
}

export interface EnvironmentHandle {
  readonly environmentId: string;
  readonly backend: string;
  /** What the backend needs to find it again; JSON, no secrets. */
  readonly state: Readonly<Record<string, string>>;
  /** The place ends by itself then; `resume` shortly before moves the environment on, if nothing runs in it. */
  readonly expiresAt?: string;
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
  /** Runs on a pseudo-terminal of this size. Terminal.Invalid where the place has nothing to make one with. */
  readonly pty?: { readonly columns: number; readonly rows: number };
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
  /** Like `readFile` for any size, in flat memory. The stream fails with a PortError. */
  download(path: string, options: { sessionKey: string }): Promise<{ stream: Readable; sizeBytes: number }>;
  /** Like `writeFile` for any size, in flat memory. Nothing of it is seen before the source has ended. */
  upload(
    path: string,
    source: AsyncIterable<Uint8Array>,
    options: { sessionKey: string; signal?: AbortSignal },
  ): Promise<void>;
  listFiles(path: string, options: { sessionKey: string }): Promise<readonly FileEntry[]>;
  /** Absolute form of a path as the environment sees it; does not require that it exists. */
  resolve(path: string, options: { sessionKey: string }): Promise<string>;
  /** The same with every link followed, also where the end of the path does not exist. */
  realPath(path: string, options: { sessionKey: string }): Promise<string>;
}

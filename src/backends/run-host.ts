/**
 * How the run protocol reaches the place where commands run: local uses the file system, other backends run the same
 * small scripts through whatever they have for that. Paths are absolute there. Methods throw PortError
 * (Terminal.BackendUnavailable, Terminal.Denied) when the place cannot be reached or refuses.
 */
export interface RunHost {
  /** Folder for scripts, sessions and runs; exists, links resolved. */
  readonly root: string;
  /** Makes folders with their parents, for the owner only. Idempotent. */
  makeFolders(paths: readonly string[]): Promise<void>;
  /** Makes a file that appears with its whole content; leaves one that exists alone. Says whether it was made. */
  createFile(path: string, text: string): Promise<boolean>;
  /** Null when there is none. For small files. */
  readText(path: string): Promise<string | null>;
  /** Names in a folder; empty when there is none. */
  listFolder(path: string): Promise<readonly string[]>;
  /** Removes a folder with its content, or a file. Idempotent. */
  remove(path: string): Promise<void>;
  /** Everything known of a run, in one round trip, with output from `offset` on. */
  observe(runFolder: string, range: { offset: number; maxBytes: number }): Promise<RunRecords>;
  /** Starts `sh script args…` as a process that outlives this one, its errors appended to `logPath`. */
  launch(script: string, args: readonly string[], logPath: string): Promise<LaunchedProcess>;
  /**
   * The whole of a start where round trips are dear; hosts without it are asked one step after the other. Makes what is
   * missing of folders, marks (empty files) and spec, launches unless the run has been claimed, and waits there for the
   * claim, a moment at most. Resolves with the records as they are then. May be repeated.
   */
  begin?(beginning: RunBeginning): Promise<RunRecords>;
  /** `observe` without output for many runs, in one round trip where those are dear. */
  observeAll?(runFolders: readonly string[]): Promise<readonly RunRecords[]>;
  /** Runs `sh script args…` to its end and resolves with its exit code. */
  execute(script: string, args: readonly string[]): Promise<number>;
  /** Writes to a FIFO that has a reader. Resolves with how many bytes fitted; 0: full for now. */
  feed(path: string, bytes: Buffer): Promise<number>;
  /** Asks a process to end; says nothing about whether it was there. */
  terminate(pid: number): Promise<void>;
  /** Starts to watch files of a folder; `next` resolves at a change since the last call, or after `ms`. */
  watch(folder: string, names: readonly string[]): Promise<FolderWatch>;
}

export interface RunBeginning {
  readonly runFolder: string;
  /** With their parents, for the owner only. */
  readonly folders: readonly string[];
  readonly marks: readonly string[];
  readonly spec: { readonly path: string; readonly text: string };
  readonly script: string;
  readonly args: readonly string[];
  readonly logPath: string;
}

export interface LaunchedProcess {
  /** True once it is known to have ended; a host that cannot know says false. */
  ended(): boolean;
}

export interface FolderWatch {
  /** True where it only waits: nothing can be missed before the first `next`, and looking at once is no use. */
  readonly waitsOnly?: boolean;
  next(ms: number, signal?: AbortSignal): Promise<void>;
  close(): void;
}

/** A run's files as they are; null: no such file. */
export interface RunRecords {
  /** First line of `spec`. */
  readonly spec: string | null;
  readonly claimed: string | null;
  readonly exit: string | null;
  readonly killed: boolean;
  /** Whether the process named in `claimed` is alive; only looked at while there is no `exit`. */
  readonly supervisorAlive: boolean;
  readonly outputBytes: number;
  readonly bytes: Buffer;
  /** Directory of the run's session, null for none; missing where the host has not looked. */
  readonly sessionCwd?: string | null;
}

import type { Readable, Writable } from 'node:stream';

/**
 * The one thing a remote backend must supply for commands and files: a way to run small sh scripts in the environment.
 * Everything else (run protocol, files, sessions) is built on it in remote-session.ts.
 */
export interface RemoteShell {
  /**
   * Runs `script` with the environment's sh to its end; it has an empty standard input and may be up to 100 KB long.
   * Output is binary safe. Calls may overlap. Honours the signal by rejecting; the script may go on.
   *
   * Rejects with a PortError: Terminal.BackendUnavailable (nothing ran), Terminal.OutcomeUnknown (the connection broke
   * after the script was sent, or no answer came within `timeoutMs`), Terminal.SessionLost (the environment is gone),
   * Terminal.Asleep, Terminal.Authentication, Terminal.TooLarge (more output than `maxOutputBytes`).
   */
  run(script: string, options?: ShellRunOptions): Promise<ShellResult>;
  /** Ends its connections; the next `run` opens new ones. Idempotent. */
  close(): void;
}

export interface ShellRunOptions {
  /** 4 MiB where not given. */
  readonly maxOutputBytes?: number;
  /** 30 s where not given. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface ShellResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  /** At most its last 4 KB. */
  readonly stderr: string;
}

/** A way to start one process in the environment with its streams connected; what resident-shell.ts is fed with. */
export interface ShellTransport {
  /**
   * Starts `sh -c command` there, without a terminal. Rejects with a PortError: Terminal.BackendUnavailable,
   * Terminal.SessionLost, Terminal.Asleep, Terminal.Authentication.
   */
  open(command: string): Promise<ShellProcess>;
}

export interface ShellProcess {
  readonly input: Writable;
  /** Standard output, binary. Standard error must not be mixed in. */
  readonly output: Readable;
  /** Last 4 KB of standard error. */
  errors(): string;
  /** Exit code; null when the connection ended without one (the process may live on). Never rejects. */
  readonly ended: Promise<number | null>;
  /** Drops the connection at once. Idempotent. */
  destroy(): void;
}

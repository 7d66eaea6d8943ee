import type { TerminalSession } from './backend.ts';
import type { RunHost } from './run-host.ts';
import { killRun } from './run-kill.ts';
import { pollRun } from './run-poll.ts';
import { createPtyCheck } from './run-pty.ts';
import { startRun } from './run-start.ts';
import { writeRunStdin } from './run-stdin.ts';
import { createRunStore } from './run-store.ts';

export interface RunProtocolOptions {
  /** Where sessions start; absolute there. */
  readonly defaultCwd: string;
  /** Absolute path of the shell for commands; undefined: bash, or sh where there is none. */
  readonly shell: string | undefined;
}

/** The part of a terminal session that concerns runs; a backend adds files. */
export interface RunProtocol extends Pick<
  TerminalSession,
  'start' | 'poll' | 'kill' | 'writeStdin' | 'listRuns' | 'forget' | 'cwd'
> {
  /** Forgets runs that ended (or never began) more than `olderThanMs` ago; never a running one. Says how many. */
  sweep(options: { olderThanMs: number }): Promise<number>;
  /** Ends every run and what ended runs left behind. */
  killAll(): Promise<void>;
}

/**
 * Runs under keys, on any host. Everything known of a run is in its folder there, so it outlives whoever started it
 * and can be attached to from anywhere. `spec.cwd` must be absolute.
 */
export function createRunProtocol(host: RunHost, options: RunProtocolOptions): RunProtocol {
  const store = createRunStore(host, options.defaultCwd);
  const ptys = createPtyCheck(store);
  return {
    start: async (spec) => {
      if (spec.pty) await ptys.require();
      return startRun(store, spec, options);
    },
    poll: (key, pollOptions) => pollRun(store, key, pollOptions),
    kill: (key, killOptions = {}) => killRun(store, key, killOptions),
    writeStdin: (key, bytes, stdinOptions = {}) => writeRunStdin(store, key, bytes, stdinOptions),
    listRuns: (sessionKey) => store.ofSession(sessionKey),
    forget: (key) => store.forget(key),
    cwd: (sessionKey) => store.cwd(sessionKey),
    sweep: (sweepOptions) => store.sweep(sweepOptions),
    killAll: async () => {
      for (const { state } of await store.all()) await killRun(store, state.key, { graceMs: 500 });
    },
  };
}

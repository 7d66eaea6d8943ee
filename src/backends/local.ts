import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PortError } from '../lib/port-error.ts';
import type { Backend, EnvironmentHandle } from './backend.ts';
import { fileError } from './file-errors.ts';
import { interactiveScript } from './interactive-script.ts';
import { createLocalCheck, existing } from './local-check.ts';
import { createLocalConnections, type LocalConnection } from './local-connection.ts';
import { openLocalShell } from './local-shell.ts';
import { safeName } from './run-layout.ts';

export interface LocalBackendOptions {
  /** Where run folders live; made when missing. */
  readonly runsDir: string;
  /** Where sessions start; absolute. */
  readonly cwd: string;
  /** Absolute path of the shell for commands; bash, or sh where there is none, by default. */
  readonly shell?: string;
  /** The whole environment commands start from: see `baseEnvironment`. */
  readonly baseEnv: Readonly<Record<string, string>>;
  /**
   * `bubblewrap`: commands, files and shells see the machine read-only, with process ids and a /tmp of their own; they
   * write to `cwd` and `writable`. Linux only; the network stays open.
   */
  readonly sandbox?: 'off' | 'bubblewrap';
  /** More folders that sandboxed commands may write to; absolute. Those that do not exist are left out. */
  readonly writable?: readonly string[];
  /** Folders that look empty in the sandbox (the service's home), but for what is writable in them; absolute. */
  readonly hidden?: readonly string[];
}

/**
 * Commands on this machine, as this user. Nothing to hibernate: files and running commands stay as they are.
 * Destroying ends the environment's commands and removes their records, never the person's files.
 */
export function createLocalBackend(options: LocalBackendOptions): Backend {
  const connections = createLocalConnections(options);
  const checks = createLocalCheck(options);
  const folderOf = (environmentId: string) => join(options.runsDir, safeName(environmentId));

  async function create(environmentId: string): Promise<EnvironmentHandle> {
    await checks.require();
    try {
      await mkdir(folderOf(environmentId), { recursive: true, mode: 0o700 });
    } catch (error) {
      throw fileError(error, options.runsDir);
    }
    return { environmentId, backend: 'local', state: {} };
  }

  async function connected({ environmentId }: EnvironmentHandle): Promise<LocalConnection> {
    const opened = await connections.open(folderOf(environmentId));
    if (opened) return opened;
    throw lost(environmentId);
  }

  async function destroy({ environmentId }: EnvironmentHandle): Promise<void> {
    const folder = folderOf(environmentId);
    const opened = await connections.open(folder);
    if (!opened) return;
    await opened.protocol.killAll();
    await connections.letGo(folder);
    try {
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    } catch (error) {
      throw fileError(error, options.runsDir);
    }
  }

  async function sweep(age: { olderThanMs: number }): Promise<number> {
    let count = 0;
    for (const name of (await existing(options.runsDir)) === null ? [] : await readdir(options.runsDir)) {
      const opened = await connections.open(join(options.runsDir, name));
      count += (await opened?.protocol.sweep(age)) ?? 0;
    }
    return count;
  }

  return {
    id: 'local',
    hibernates: false,
    check: () => checks.check(),
    create,
    async resume(handle) {
      if ((await existing(folderOf(handle.environmentId))) === null) throw lost(handle.environmentId);
      return handle;
    },
    hibernate: (handle) => Promise.resolve(handle),
    destroy,
    async describe({ environmentId }) {
      if ((await existing(folderOf(environmentId))) === null) return { state: 'absent', detail: 'not created' };
      return { state: 'awake', detail: `this machine, in ${options.cwd}` };
    },
    connect: async (handle) => (await connected(handle)).session,
    async openShell(handle, screen) {
      const connection = await connected(handle);
      const { root } = connection;
      const { sessionKey } = screen;
      const script = interactiveScript({ root, sessionKey, defaultCwd: options.cwd, shell: options.shell });
      return openLocalShell(connection.command(sessionKey, script), options.baseEnv, screen);
    },
    sweep,
    close: () => connections.letGoAll(),
  };
}

function lost(environmentId: string): PortError {
  return new PortError('Terminal.SessionLost', 'The environment does not exist (any more).', {
    details: { environmentId },
  });
}

import { constants } from 'node:fs';
import { access, mkdir, readdir, realpath, rm, stat } from 'node:fs/promises';
import { isAbsolute, join, normalize } from 'node:path';
import { PortError } from '../lib/port-error.ts';
import type {
  Backend,
  BackendCheck,
  EnvironmentDescription,
  EnvironmentHandle,
  InteractiveShell,
  ScreenOptions,
  TerminalSession,
} from './backend.ts';
import { codeOf, fileError } from './file-errors.ts';
import { interactiveScript } from './interactive-script.ts';
import { listLocalFiles, openLocalFile, readLocalFile, saveLocalFile, writeLocalFile } from './local-files.ts';
import { createLocalHost } from './local-host.ts';
import { openLocalShell } from './local-shell.ts';
import { safeName } from './run-layout.ts';
import { createRunProtocol, type RunProtocol } from './run-protocol.ts';

export interface LocalBackendOptions {
  /** Where run folders live; made when missing. */
  readonly runsDir: string;
  /** Where sessions start; absolute. */
  readonly cwd: string;
  /** Absolute path of the shell for commands; bash, or sh where there is none, by default. */
  readonly shell?: string;
  /** The whole environment commands start from: see `baseEnvironment`. */
  readonly baseEnv: Readonly<Record<string, string>>;
}

interface Connection {
  readonly root: string;
  readonly protocol: RunProtocol;
  readonly session: TerminalSession;
}

/**
 * Commands on this machine, as this user. Nothing to hibernate: files and running commands stay as they are.
 * Destroying ends the environment's commands and removes their records, never the person's files.
 */
export function createLocalBackend(options: LocalBackendOptions): Backend {
  const connections = new Map<string, Connection>();
  const folderOf = (environmentId: string) => join(options.runsDir, safeName(environmentId));

  async function open(folder: string): Promise<Connection | null> {
    const root = await existing(folder);
    if (root === null) {
      connections.delete(folder);
      return null;
    }
    const known = connections.get(folder);
    if (known) return known;
    const host = createLocalHost({ root, env: options.baseEnv });
    const protocol = createRunProtocol(host, { defaultCwd: options.cwd, shell: options.shell });
    const opened = { root, protocol, session: sessionOf(protocol, options.baseEnv['HOME'] ?? '/') };
    connections.set(folder, opened);
    return opened;
  }

  async function requireCwd(): Promise<void> {
    if (isAbsolute(options.cwd) && (await isDirectory(options.cwd))) return;
    throw new PortError('Terminal.NotFound', `The directory for commands does not exist: ${options.cwd}`);
  }

  async function check(): Promise<BackendCheck> {
    try {
      await requireCwd();
      await mkdir(options.runsDir, { recursive: true, mode: 0o700 });
      await access(options.runsDir, constants.W_OK);
    } catch (error) {
      const { code, message } = fileError(error, options.runsDir);
      const fix = code === 'Terminal.NotFound' ? 'Create it, or set terminal.cwd to one that exists.' : undefined;
      return { usable: false, detail: message, ...(fix === undefined ? {} : { fix }) };
    }
    return { usable: true, detail: `this machine, in ${options.cwd}` };
  }

  async function create(environmentId: string): Promise<EnvironmentHandle> {
    await requireCwd();
    try {
      await mkdir(folderOf(environmentId), { recursive: true, mode: 0o700 });
    } catch (error) {
      throw fileError(error, options.runsDir);
    }
    return { environmentId, backend: 'local', state: {} };
  }

  async function connected(handle: EnvironmentHandle): Promise<Connection> {
    const opened = await open(folderOf(handle.environmentId));
    if (opened) return opened;
    throw new PortError('Terminal.SessionLost', 'The environment does not exist (any more).', {
      details: { environmentId: handle.environmentId },
    });
  }

  async function openShell(handle: EnvironmentHandle, screen: ScreenOptions): Promise<InteractiveShell> {
    const { root } = await connected(handle);
    const { sessionKey } = screen;
    const script = interactiveScript({ root, sessionKey, defaultCwd: options.cwd, shell: options.shell });
    return openLocalShell(['/bin/sh', '-c', script], options.baseEnv, screen);
  }

  async function destroy(handle: EnvironmentHandle): Promise<void> {
    const opened = await open(folderOf(handle.environmentId));
    if (!opened) return;
    await opened.protocol.killAll();
    connections.delete(folderOf(handle.environmentId));
    try {
      await rm(folderOf(handle.environmentId), { recursive: true, force: true, maxRetries: 3 });
    } catch (error) {
      throw fileError(error, options.runsDir);
    }
  }

  async function describe(handle: EnvironmentHandle): Promise<EnvironmentDescription> {
    if ((await existing(folderOf(handle.environmentId))) === null) return { state: 'absent', detail: 'not created' };
    return { state: 'awake', detail: `this machine, in ${options.cwd}` };
  }

  async function sweep(age: { olderThanMs: number }): Promise<number> {
    let count = 0;
    for (const name of (await existing(options.runsDir)) === null ? [] : await readdir(options.runsDir)) {
      const opened = await open(join(options.runsDir, name));
      count += (await opened?.protocol.sweep(age)) ?? 0;
    }
    return count;
  }

  return {
    id: 'local',
    hibernates: false,
    check,
    create,
    resume: (handle) => create(handle.environmentId),
    hibernate: (handle) => Promise.resolve(handle),
    destroy,
    describe,
    connect: async (handle) => (await connected(handle)).session,
    openShell,
    sweep,
    close: () => {
      connections.clear();
      return Promise.resolve();
    },
  };
}

function sessionOf(protocol: RunProtocol, home: string): TerminalSession {
  const resolve = async (path: string, sessionKey: string): Promise<string> => {
    if (path.includes('\0')) throw new PortError('Terminal.Invalid', 'A path cannot contain a NUL character.');
    const expanded = path === '~' || path.startsWith('~/') ? join(home, path.slice(1)) : path;
    return isAbsolute(expanded) ? normalize(expanded) : join(await protocol.cwd(sessionKey), expanded);
  };
  return {
    ...protocol,
    start: async (spec) =>
      protocol.start(spec.cwd === undefined ? spec : { ...spec, cwd: await resolve(spec.cwd, spec.sessionKey) }),
    resolve: (path, { sessionKey }) => resolve(path, sessionKey),
    readFile: async (path, { sessionKey, ...range }) => readLocalFile(await resolve(path, sessionKey), range),
    writeFile: async (path, bytes, { sessionKey }) => writeLocalFile(await resolve(path, sessionKey), bytes),
    download: async (path, { sessionKey }) => openLocalFile(await resolve(path, sessionKey)),
    upload: async (path, source, { sessionKey, signal }) =>
      saveLocalFile(await resolve(path, sessionKey), source, signal),
    listFiles: async (path, { sessionKey }) => listLocalFiles(await resolve(path, sessionKey)),
  };
}

/** With links resolved, as /proc shows paths; null when there is nothing. */
async function existing(path: string): Promise<string | null> {
  try {
    return await realpath(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw fileError(error, path);
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw fileError(error, path);
  }
}

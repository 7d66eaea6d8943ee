import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import type { TerminalSession } from './backend.ts';
import { existing } from './local-check.ts';
import {
  listLocalFiles,
  openLocalFile,
  readLocalFile,
  realLocalPath,
  saveLocalFile,
  writeLocalFile,
} from './local-files.ts';
import { createLocalHost } from './local-host.ts';
import { launcherScript } from './local-sandbox.ts';
import { createLocalTransport } from './local-transport.ts';
import type { LocalBackendOptions } from './local.ts';
import { createShellFiles, type RemoteFiles } from './remote-files.ts';
import { createResidentShell } from './resident-shell.ts';
import type { RunHost } from './run-host.ts';
import { safeName } from './run-layout.ts';
import { createRunProtocol, type RunProtocol } from './run-protocol.ts';
import { runScriptsVersion } from './run-scripts.ts';
import { createTerminalSession } from './terminal-session.ts';

/** One environment of this machine, opened. */
export interface LocalConnection {
  /** The environment's folder, links resolved. */
  readonly root: string;
  readonly protocol: RunProtocol;
  readonly session: TerminalSession;
  /** What runs `script` for `sh` where the commands of the session run. */
  command(sessionKey: string, script: string): [string, ...string[]];
  close(): void;
}

const plainFiles: Omit<RemoteFiles, 'stat'> = {
  read: readLocalFile,
  write: writeLocalFile,
  list: listLocalFiles,
  realPath: realLocalPath,
  download: openLocalFile,
  upload: (path, source, { signal } = {}) => saveLocalFile(path, source, signal),
};

/** Connections by the folder of their environment. */
export interface LocalConnections {
  /** Null: there is no such folder. Throws Config.Invalid, Terminal.Denied. */
  open(folder: string): Promise<LocalConnection | null>;
  letGo(folder: string): Promise<void>;
  letGoAll(): Promise<void>;
}

export function createLocalConnections(options: LocalBackendOptions): LocalConnections {
  const connections = new Map<string, Promise<LocalConnection>>();

  async function letGo(folder: string): Promise<void> {
    const opened = connections.get(folder);
    connections.delete(folder);
    // One that could not be opened holds nothing.
    const connection = await opened?.catch(() => undefined);
    connection?.close();
  }

  return {
    async open(folder) {
      const root = await existing(folder);
      if (root === null) {
        await letGo(folder);
        return null;
      }
      const known = connections.get(folder);
      if (known) return known;
      const opened = connect(root, options);
      connections.set(folder, opened);
      // Tried again at the next use.
      opened.catch(() => connections.delete(folder));
      return opened;
    },
    letGo,
    async letGoAll() {
      await Promise.all([...connections.keys()].map((folder) => letGo(folder)));
    },
  };
}

async function connect(root: string, options: LocalBackendOptions): Promise<LocalConnection> {
  const host = createLocalHost({ root, env: options.baseEnv });
  const sandboxed = options.sandbox === 'bubblewrap';
  const sandbox = sandboxed ? await createSandbox(root, host, options) : null;
  const protocol = createRunProtocol(sandbox?.host ?? host, { defaultCwd: options.cwd, shell: options.shell });
  const files = sandbox?.files ?? plainFiles;
  return {
    root,
    protocol,
    session: createTerminalSession({ protocol, files, home: options.baseEnv['HOME'] ?? '/' }),
    command: (sessionKey, script) => [...(sandbox?.enter(sessionKey) ?? []), '/bin/sh', '-c', script],
    close: () => sandbox?.close(),
  };
}

interface Sandbox {
  /** Supervisors run outside, where others find and end them; what they start runs inside. */
  readonly host: RunHost;
  /** Read and written inside, so that no link and no path leads out. */
  readonly files: RemoteFiles;
  enter(sessionKey: string): [string, ...string[]];
  close(): void;
}

async function createSandbox(root: string, host: RunHost, options: LocalBackendOptions): Promise<Sandbox> {
  const tmp = `${root}/tmp`;
  mkdirSync(tmp, { recursive: true });
  const text = launcherScript({
    writable: [options.cwd, ...(options.writable ?? [])],
    hidden: [options.runsDir, ...(options.hidden ?? [])],
    visible: [`${root}/scripts-${runScriptsVersion}`],
    tmp,
  });
  // By its content: a launcher that runs were started with is never changed under them.
  const launcher = `${root}/launcher-${createHash('sha256').update(text).digest('hex').slice(0, 12)}`;
  await host.createFile(launcher, text);
  const transport = createLocalTransport(['/bin/sh', launcher, '-', '-'], options.baseEnv);
  const shell = createResidentShell({ transport });
  return {
    host: {
      ...host,
      launch: (script, args, logPath) => host.launch(script, [...args, launcher], logPath),
    },
    files: createShellFiles(shell, { transport }),
    enter: (sessionKey) => ['/bin/sh', launcher, `${root}/sessions/${safeName(sessionKey)}`, '-'],
    close: () => shell.close(),
  };
}

import { randomUUID } from 'node:crypto';
import { posix } from 'node:path';
import { PortError } from '../../lib/port-error.ts';
import type { RemoteShell } from '../remote-shell.ts';
import { createShellFiles } from '../remote-files.ts';
import { createRemoteSession, type RemoteSession } from '../remote-session.ts';
import { safeName } from '../run-layout.ts';
import { destinationName } from './destination.ts';
import type { Link } from './link.ts';
import { findPlace, hasRuns, listPlaces, makePlace, removePlace, survey, type Place, type Survey } from './places.ts';

export interface EnvironmentsOptions {
  readonly link: Link;
  /** Absolute or below `~/`. */
  readonly root: string | undefined;
  /** Absolute or below `~/`. */
  readonly cwd: string | undefined;
  readonly installationId: string;
}

/** The environments of this installation on one machine: a folder each, with a shell each while they are used. */
export interface Environments {
  /** Makes it or finds it. Terminal.NotFound where the machine lacks what the run protocol needs. */
  make(environmentId: string): Promise<Place>;
  /** Null where there is none of that identity. */
  find(environmentId: string, identity: string): Promise<Place | null>;
  session(environmentId: string, place: Place): Promise<RemoteSession>;
  /** Ends its runs and removes its folder. Idempotent. */
  remove(environmentId: string, place: Place): Promise<void>;
  /** Forgets old runs, and old environments of ours that are not among `known`. Resolves with how many. */
  sweepUnknown(known: readonly string[], olderThanMs: number): Promise<number>;
  survey(): Promise<Survey>;
  /** Where a session starts. */
  startFolder(environmentId: string): Promise<string>;
  /** Ends its shell. Its files and runs stay. */
  letGo(environmentId: string): void;
  letGoOfAll(): void;
}

interface Entry {
  readonly shell: RemoteShell;
  /** Of the newest identity that was seen. */
  session: { readonly identity: string; readonly session: RemoteSession } | undefined;
}

/** For what concerns no one environment. */
const noName = '';
const defaultRoot = '~/.hermes-runs';

export function createEnvironments({ link, root, cwd, installationId }: EnvironmentsOptions): Environments {
  const { destination } = link;
  const prefix = `hermes-${installationId}-`;
  /** By the name of its folder. */
  const entries = new Map<string, Entry>();
  const layout = createLayout(link, { root, cwd });

  const nameOf = (environmentId: string) => `${prefix}${safeName(environmentId)}`;
  function entryOf(name: string): Entry {
    const entry = entries.get(name) ?? { shell: link.shell(), session: undefined };
    entries.set(name, entry);
    return entry;
  }

  async function sessionIn(name: string, { identity, folder }: Place): Promise<RemoteSession> {
    const entry = entryOf(name);
    if (entry.session?.identity === identity) return entry.session.session;
    const { home, cwd: defaultCwd } = await layout(entry.shell);
    const files = createShellFiles(entry.shell, { transport: link.transport });
    const session = createRemoteSession({ shell: entry.shell, root: folder, home, defaultCwd, files });
    entry.session = { identity, session };
    return session;
  }

  function letGo(name: string): void {
    entries.get(name)?.shell.close();
    entries.delete(name);
    if (entries.size === 0) link.pool.close();
  }

  async function remove(name: string, place: Place): Promise<void> {
    const session = await sessionIn(name, place);
    await session.protocol.killAll();
    const { shell } = entryOf(name);
    const { root: folder } = await layout(shell);
    await removePlace(shell, { destination, root: folder, name, withRoot: root === undefined });
    letGo(name);
  }

  async function sweepUnknown(known: readonly string[], olderThanMs: number): Promise<number> {
    const names = new Set(known.map(nameOf));
    const { shell } = entryOf(noName);
    const { root: folder } = await layout(shell);
    let count = 0;
    for (const { name, ...place } of await listPlaces(shell, { root: folder, prefix, olderThanMs })) {
      if (names.has(name)) continue;
      count += await (await sessionIn(name, place)).protocol.sweep({ olderThanMs });
      if (await hasRuns(shell, place)) continue;
      await remove(name, place);
      count += 1;
    }
    letGo(noName);
    return count;
  }

  return {
    async make(environmentId) {
      const name = nameOf(environmentId);
      const { shell } = entryOf(name);
      const { missing, root: folder, cwd: start } = await layout(shell);
      if (missing.length > 0) throw toolsMissing(destinationName(destination), missing);
      return makePlace(shell, { destination, root: folder, name, identity: randomUUID(), cwd: start });
    },
    async find(environmentId, identity) {
      const name = nameOf(environmentId);
      const { shell } = entryOf(name);
      const { root: folder } = await layout(shell);
      const place = await findPlace(shell, { destination, root: folder, name });
      return place?.identity === identity ? place : null;
    },
    session: (environmentId, place) => sessionIn(nameOf(environmentId), place),
    remove: (environmentId, place) => remove(nameOf(environmentId), place),
    sweepUnknown,
    async survey() {
      try {
        return await survey(entryOf(noName).shell, destination);
      } finally {
        letGo(noName);
      }
    },
    startFolder: async (environmentId) => (await layout(entryOf(nameOf(environmentId)).shell)).cwd,
    letGo: (environmentId) => letGo(nameOf(environmentId)),
    letGoOfAll: () => [...entries.keys(), noName].forEach(letGo),
  };
}

/** Where things are there; asked once, and again while the machine lacks something. */
function createLayout({ destination }: Link, { root, cwd }: Pick<EnvironmentsOptions, 'root' | 'cwd'>) {
  let surveyed: Survey | undefined;
  return async (shell: RemoteShell) => {
    if (!surveyed || surveyed.missing.length > 0) surveyed = await survey(shell, destination);
    const { home, missing } = surveyed;
    return {
      home,
      missing,
      root: absolute(root ?? defaultRoot, home, 'terminal.ssh.root'),
      cwd: absolute(cwd ?? '~', home, 'terminal.cwd'),
    };
  };
}

function absolute(path: string, home: string, setting: string): string {
  const expanded = path === '~' || path.startsWith('~/') ? posix.join(home, path.slice(1)) : path;
  if (expanded.startsWith('/')) return posix.normalize(expanded);
  throw new PortError('Terminal.Invalid', `${setting} must be absolute or begin with ~/, not ${path}.`);
}

function toolsMissing(place: string, missing: readonly string[]): PortError {
  const message = `${place} lacks programs that commands are run with: ${missing.join(', ')}. Install them there (coreutils, grep, procps).`;
  return new PortError('Terminal.NotFound', message, { details: { missing: [...missing] } });
}

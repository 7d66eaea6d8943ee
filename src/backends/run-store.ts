import { PortError } from '../lib/port-error.ts';
import type { RunState } from './backend.ts';
import type { RunHost, RunRecords } from './run-host.ts';
import { parseSpecHeader, safeName, type SpecHeader } from './run-layout.ts';
import { runScripts, runScriptsVersion } from './run-scripts.ts';
import { runStateOf } from './run-state.ts';

interface Observed {
  readonly state: RunState;
  /** Null: no run of that key has been asked for. */
  readonly header: SpecHeader | null;
  readonly records: RunRecords;
}

/** The folders of one host: where things are, what they say, and what can be thrown away. */
export interface RunStore {
  readonly host: RunHost;
  readonly scripts: string;
  runFolder(key: string): string;
  sessionFolder(sessionKey: string): string;
  /** Writes the scripts, once per connection. */
  ready(): Promise<void>;
  /** The session's current directory. */
  cwd(sessionKey: string): Promise<string>;
  observe(key: string, range?: { offset: number; maxBytes: number }): Promise<Observed>;
  /** Everything in the store; folders that no run was ever asked for in are left out. */
  all(): Promise<readonly Observed[]>;
  ofSession(sessionKey: string): Promise<readonly RunState[]>;
  forget(key: string): Promise<void>;
  sweep(options: { olderThanMs: number }): Promise<number>;
}

const noOutput = { offset: 0, maxBytes: 0 };

export function createRunStore(host: RunHost, defaultCwd: string): RunStore {
  const runs = `${host.root}/runs`;
  const scripts = `${host.root}/scripts-${runScriptsVersion}`;
  const runFolder = (key: string) => `${runs}/${safeName(key)}`;
  const sessionFolder = (sessionKey: string) => `${host.root}/sessions/${safeName(sessionKey)}`;
  let written: Promise<void> | undefined;

  async function writeScripts(): Promise<void> {
    await host.makeFolders([scripts]);
    for (const [name, text] of Object.entries(runScripts)) await host.createFile(`${scripts}/${name}`, text);
  }

  async function ready(): Promise<void> {
    written ??= writeScripts();
    try {
      await written;
    } catch (error) {
      // The next start tries again.
      written = undefined;
      throw error;
    }
  }

  async function cwd(sessionKey: string): Promise<string> {
    return (await host.readText(`${sessionFolder(sessionKey)}/cwd`)) ?? defaultCwd;
  }

  async function observeFolder(folder: string, key: string | null, range = noOutput): Promise<Observed> {
    const records = await host.observe(folder, range);
    if (records.spec === null) return { state: runStateOf(key ?? '', records, null), header: null, records };
    const header = parseSpecHeader(records.spec);
    if (key !== null && header.key !== key) {
      throw new PortError('Internal.Invariant', 'A run folder belongs to another key.', { details: { key, folder } });
    }
    const sessionCwd = records.exit === null ? null : await cwd(header.sessionKey);
    return { state: runStateOf(header.key, records, sessionCwd), header, records };
  }

  async function read(folder: string): Promise<readonly Observed[]> {
    const found: Observed[] = [];
    for (const name of await host.listFolder(folder)) {
      const observed = await observeFolder(`${runs}/${name}`, null);
      if (observed.header !== null) found.push(observed);
    }
    return found;
  }

  async function forget(key: string): Promise<void> {
    const { state, header } = await observeFolder(runFolder(key), key);
    if (state.phase === 'running') {
      throw new PortError('Terminal.Invalid', 'A running command cannot be forgotten; end it first.', {
        details: { key },
      });
    }
    // The session's entry goes last: without it nobody would find the folder again.
    await host.remove(runFolder(key));
    if (header) await host.remove(`${sessionFolder(header.sessionKey)}/runs/${safeName(key)}`);
  }

  async function sweep({ olderThanMs }: { olderThanMs: number }): Promise<number> {
    const limit = Date.now() - olderThanMs;
    let count = 0;
    for (const { state, header } of await read(runs)) {
      if (header === null || state.phase === 'running') continue;
      if (Date.parse(state.endedAt ?? header.createdAt) > limit) continue;
      await forget(state.key);
      count += 1;
    }
    return count;
  }

  return {
    host,
    scripts,
    runFolder,
    sessionFolder,
    ready,
    cwd,
    observe: (key, range) => observeFolder(runFolder(key), key, range),
    all: () => read(runs),
    ofSession: async (sessionKey) =>
      (await read(`${sessionFolder(sessionKey)}/runs`))
        .map(({ state }) => state)
        .filter((state) => state.phase !== 'absent')
        .sort((a, b) => (b.startedAt ?? '').localeCompare(a.startedAt ?? '')),
    forget,
    sweep,
  };
}

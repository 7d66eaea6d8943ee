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
  /** What records of that run mean. */
  read(key: string, records: RunRecords): Promise<Observed>;
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
    // A file is there whole or not at all, and its folder is named after the content of all.
    const present = await host.listFolder(scripts);
    for (const [name, text] of Object.entries(runScripts)) {
      if (!present.includes(name)) await host.createFile(`${scripts}/${name}`, text);
    }
  }

  async function ready(): Promise<void> {
    written ??= writeScripts();
    // After a failure the next start tries again.
    return written.catch((error: unknown) => {
      written = undefined;
      throw error;
    });
  }

  async function cwd(sessionKey: string): Promise<string> {
    return (await host.readText(`${sessionFolder(sessionKey)}/cwd`)) ?? defaultCwd;
  }

  async function read(records: RunRecords, folder: string, key: string | null): Promise<Observed> {
    if (records.spec === null) return { state: runStateOf(key ?? '', records, null), header: null, records };
    const header = parseSpecHeader(records.spec);
    if (key !== null && header.key !== key) {
      throw new PortError('Internal.Invariant', 'A run folder belongs to another key.', { details: { key, folder } });
    }
    if (records.exit === null) return { state: runStateOf(header.key, records, null), header, records };
    const known = records.sessionCwd === null ? defaultCwd : records.sessionCwd;
    const sessionCwd = known ?? (await cwd(header.sessionKey));
    return { state: runStateOf(header.key, records, sessionCwd), header, records };
  }

  async function observe(key: string, range = noOutput): Promise<Observed> {
    return read(await host.observe(runFolder(key), range), runFolder(key), key);
  }

  async function all(folder: string): Promise<readonly Observed[]> {
    const folders = (await host.listFolder(folder)).map((name) => `${runs}/${name}`);
    const records = await observeEach(host, folders);
    const found: Observed[] = [];
    for (const [index, record] of records.entries()) {
      const observed = await read(record, folders[index] ?? '', null);
      if (observed.header !== null) found.push(observed);
    }
    return found;
  }

  async function forget(key: string): Promise<void> {
    const { state, header } = await observe(key);
    if (state.phase === 'running') {
      throw new PortError('Terminal.Invalid', 'A running command cannot be forgotten; end it first.', {
        details: { key },
      });
    }
    // The session's entry goes last: without it nobody would find the folder again.
    await host.remove(runFolder(key));
    if (header) await host.remove(`${sessionFolder(header.sessionKey)}/runs/${safeName(key)}`);
  }

  return {
    host,
    scripts,
    runFolder,
    sessionFolder,
    ready,
    cwd,
    observe,
    read: (key, records) => read(records, runFolder(key), key),
    all: () => all(runs),
    ofSession: async (sessionKey) =>
      (await all(`${sessionFolder(sessionKey)}/runs`))
        .filter(({ state }) => state.phase !== 'absent')
        .sort((a, b) => startOf(b).localeCompare(startOf(a)))
        .map(({ state }) => state),
    forget,
    sweep: async ({ olderThanMs }) => {
      const old = (await all(runs)).filter((observed) => isOver(observed, Date.now() - olderThanMs));
      for (const { state } of old) await forget(state.key);
      return old.length;
    },
  };
}

async function observeEach(host: RunHost, folders: readonly string[]): Promise<readonly RunRecords[]> {
  if (host.observeAll) return host.observeAll(folders);
  const records: RunRecords[] = [];
  for (const folder of folders) records.push(await host.observe(folder, noOutput));
  return records;
}

/** Whether a run ended, or was asked for and never began, before that time. */
function isOver({ state, header }: Observed, before: number): boolean {
  return header !== null && state.phase !== 'running' && Date.parse(state.endedAt ?? header.createdAt) <= before;
}

/** Many clocks there tell whole seconds only; then the order in which runs were asked for decides. */
function startOf({ state, header }: Observed): string {
  return `${state.startedAt ?? ''} ${header?.createdAt ?? ''}`;
}

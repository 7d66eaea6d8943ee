import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { homePaths } from '../../config/home.ts';
import type { PartName, PartRecord, PartSpec } from './part.ts';
import { readJson, removeRunFile } from './run-files.ts';

export const serviceRoles = { service: 'all', worker: 'worker', gateway: 'gateway' } as const;

export interface ServicePartOptions {
  readonly name: keyof typeof serviceRoles;
  readonly home: string;
  readonly script: string;
  /** Arguments of node itself, before the script. */
  readonly nodeArgs: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly drainMs: number;
  /** Address of the embedded server, null for one that is not ours. Throws while there is none. */
  readonly temporalAddress: () => string | null;
}

/** Time a service gets beyond its own drain time to close its connections and its database. */
const closeMs = 5_000;

/** A service process as a supervised part. A former one is kept when it is of the same build and the same server. */
export function servicePart(options: ServicePartOptions): PartSpec {
  const { name, home, script, nodeArgs } = options;
  const paths = homePaths(home);
  const args = [...nodeArgs, script, '--role', serviceRoles[name]];
  const facts = (): Record<string, string> => ({
    temporal: options.temporalAddress() ?? '',
    build: buildOf(script),
  });
  const runFiles: Readonly<Record<keyof typeof serviceRoles, readonly string[]>> = {
    service: [paths.run.worker, paths.run.gateway],
    worker: [paths.run.worker],
    gateway: [paths.run.gateway],
  };
  return {
    name: name satisfies PartName,
    logFile: paths.logs[name],
    graceMs: options.drainMs + closeMs,
    launch: () =>
      Promise.resolve({
        program: process.execPath,
        args,
        // One arena for all threads: glibc's default of many holds 40 MB more and is no faster here.
        env: { MALLOC_ARENA_MAX: '1', ...options.env, HERMES_HOME: home },
        facts: facts(),
      }),
    accepts: (record: PartRecord) => {
      const wanted = facts();
      const same = Object.entries(wanted).every(([key, value]) => record.facts[key] === value);
      return Promise.resolve(same && record.args.join('\0') === args.join('\0'));
    },
    // Every file of the role: a worker announces itself before the API listens.
    isReady: (record) =>
      runFiles[name].every((file) => readJson<{ pid?: number }>(file)?.pid === record.pid) &&
      (name === 'worker' || readJson(paths.run.api) !== undefined),
    onUp: () => undefined,
    onDown: (record) => {
      for (const file of runFiles[name]) removeRunFile(file, record.pid);
      // It carries no pid, and only the part that serves the API writes it.
      if (name !== 'worker') removeRunFile(paths.run.api);
    },
  };
}

/** Changes whenever the program or its workflow bundle is built anew. */
function buildOf(script: string): string {
  return [script, join(dirname(script), '..', 'workflow-bundle.js')]
    .map((path) => String(statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0))
    .join('/');
}

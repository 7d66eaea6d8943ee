import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { withFileLock } from '../../config/file-lock.ts';
import { homePaths } from '../../config/home.ts';
import { identityOf, isRunning } from './process-identity.ts';
import { readJson, removeRunFile, writeJson, type SupervisorRecord } from './run-files.ts';

/** The home is supervised by another process that runs. */
export class HomeTaken extends Error {
  readonly pid: number;

  constructor(pid: number) {
    super(`another supervisor runs (pid ${pid})`);
    this.name = 'HomeTaken';
    this.pid = pid;
  }
}

/**
 * Makes this process the only supervisor of a home: writes `run/supervisor.json` unless the one named there still runs.
 * Returns how to give it up. Throws HomeTaken.
 */
export async function claimHome(home: string, version: string): Promise<() => void> {
  const paths = homePaths(home);
  for (const folder of [home, paths.runDir, paths.logsDir]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const own = identityOf(process.pid);
  if (own === undefined) throw new Error('this process cannot be found in the process table');
  await withFileLock(join(paths.runDir, 'supervisor.lock'), () => {
    const holder = readJson<SupervisorRecord>(paths.run.supervisor);
    if (holder !== undefined && isRunning(holder)) throw new HomeTaken(holder.pid);
    writeJson(paths.run.supervisor, {
      ...own,
      startedAt: new Date().toISOString(),
      version,
    } satisfies SupervisorRecord);
  });
  return () => removeRunFile(paths.run.supervisor, process.pid);
}

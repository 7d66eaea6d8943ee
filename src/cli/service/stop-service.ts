import { homePaths } from '../../config/home.ts';
import type { PartRecord } from '../../workers/supervise/part.ts';
import { endProcess, isRunning, signalProcess, waitForEnd } from '../../workers/supervise/process-identity.ts';
import { readJson, removeRunFile } from '../../workers/supervise/run-files.ts';
import { CliError } from '../errors.ts';
import { readServiceState } from './service-state.ts';

export interface StopServiceOptions {
  readonly home: string;
  readonly report: (line: string) => void;
  /** How long to wait for running work to be handed over. */
  readonly limitMs: number;
}

const partGraceMs = 20_000;

/**
 * Stops the service of a home: running work finishes or is handed over, then Temporal ends. Parts whose supervisor died
 * are ended as well. Returns false when nothing ran. Rejects with CliError when it does not end in time.
 */
export async function stopService({ home, report, limitMs }: StopServiceOptions): Promise<boolean> {
  const { supervisor } = readServiceState(home);
  if (supervisor === null) return endLeftovers(home, report);
  signalProcess(supervisor, 'SIGTERM');
  if (!(await waitForEnd(supervisor, 2_000))) report('waiting for running work to finish or to be handed over');
  if (await waitForEnd(supervisor, limitMs)) return true;
  throw new CliError(`the service did not stop within ${Math.round(limitMs / 1_000)} s (pid ${supervisor.pid})`, {
    hint: 'Run `hermes down` again to stop without waiting; what is in progress goes on at the next start.',
  });
}

/** Parts that run without a supervisor, by the records it left. */
export function leftoverParts(home: string): (readonly [string, PartRecord])[] {
  if (readServiceState(home).supervisor !== null) return [];
  const records = readJson<Record<string, PartRecord>>(`${homePaths(home).runDir}/parts.json`) ?? {};
  return Object.entries(records).filter(([, record]) => isRunning(record));
}

/** Ends such parts, the service before Temporal, and removes what a supervisor that died left behind. */
export async function endLeftovers(home: string, report: (line: string) => void): Promise<boolean> {
  const leftovers = leftoverParts(home);
  const last = ([name]: readonly [string, PartRecord]): number => (name === 'temporal' ? 1 : 0);
  for (const [name, record] of leftovers.toSorted((left, right) => last(left) - last(right))) {
    report(`ending ${name} (pid ${record.pid}), which its supervisor left behind`);
    await endProcess(record, partGraceMs);
  }
  const { run, runDir } = homePaths(home);
  for (const file of [...Object.values(run), `${runDir}/parts.json`, `${runDir}/trouble.json`]) removeRunFile(file);
  return leftovers.length > 0;
}

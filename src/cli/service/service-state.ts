import { homePaths } from '../../config/home.ts';
import { isRunning } from '../../workers/supervise/process-identity.ts';
import {
  readJson,
  type SupervisorRecord,
  type TemporalRecord,
  type TroubleRecord,
} from '../../workers/supervise/run-files.ts';

/** What the run files of a home say, without asking anybody. */
export interface ServiceState {
  /** Null when none runs; a record left behind by one that died does not count. */
  readonly supervisor: SupervisorRecord | null;
  readonly temporal: TemporalRecord | null;
  readonly workerPid: number | null;
  readonly gatewayPid: number | null;
  readonly apiUrl: string | null;
  /** Parts that died and have not lived for some seconds since, by name. */
  readonly troubles: Readonly<Record<string, TroubleRecord>>;
}

/** Reads the run files. Never throws for files that are absent or half-written. */
export function readServiceState(home: string): ServiceState {
  const { run, runDir } = homePaths(home);
  const supervisor = readJson<SupervisorRecord>(run.supervisor);
  const alive = supervisor !== undefined && isRunning(supervisor);
  return {
    supervisor: alive ? supervisor : null,
    temporal: readJson<TemporalRecord>(run.temporal) ?? null,
    workerPid: readJson<{ pid: number }>(run.worker)?.pid ?? null,
    gatewayPid: readJson<{ pid: number }>(run.gateway)?.pid ?? null,
    apiUrl: readJson<{ url: string }>(run.api)?.url ?? null,
    troubles: alive ? (readJson<Record<string, TroubleRecord>>(`${runDir}/trouble.json`) ?? {}) : {},
  };
}

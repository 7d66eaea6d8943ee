import { readFileSync, rmSync } from 'node:fs';
import { writeFileAtomic } from '../../config/atomic-file.ts';
import type { ProcessIdentity } from './process-identity.ts';

/** `run/supervisor.json`: who supervises this home. Removed on a clean stop. */
export interface SupervisorRecord extends ProcessIdentity {
  /** ISO time. */
  readonly startedAt: string;
  readonly version: string;
}

/** `run/temporal.json`: the server the service talks to, once it answers. `pid` is null for one that is not ours. */
export interface TemporalRecord {
  readonly address: string;
  readonly uiUrl: string | null;
  readonly pid: number | null;
  readonly namespace: string;
}

/** `run/ports.json`: ports of the embedded server, kept over stops so that its address stays the same. */
export interface PortsRecord {
  readonly port: number;
  readonly uiPort: number;
}

/** One entry of `run/trouble.json`: a part that died and has not lived for some seconds since. */
export interface TroubleRecord {
  /** Deaths in a row. */
  readonly deaths: number;
  readonly reason: string;
  readonly logFile: string;
}

/** The JSON of a file; undefined when it is not there or not whole, because its writer will write it again. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- names the shape its writer gave it
export function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Replaces the file whole, so that a reader never sees half of it. */
export function writeJson(path: string, value: unknown): void {
  writeFileAtomic(path, `${JSON.stringify(value)}\n`, 0o600);
}

/** Removes the file when it names this process (any process when `pid` is absent). Harmless when it is not there. */
export function removeRunFile(path: string, pid?: number): void {
  if (pid !== undefined && readJson<{ pid?: number }>(path)?.pid !== pid) return;
  rmSync(path, { force: true });
}

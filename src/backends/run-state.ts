import type { RunState } from './backend.ts';
import type { RunRecords } from './run-host.ts';

/** What the records of a run mean. `cwd` is the session's directory, given where the run has ended. */
export function runStateOf(key: string, records: RunRecords, cwd: string | null): RunState {
  const nothing: RunState = {
    key,
    phase: 'absent',
    exitCode: null,
    signal: null,
    timedOut: false,
    killed: false,
    startedAt: null,
    endedAt: null,
    outputBytes: 0,
    cwd: null,
  };
  // A spec without a claim has had no effect yet: the next start goes on from there.
  if (records.spec === null || records.claimed === null) return nothing;
  const startedNs = records.claimed.trim().split(' ')[3] ?? '';
  const known = { ...nothing, startedAt: isoTime(startedNs), outputBytes: records.outputBytes, killed: records.killed };
  if (records.exit === null) return { ...known, phase: records.supervisorAlive ? 'running' : 'lost' };
  const [code = '-', signal = '-', timedOut = '0', endedNs = ''] = records.exit.trim().split(' ');
  return {
    ...known,
    phase: 'exited',
    exitCode: code === '-' ? null : Number(code),
    signal: signal === '-' ? null : signal,
    timedOut: timedOut === '1',
    endedAt: isoTime(endedNs),
    cwd,
  };
}

/** The process a claim names; null while there is none or when it is only the mark of a kill before the start. */
export function parseClaim(claimed: string): { pid: number; startTime: string; bootId: string } | null {
  const [pid = '', startTime = '', bootId = ''] = claimed.trim().split(' ');
  return Number(pid) > 1 ? { pid: Number(pid), startTime, bootId } : null;
}

function isoTime(nanoseconds: string): string | null {
  return /^\d{10,}$/.test(nanoseconds) ? new Date(Number(nanoseconds.slice(0, -6))).toISOString() : null;
}

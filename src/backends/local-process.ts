import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { codeOf } from './file-errors.ts';

const run = promisify(execFile);

/** What names a process for ever: see `__h_identify` in run-scripts.ts, which writes what is compared here. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
  readonly bootId: string;
}

/** Whether exactly that process still runs; a number that was given to another process since says no. */
export function isAlive(identity: ProcessIdentity): boolean | Promise<boolean> {
  return process.platform === 'linux' ? isAliveInProc(identity) : isAliveByPs(identity);
}

function isAliveInProc({ pid, startTime, bootId }: ProcessIdentity): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in brackets and may hold anything, brackets too.
    const fields = stat.slice(stat.lastIndexOf(') ') + 2).split(' ');
    return ownBootId() === bootId && fields[19] === startTime && fields[0] !== 'Z' && fields[0] !== 'X';
  } catch (error) {
    // ESRCH: it ended between opening and reading.
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return false;
    throw error;
  }
}

let knownBootId: string | undefined;
function ownBootId(): string {
  return (knownBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
}

async function isAliveByPs({ pid, startTime }: ProcessIdentity): Promise<boolean> {
  try {
    const { stdout } = await run('ps', ['-o', 'lstart=,stat=', '-p', String(pid)], { env: { LC_ALL: 'C' } });
    const words = stdout.trim().split(/\s+/);
    return words.slice(0, 5).join('_') === startTime && words[5]?.startsWith('Z') === false;
  } catch (error) {
    // ps ends with 1 when there is no such process.
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 1) return false;
    throw error;
  }
}

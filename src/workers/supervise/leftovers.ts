import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { identityOf, type ProcessIdentity } from './process-identity.ts';

/**
 * Embedded servers that run on this database file, by their command lines: two on one file would damage it. Only a
 * server of ours names the file of this home, so nobody else's process can be meant.
 */
export function serversOfDatabase(dbFile: string): ProcessIdentity[] {
  return commandLines()
    .filter(({ args }) => args.includes('start-dev') && args.includes(dbFile))
    .map(({ pid }) => identityOf(pid))
    .filter((identity) => identity !== undefined);
}

interface CommandLine {
  readonly pid: number;
  readonly args: readonly string[];
}

function commandLines(): CommandLine[] {
  return process.platform === 'linux' ? linuxCommandLines() : psCommandLines();
}

function linuxCommandLines(): CommandLine[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        return [{ pid: Number(name), args: readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0') }];
      } catch {
        // It ended while we looked, or belongs to another user and is none of ours.
        return [];
      }
    });
}

function psCommandLines(): CommandLine[] {
  const output = execFileSync('ps', ['-axww', '-o', 'pid=,command='], { encoding: 'utf8', maxBuffer: 20_000_000 });
  return output.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(.*)$/.exec(line);
    return match === null ? [] : [{ pid: Number(match[1]), args: (match[2] ?? '').split(' ') }];
  });
}

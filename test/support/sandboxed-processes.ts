import { readdirSync, readFileSync } from 'node:fs';

/**
 * Which processes of bubblewrap sandboxes that hold `mark` in their mounts are alive, of those that know themselves by
 * `pids`. Looks from outside, where every process is seen.
 */
export function livingInSandboxes(mark: string, pids: readonly string[]): string[] {
  const inside = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => ownId(name, mark));
  return pids.filter((pid) => inside.includes(pid));
}

function ownId(pid: string, mark: string): string[] {
  try {
    if (!readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(mark)) return [];
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    if (/^State:\s+[ZX]/m.test(status)) return [];
    const ids = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split('\t') ?? [];
    return ids.length > 1 ? ids.slice(-1) : [];
  } catch {
    // It ended while it was looked at.
    return [];
  }
}

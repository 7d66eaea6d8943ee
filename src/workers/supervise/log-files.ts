import { copyFileSync, existsSync, mkdirSync, openSync, renameSync, statSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';

const limitBytes = 10_000_000;
const keptFiles = 3;

/** Opens a log to append to; the number is for a child's output. Logs may quote people, so only the owner reads them. */
export function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  return openSync(path, 'a', 0o600);
}

/**
 * Keeps a log below 10 MB: its content moves to `<log>.1`, older ones to `.2` and `.3`. The file itself is emptied, not
 * renamed, because running processes hold it open and must go on writing when the supervisor is gone.
 */
export function rotateLog(path: string, limit = limitBytes): boolean {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size < limit) return false;
  for (let index = keptFiles - 1; index >= 1; index -= 1) {
    if (existsSync(`${path}.${index}`)) renameSync(`${path}.${index}`, `${path}.${index + 1}`);
  }
  copyFileSync(path, `${path}.1`);
  truncateSync(path, 0);
  return true;
}

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
  fchmodSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

/**
 * Replaces a file's content so that a reader, and a machine that loses power, sees the old content or the new one and
 * nothing between. A link is followed, so that a file kept elsewhere stays there.
 *
 * @param mode Mode the file gets; without it an existing file keeps its own and a new one gets 0600.
 */
export function writeFileAtomic(path: string, content: string, mode?: number): void {
  const target = resolveLink(path);
  const existing = statSync(target, { throwIfNoEntry: false });
  const wanted = mode ?? (existing === undefined ? 0o600 : existing.mode & 0o777);
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = openSync(temporary, 'wx', wanted);
    try {
      // The umask may have taken bits from what was asked for.
      if (process.platform !== 'win32') fchmodSync(file, wanted);
      const bytes = Buffer.from(content, 'utf8');
      for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(dirname(target));
}

/** Removes what writers left that were killed between two steps. Only while no other writer can be at work. */
export function removeLeftovers(path: string): void {
  const target = resolveLink(path);
  const stem = `${basename(target)}.`;
  for (const name of readdirSync(dirname(target))) {
    const rest = name.startsWith(stem) ? name.slice(stem.length) : '';
    if (/^[0-9a-f]{12}\.tmp$/.test(rest)) rmSync(join(dirname(target), name), { force: true });
  }
}

function resolveLink(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return path;
    throw error;
  }
}

/** The rename itself is on the disk only when the folder is. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

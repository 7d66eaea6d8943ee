import { randomBytes } from 'node:crypto';
import { linkSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** The holder writes a few small files; longer than this it is not at work any more, whatever its pid says. */
const heldAtMostMs = 30_000;
const retryEveryMs = 15;

/** Thrown when others held the lock for all of the time given. */
export class LockTimeout extends Error {
  override readonly name = 'LockTimeout';
}

/**
 * Runs `work` while no other process does so under the same path. The lock of a process that died is taken over.
 *
 * @param work Gets `assertHeld`, which throws if the lock was taken over meanwhile; call it before each write.
 * @throws LockTimeout after `timeoutMs`.
 */
export async function withFileLock<T>(
  path: string,
  work: (assertHeld: () => void) => T | Promise<T>,
  timeoutMs = 10_000,
): Promise<T> {
  const token = await acquire(path, performance.now() + timeoutMs);
  const assertHeld = (): void => {
    if (read(path)?.token !== token) throw new LockTimeout(`${path} was taken over by another process`);
  };
  try {
    removeOrphans(path);
    return await work(assertHeld);
  } finally {
    if (read(path)?.token === token) rmSync(path, { force: true });
  }
}

async function acquire(path: string, deadline: number): Promise<string> {
  const token = randomBytes(8).toString('hex');
  const own = `${path}.${token}.new`;
  writeFileSync(own, `${process.pid} ${token}`, { mode: 0o600 });
  try {
    for (;;) {
      if (tryLink(own, path)) return token;
      const holder = read(path);
      if (holder !== null && isOver(holder)) await takeAway(path, holder, deadline);
      else if (performance.now() >= deadline) {
        const by = holder?.pid == null ? 'another process' : `process ${holder.pid}`;
        throw new LockTimeout(`${by} is changing the configuration (${path})`);
      } else await delay(retryEveryMs);
    }
  } finally {
    rmSync(own, { force: true });
  }
}

/** What processes left that were killed while they waited for the lock. */
function removeOrphans(path: string): void {
  const stem = `${basename(path)}.`;
  for (const name of readdirSync(dirname(path))) {
    if (!name.startsWith(stem) || !name.endsWith('.new')) continue;
    const orphan = join(dirname(path), name);
    const holder = read(orphan);
    if (holder !== null && isOver(holder)) rmSync(orphan, { force: true });
  }
}

/** Linking makes the lock and its content in one step, and fails when there is one. */
function tryLink(own: string, path: string): boolean {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Removes a dead process's lock, itself under a lock named after that one, so that of several who see it dead only one
 * acts, and none can remove the lock of whoever comes next.
 */
async function takeAway(path: string, holder: Holder, deadline: number): Promise<void> {
  const breaker = `${path}.${holder.token}`;
  const token = await acquire(breaker, deadline);
  try {
    if (read(path)?.token === holder.token) rmSync(path, { force: true });
  } finally {
    if (read(breaker)?.token === token) rmSync(breaker, { force: true });
  }
}

interface Holder {
  readonly pid: number | null;
  readonly token: string;
  readonly ageMs: number;
}

function read(path: string): Holder | null {
  try {
    const ageMs = Date.now() - statSync(path).mtimeMs;
    // Cut short by a full disk or a power cut: nobody's, and over when it is old.
    const nobody = { pid: null, token: 'unreadable', ageMs };
    const [, pid, token] = /^(\d+) ([0-9a-f]+)$/.exec(readFileSync(path, 'utf8')) ?? [];
    return pid === undefined || token === undefined ? nobody : { pid: Number(pid), token, ageMs };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function isOver({ pid, ageMs }: Holder): boolean {
  if (ageMs > heldAtMostMs) return true;
  if (pid === null) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    // EPERM: it lives and belongs to someone else.
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

// One set-up at a time, however many commands find that something is missing.
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, utimesSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const refreshMs = 2_000;
/** A holder renews its lock every two seconds; one this old belongs to a process that is gone. */
const staleMs = 15_000;

/** Runs `work` while no other process does under the same path. `onWait` is told once when another one holds it. */
export async function withLock(path, onWait, work) {
  const release = await acquire(path, onWait);
  try {
    return await work();
  } finally {
    release();
  }
}

async function acquire(path, onWait) {
  mkdirSync(dirname(path), { recursive: true });
  const token = `${process.pid} ${randomBytes(8).toString('hex')}`;
  const own = `${path}.${process.pid}`;
  writeFileSync(own, token);
  try {
    let told = false;
    while (!tryLink(own, path)) {
      const holder = read(path);
      if (holder !== null && isGone(holder)) takeAway(path, holder);
      else {
        if (!told && holder !== null) onWait(holder.pid);
        told = true;
        await sleep(100);
      }
    }
  } finally {
    rmSync(own, { force: true });
  }
  const refresh = setInterval(() => {
    if (read(path)?.token === token) utimesSync(path, new Date(), new Date());
  }, refreshMs).unref();
  return () => {
    clearInterval(refresh);
    if (read(path)?.token === token) rmSync(path, { force: true });
  };
}

/** Makes the lock and its content in one step; false when there is one. */
function tryLink(own, path) {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function read(path) {
  try {
    const token = readFileSync(path, 'utf8');
    return { token, pid: Number(token.split(' ')[0]), ageMs: Date.now() - statSync(path).mtimeMs };
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

function isGone({ pid, ageMs }) {
  if (ageMs > staleMs) return true;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

/**
 * Moves the lock of a process that is gone out of the way. Of several who try, one moves it; should that one have moved
 * the lock of whoever came next, it is put back.
 */
function takeAway(path, holder) {
  const aside = `${path}.gone.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  if (readFileSync(aside, 'utf8') !== holder.token) tryLink(aside, path);
  rmSync(aside, { force: true });
}

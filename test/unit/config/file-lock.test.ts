import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { LockTimeout, withFileLock } from '../../../src/config/file-lock.ts';
import { tempHome } from './temp-home.ts';

/** The pid of a process that has ended. */
function deadPid(): number {
  return spawnSync(process.execPath, ['-e', '']).pid;
}

describe('the lock', () => {
  it('lets one in at a time, in this process too', async () => {
    const path = join(tempHome().home, 'x.lock');
    let inside = 0;
    const most: number[] = [];
    const work = async (): Promise<void> => {
      most.push((inside += 1));
      await delay(2);
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 20 }, () => withFileLock(path, work)));
    expect(most).toEqual(Array.from({ length: 20 }, () => 1));
  });

  it('is let go when the work fails, and nothing stays', async () => {
    const { home } = tempHome();
    const path = join(home, 'x.lock');
    await expect(withFileLock(path, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(readdirSync(home)).toEqual([]);
  });

  it('of a process that died is taken over, by one of many', async () => {
    const { home } = tempHome();
    const path = join(home, 'x.lock');
    writeFileSync(path, `${deadPid()} 00aa`);
    let inside = 0;
    const work = async (): Promise<void> => {
      expect((inside += 1)).toBe(1);
      await delay(2);
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 10 }, () => withFileLock(path, work)));
    expect(readdirSync(home)).toEqual([]);
  });

  it('of a process that died while taking over is taken over as well', async () => {
    const { home } = tempHome();
    const path = join(home, 'x.lock');
    writeFileSync(path, `${deadPid()} 00aa`);
    writeFileSync(`${path}.00aa`, `${deadPid()} 00bb`);
    expect(await withFileLock(path, () => 'in')).toBe('in');
    expect(readdirSync(home)).toEqual([]);
  });

  it('that is cut short is waited for, and taken over when it is old', async () => {
    const { home } = tempHome();
    const path = join(home, 'x.lock');
    writeFileSync(path, '');
    await expect(withFileLock(path, () => 'in', 50)).rejects.toBeInstanceOf(LockTimeout);
    const old = new Date(Date.now() - 60_000);
    utimesSync(path, old, old);
    expect(await withFileLock(path, () => 'in')).toBe('in');
    expect(readdirSync(home)).toEqual([]);
  });

  it('clears away what others left that died while waiting', async () => {
    const { home } = tempHome();
    writeFileSync(join(home, 'x.lock.00dd.new'), `${deadPid()} 00dd`);
    writeFileSync(join(home, 'x.lock.00ee.new'), `${process.pid} 00ee`);
    await withFileLock(join(home, 'x.lock'), () => 'in');
    expect(readdirSync(home)).toEqual(['x.lock.00ee.new']);
  });

  it('of a live process keeps others out until they give up', async () => {
    const path = join(tempHome().home, 'x.lock');
    writeFileSync(path, `${process.pid} 00cc`);
    await expect(withFileLock(path, () => 'in', 50)).rejects.toBeInstanceOf(LockTimeout);
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid} 00cc`);
  });

  it('that is older than any write is not believed, and who held it is told before writing', async () => {
    const path = join(tempHome().home, 'x.lock');
    await withFileLock(path, async (assertHeld) => {
      assertHeld();
      const old = new Date(Date.now() - 60_000);
      utimesSync(path, old, old);
      expect(await withFileLock(path, () => 'in')).toBe('in');
      expect(assertHeld).toThrow(LockTimeout);
    });
    expect(existsSync(path)).toBe(false);
  });
});

import { spawn } from 'node:child_process';
import { appendFileSync, closeSync, existsSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BackOff, healthyAfterMs } from '../../../src/workers/supervise/back-off.ts';
import { HangWatch } from '../../../src/workers/supervise/hang-watch.ts';
import { openLog, rotateLog } from '../../../src/workers/supervise/log-files.ts';
import type { Part } from '../../../src/workers/supervise/part.ts';
import {
  endProcess,
  identityOf,
  isRunning,
  signalProcess,
  waitForEnd,
} from '../../../src/workers/supervise/process-identity.ts';
import { readJson, removeRunFile, writeJson } from '../../../src/workers/supervise/run-files.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hermes-supervise-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('BackOff', () => {
  it('starts at once, then waits twice as long each time, up to half a minute', () => {
    const backOff = new BackOff();
    const pauses = Array.from({ length: 11 }, () => backOff.next(0));
    expect(pauses.slice(0, 4)).toEqual([100, 200, 400, 800]);
    expect(pauses.at(-1)).toBe(30_000);
  });

  it('begins anew after a healthy life, and only then', () => {
    const backOff = new BackOff();
    backOff.next(0);
    backOff.next(healthyAfterMs - 1);
    expect(backOff.deaths).toBe(2);
    expect(backOff.next(healthyAfterMs)).toBe(100);
    expect(backOff.deaths).toBe(1);
  });

  it('waits longest at once when only a person can help', () => {
    const backOff = new BackOff();
    expect(backOff.nextWhenVain()).toBe(30_000);
    expect(backOff.next(0)).toBe(30_000);
  });
});

describe('a process identity', () => {
  it('names one process until that ends', async () => {
    const child = spawn('sleep', ['60']);
    const identity = identityOf(child.pid ?? 0);
    if (identity === undefined) throw new Error('the process is not found');
    expect(isRunning(identity)).toBe(true);
    expect(signalProcess(identity, 'SIGKILL')).toBe(true);
    expect(await waitForEnd(identity, 5_000)).toBe(true);
    expect(signalProcess(identity, 'SIGKILL')).toBe(false);
  });

  it('does not match another start under the same number', async () => {
    const child = spawn('sleep', ['60']);
    const foreign = { pid: child.pid ?? 0, startedBy: 'another boot/1' };
    expect(isRunning(foreign)).toBe(false);
    await endProcess(foreign, 1_000);
    expect(identityOf(child.pid ?? 0)).not.toBe(undefined);
    child.kill('SIGKILL');
  });

  it('is absent for numbers that are none', () => {
    expect([0, -1, 1.5, 4_194_999].map((pid) => identityOf(pid))).toEqual(Array(4).fill(undefined));
  });

  it('ends a process that ignores the first signal', async () => {
    const child = spawn('sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.05; done']);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const identity = identityOf(child.pid ?? 0);
    if (identity === undefined) throw new Error('the process is not found');
    await endProcess(identity, 200);
    expect(isRunning(identity)).toBe(false);
  });
});

describe('rotateLog', () => {
  it('moves what there is aside and leaves the file to those who hold it open', () => {
    const path = join(folder, 'part.log');
    const writer = openLog(path);
    for (let round = 1; round <= 5; round += 1) {
      writeSync(writer, `round ${round}\n`);
      expect(rotateLog(path, 5)).toBe(true);
    }
    writeSync(writer, 'now\n');
    closeSync(writer);
    expect(readFileSync(path, 'utf8')).toBe('now\n');
    expect([1, 2, 3].map((index) => readFileSync(`${path}.${index}`, 'utf8'))).toEqual([
      'round 5\n',
      'round 4\n',
      'round 3\n',
    ]);
    expect(existsSync(`${path}.4`)).toBe(false);
  });

  it('leaves small and absent files alone', () => {
    const path = join(folder, 'small.log');
    expect(rotateLog(path, 5)).toBe(false);
    appendFileSync(path, 'abc');
    expect(rotateLog(path, 5)).toBe(false);
  });
});

describe('run files', () => {
  it('are removed by their own process only', () => {
    const path = join(folder, 'part.json');
    writeJson(path, { pid: 7 });
    removeRunFile(path, 8);
    expect(readJson(path)).toEqual({ pid: 7 });
    removeRunFile(path, 7);
    expect(readJson(path)).toBe(undefined);
  });

  it('count as absent while they are not whole', () => {
    const path = join(folder, 'half.json');
    writeFileSync(path, '{"pid":');
    expect(readJson(path)).toBe(undefined);
  });
});

describe('HangWatch', () => {
  const watched = (answers: (boolean | null)[], limitMs: number) => {
    const restarts: string[] = [];
    const part = {
      current: { pid: 1 },
      restart: (reason: string) => {
        restarts.push(reason);
        return Promise.resolve();
      },
    } as unknown as Part;
    const watch = new HangWatch(part, () => Promise.resolve(answers.shift() ?? null), limitMs);
    return { watch, restarts };
  };

  it('restarts a part that has been silent for the whole limit', async () => {
    const { watch, restarts } = watched([false, false], 0);
    await watch.look();
    expect(restarts).toHaveLength(1);
  });

  it('gives a part that answers in between the whole limit again', async () => {
    const { watch, restarts } = watched([false, true, false], 60_000);
    for (let look = 0; look < 3; look += 1) await watch.look();
    expect(restarts).toEqual([]);
  });

  it('does not judge a part that has not announced itself', async () => {
    const { watch, restarts } = watched([null, null], 0);
    await watch.look();
    await watch.look();
    expect(restarts).toEqual([]);
  });
});

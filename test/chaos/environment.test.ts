import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EnvironmentHandle } from '../../src/backends/backend.ts';
import type { EnvironmentRef } from '../../src/gateway/environment-client.ts';
import { EnvironmentEnv } from '../support/environment-env.ts';
import { until } from '../support/installation.ts';
import { createScriptedBackend, type HeldPoint } from '../support/scripted-backend.ts';
import { startTestTemporal, type TestTemporal } from '../support/temporal-server.ts';

/**
 * SIGKILL of the worker at each moment of each change. Another worker must bring it to its end by itself: one
 * environment, its files, and no snapshot lost on the way.
 */

let temporal: TestTemporal;
let env: EnvironmentEnv;
let ref: EnvironmentRef;

beforeAll(async () => {
  temporal = await startTestTemporal();
});
afterAll(async () => {
  await temporal.stop();
});
beforeEach(async () => {
  env = await EnvironmentEnv.create(temporal);
  ref = env.fresh();
});
afterEach(async () => {
  await env.close();
});

const keptFile = (): string => join(env.place.work(ref.environmentId), 'kept');
const keepSomething = (): void => writeFileSync(keptFile(), 'precious');

/** Starts `work`, kills the worker when it has come to `point`, and lets another one finish it. */
async function killAt<T>(point: HeldPoint, work: () => Promise<T>): Promise<T> {
  env.place.hold(point);
  const first = await env.spawnWorker();
  const working = work();
  // Whatever becomes of it is looked at below; until then it must not count as unhandled.
  working.catch(() => undefined);
  await until(`the worker is at ${point}`, () => env.place.isReached(point));
  await first.kill();
  env.place.letGo(point);
  await env.spawnWorker();
  return working;
}

/** Brings the environment into being with a worker that is gone again afterwards. */
async function before(what: () => Promise<void>): Promise<void> {
  const worker = await env.spawnWorker();
  await env.acquire(ref);
  keepSomething();
  await env.environments.release(ref.environmentId, 'turn/talk/1');
  await what();
  await worker.kill();
}

async function storedSnapshot(): Promise<string | undefined> {
  return (await env.store.environments.get(ref.environmentId))?.handle?.state['snapshot'];
}

describe('a worker killed while an environment is made', () => {
  it.each(['create:before', 'create:made', 'create:committed'] as const)('at %s leaves one', async (point) => {
    const lease = await killAt(point, () => env.acquire(ref));
    expect(lease.handle.environmentId).toBe(ref.environmentId);
    expect(env.place.environments()).toEqual([ref.environmentId]);
    expect(env.place.count(`made ${ref.environmentId}`)).toBe(1);
  });
});

describe('a worker killed while an environment is woken', () => {
  it.each(['wake:before', 'wake:copied', 'wake:done'] as const)('at %s leaves one, with its files', async (point) => {
    await before(async () => {
      await env.environments.change(ref, { what: 'hibernate' });
    });
    await killAt(point, () => env.acquire(ref));
    expect(readFileSync(keptFile(), 'utf8')).toBe('precious');
    expect(env.place.environments()).toEqual([ref.environmentId]);
    expect(env.place.count(`woken ${ref.environmentId}`)).toBe(1);
    expect(env.place.snapshots()).toEqual([await storedSnapshot()]);
  });
});

describe('a worker killed while an environment is put to sleep', () => {
  it.each(['hibernate:before', 'hibernate:snapshot', 'hibernate:committed', 'hibernate:done'] as const)(
    'at %s leaves one good snapshot, and lets go of the rest',
    async (point) => {
      await before(() => Promise.resolve());
      await killAt(point, () => env.environments.change(ref, { what: 'hibernate' }));
      const snapshot = await storedSnapshot();
      expect(env.place.environments()).toEqual([]);
      expect(env.place.snapshots()).toEqual([snapshot]);
      expect(readFileSync(join(env.place.snapshotWork(snapshot ?? ''), 'kept'), 'utf8')).toBe('precious');
      await env.acquire(ref);
      expect(readFileSync(keptFile(), 'utf8')).toBe('precious');
    },
  );

  it('never wakes to less than was there, whoever asks meanwhile', async () => {
    await before(() => Promise.resolve());
    const asked: Promise<unknown>[] = [];
    await killAt('hibernate:committed', async () => {
      const slept = env.environments.change(ref, { what: 'hibernate' });
      await until('the change', () => env.place.isReached('hibernate:committed'));
      asked.push(env.acquire(ref, 'turn/late/1'));
      await slept;
    });
    await Promise.all(asked);
    expect(readFileSync(keptFile(), 'utf8')).toBe('precious');
    expect(env.place.environments()).toEqual([ref.environmentId]);
  });
});

it('two workers and many holders wake one environment once', async () => {
  await before(async () => {
    await env.environments.change(ref, { what: 'hibernate' });
  });
  await Promise.all([env.spawnWorker(), env.spawnWorker()]);
  const holders = Array.from({ length: 8 }, (_, index) => `turn/c-${String(index)}/1`);
  const leases = await Promise.all(holders.map((holder) => env.acquire(ref, holder)));
  expect(new Set(leases.map((lease) => lease.generation))).toEqual(new Set([2]));
  expect(env.place.count(`woken ${ref.environmentId}`)).toBe(1);
  expect(env.place.environments()).toEqual([ref.environmentId]);
});

it('an attempt that everybody has given up can undo nothing when it comes back', async () => {
  await before(() => Promise.resolve());
  const stalled = createScriptedBackend(env.place);
  const change = { ...ref, phase: 'hibernating' as const };
  const late = await env.store.environments.begin(change);
  if (late.row.handle === null) throw new Error('it was made');
  env.place.hold('hibernate:snapshot');
  const commit = (next: EnvironmentHandle) => env.store.environments.commit(ref.environmentId, late.fence, next);
  const lost = stalled.hibernate(late.row.handle, { commit }).then(
    () => 'went on',
    (error: unknown) => (error as { code?: string }).code,
  );
  await until('the stalled attempt has its snapshot', () => env.place.isReached('hibernate:snapshot'));
  const good = await env.store.environments.begin(change);
  expect(good.fence).toBeGreaterThan(late.fence);
  env.place.letGo('hibernate:snapshot');
  expect(await lost).toBe('Storage.Conflict');
  // It has let go of nothing, so whatever comes next finds everything.
  expect(env.place.isAwake(ref.environmentId)).toBe(true);
  await env.spawnWorker();
  await env.environments.change(ref, { what: 'hibernate', force: true });
  expect(env.place.snapshots()).toContain(await storedSnapshot());
  await env.acquire(ref);
  expect(readFileSync(keptFile(), 'utf8')).toBe('precious');
});

it('a command outlives three generations of workers, and its environment stays awake for it', async () => {
  env.settings = { ...env.settings, idleMs: 300 };
  const { environmentId, backend } = ref;
  await env.store.conversations.create({ id: 'talk', personId: 'anna', platform: 'cli' });
  await env.store.terminalUses.begin({ conversationId: 'talk', turn: 1, environmentId, backend });
  let worker = await env.spawnWorker();
  const { handle } = await env.acquire(ref, 'turn/talk/1', 500);
  const session = await createScriptedBackend(env.place).connect(handle);
  const command = 'echo begun >> log; until test -f stop; do sleep 0.1; done; echo ended >> log';
  await session.start({ key: 'talk/1/1/0', command, sessionKey: 'talk' });
  for (let generation = 2; generation <= 3; generation += 1) {
    await worker.kill();
    worker = await env.spawnWorker();
    const again = await createScriptedBackend(env.place).connect((await env.acquire(ref, 'turn/talk/1', 500)).handle);
    // Started again under its key, as a retried call does: it attaches.
    expect((await again.start({ key: 'talk/1/1/0', command, sessionKey: 'talk' })).phase).toBe('running');
  }
  writeFileSync(join(env.place.work(environmentId), 'stop'), '');
  await until('its end', async () => {
    const { state } = await session.poll('talk/1/1/0', { offset: 0, maxBytes: 1_000, waitMs: 200 });
    return state.phase === 'exited';
  });
  expect(readFileSync(join(env.place.work(environmentId), 'log'), 'utf8')).toBe('begun\nended\n');
  await until('sleep', () => !existsSync(env.place.work(environmentId)));
  expect(env.place.count(`made ${environmentId}`)).toBe(1);
});

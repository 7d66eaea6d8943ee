import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Store } from '../../../src/store/ports.ts';
import { openTalk, openTempStore, toolStep } from './support/open-temp-store.ts';

const environmentId = 'anna.docker';
const owner = { environmentId, personId: 'anna', backend: 'docker' };
const handleOf = (state: Readonly<Record<string, string>>) => ({ environmentId, backend: 'docker', state });

async function made(store: Store): Promise<void> {
  const { fence } = await store.environments.begin({ ...owner, phase: 'starting' });
  await store.environments.commit(environmentId, fence, handleOf({ id: 'one' }));
  await store.environments.settle(environmentId, fence, { phase: 'awake', note: 'made in 1 s', tookMs: 1_000.4 });
}

describe('an environment in the store', () => {
  it('keeps its handle, phase and log, and counts generations', async () => {
    const { environments } = await openTempStore();
    expect(await environments.get(environmentId)).toBeNull();
    const store = { environments } as Store;
    await made(store);
    expect(await environments.get(environmentId)).toMatchObject({
      ...owner,
      phase: 'awake',
      generation: 1,
      lastWakeMs: 1_000,
      handle: handleOf({ id: 'one' }),
      failure: null,
      log: [expect.stringMatching(/^\d{4}-.*Z made in 1 s$/) as string],
    });
    expect(await environments.list({ personId: 'anna' })).toHaveLength(1);
    expect(await environments.list({ personId: 'bert' })).toEqual([]);
  });

  it('counts the time it slept once', async () => {
    const { environments } = await openTempStore();
    await made({ environments } as Store);
    const sleeping = await environments.begin({ ...owner, phase: 'hibernating' });
    await environments.settle(environmentId, sleeping.fence, { phase: 'hibernated', note: 'put to sleep' });
    await sleep(30);
    const waking = await environments.begin({ ...owner, phase: 'waking' });
    const once = await environments.settle(environmentId, waking.fence, { phase: 'awake', note: 'woken' });
    const twice = await environments.settle(environmentId, waking.fence, { phase: 'awake', note: 'woken' });
    expect(once.sleptMs).toBeGreaterThanOrEqual(29);
    expect(once.sleepingSince).toBeNull();
    expect(twice.sleptMs).toBe(once.sleptMs);
  });

  it('refuses what a change writes that another one has followed', async () => {
    const { environments } = await openTempStore();
    await made({ environments } as Store);
    const stale = await environments.begin({ ...owner, phase: 'hibernating' });
    const fresh = await environments.begin({ ...owner, phase: 'hibernating' });
    await environments.commit(environmentId, fresh.fence, handleOf({ snapshot: 'new' }));
    await expect(environments.commit(environmentId, stale.fence, handleOf({ snapshot: 'old' }))).rejects.toMatchObject({
      code: 'Storage.Conflict',
      retryable: false,
    });
    const row = await environments.settle(environmentId, stale.fence, { phase: 'failed', note: 'late' });
    expect(row).toMatchObject({ phase: 'hibernating', handle: handleOf({ snapshot: 'new' }) });
  });

  it('keeps the failure until a change goes well, and twenty lines', async () => {
    const { environments } = await openTempStore();
    await made({ environments } as Store);
    const failure = { code: 'Terminal.BackendUnavailable', message: 'no daemon' };
    const bad = await environments.begin({ ...owner, phase: 'waking' });
    const failed = await environments.settle(environmentId, bad.fence, { phase: 'failed', failure, note: 'failed' });
    expect(failed).toMatchObject({ phase: 'failed', failure, generation: 1, handle: handleOf({ id: 'one' }) });
    const good = await environments.begin({ ...owner, phase: 'waking' });
    const row = await environments.settle(environmentId, good.fence, { phase: 'awake', note: 'woken' });
    expect(row).toMatchObject({ failure: null, generation: 2 });
    for (let line = 1; line <= 25; line += 1) await environments.note(environmentId, `line ${String(line)}`);
    const log = (await environments.get(environmentId))?.log ?? [];
    expect(log).toHaveLength(20);
    expect(log[0]).toMatch(/line 25$/);
    await expect(environments.note('nobody.docker', 'x')).resolves.toBeUndefined();
  });
});

describe('where a conversation works', () => {
  it('is the same for a whole turn, and names where it came from', async () => {
    const { store } = await openTalk();
    const use = (turn: number, backend: string) =>
      store.terminalUses.begin({ conversationId: 'talk', turn, environmentId: `anna.${backend}`, backend });
    expect(await use(1, 'local')).toEqual({ environmentId: 'anna.local', backend: 'local', movedFrom: null });
    expect(await use(1, 'docker')).toEqual({ environmentId: 'anna.local', backend: 'local', movedFrom: null });
    const moved = { environmentId: 'anna.docker', backend: 'docker', movedFrom: 'local' };
    expect(await use(2, 'docker')).toEqual(moved);
    expect(await use(2, 'local')).toEqual(moved);
    expect(await use(3, 'docker')).toEqual({ ...moved, movedFrom: null });
    expect(await use(4, 'local')).toEqual({ environmentId: 'anna.local', backend: 'local', movedFrom: 'docker' });
    const since = '2000-01-01T00:00:00.000Z';
    expect(await store.terminalUses.conversationsOf('anna.docker', since, 10)).toEqual(['talk']);
    expect(await store.terminalUses.conversationsOf('anna.docker', '2999-01-01T00:00:00.000Z', 10)).toEqual([]);
  });
});

it('takes the start of a call back that has to wait for a person', async () => {
  const { store, say, answer } = await openTalk();
  await say(1, 'go');
  await answer(1, 1, toolStep('talk', 1, 1, [0], 'once'));
  expect((await store.toolCalls.start('talk/1/1/0')).state).toBe('planned');
  await store.toolCalls.postpone('talk/1/1/0');
  expect(await store.toolCalls.start('talk/1/1/0')).toMatchObject({ state: 'planned', attempts: 0, startedAt: null });
});

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createScriptedBackend } from '../support/scripted-backend.ts';
import { EnvironmentEnv } from '../support/environment-env.ts';
import { until } from '../support/installation.ts';
import { startTestTemporal, type TestTemporal } from '../support/temporal-server.ts';

let temporal: TestTemporal;
let env: EnvironmentEnv;

beforeAll(async () => {
  temporal = await startTestTemporal();
});
afterAll(async () => {
  await temporal.stop();
});
beforeEach(async () => {
  env = await EnvironmentEnv.create(temporal);
});
afterEach(async () => {
  await env.close();
});

describe.each([
  ['with a warm cache', undefined],
  ['replaying at every task', 0],
] as const)('an environment %s', (_, cache) => {
  const options = cache === undefined ? {} : { maxCachedWorkflows: cache };

  it('is made for the first holder, shared by the next and put to sleep when nobody is left', async () => {
    env.settings = { ...env.settings, idleMs: 300 };
    await env.startWorker(options);
    const ref = env.fresh();
    const { environmentId } = ref;
    const [first, second] = await Promise.all([env.acquire(ref, 'turn/a/1'), env.acquire(ref, 'turn/b/1')]);
    expect(first.generation).toBe(1);
    expect(second.handle).toEqual(first.handle);
    writeFileSync(join(env.place.work(environmentId), 'kept'), 'yes');
    expect((await env.environments.snapshot(environmentId))?.leases.map((one) => one.holder).sort()).toEqual([
      'turn/a/1',
      'turn/b/1',
    ]);
    await env.environments.release(environmentId, 'turn/a/1');
    await env.environments.release(environmentId, 'turn/b/1');
    await until('sleep', async () => (await env.phase(ref)) === 'hibernated');
    expect(env.place.environments()).toEqual([]);
    const again = await env.acquire(ref);
    expect(again.generation).toBe(2);
    expect(existsSync(join(env.place.work(environmentId), 'kept'))).toBe(true);
    expect(env.place.count(`made ${environmentId}`)).toBe(1);
  });

  it('is woken for a holder that comes while it falls asleep', async () => {
    env.settings = { ...env.settings, idleMs: 200 };
    await env.startWorker(options);
    const ref = env.fresh();
    env.place.hold('hibernate:snapshot');
    await env.acquire(ref, 'turn/a/1', 100);
    await until('the snapshot', () => env.place.isReached('hibernate:snapshot'));
    const late = env.acquire(ref, 'turn/a/2');
    await until('the question', async () => (await env.phase(ref)) === 'hibernating');
    env.place.letGo('hibernate:snapshot');
    const { generation } = await late;
    expect(generation).toBe(2);
    expect(env.place.isAwake(ref.environmentId)).toBe(true);
    expect(env.place.count(`slept ${ref.environmentId}`)).toBe(1);
  });

  it('completes when it has slept for long, and goes on from the store', async () => {
    env.settings = { ...env.settings, idleMs: 200 };
    await env.startWorker(options);
    const ref = env.fresh();
    await env.acquire(ref, 'turn/a/1', 50);
    await until('completion', async () => !(await env.isRunning(ref)));
    expect(await env.environments.snapshot(ref.environmentId)).toMatchObject({ phase: 'hibernated', generation: 1 });
    const again = await env.acquire(ref);
    expect(again.generation).toBe(2);
    expect((await env.store.environments.get(ref.environmentId))?.sleptMs).toBeGreaterThan(0);
  });

  it('continues as new with its leases', async () => {
    env.settings = { ...env.settings, continueAsNewAfterEvents: 12 };
    await env.startWorker(options);
    const ref = env.fresh();
    await env.acquire(ref, 'turn/a/1');
    const { runId } = await env.handle(ref).describe();
    for (let round = 0; round < 4; round += 1) await env.acquire(ref, 'turn/b/1');
    await until('a new run', async () => (await env.handle(ref).describe()).runId !== runId);
    const snapshot = await env.environments.snapshot(ref.environmentId);
    expect(snapshot?.leases.map((one) => one.holder).sort()).toEqual(['turn/a/1', 'turn/b/1']);
    expect((await env.acquire(ref)).generation).toBe(1);
    expect(env.place.count(`made ${ref.environmentId}`)).toBe(1);
  });
});

it('stays awake while a background command runs in it', async () => {
  env.settings = { ...env.settings, idleMs: 250 };
  await env.startWorker();
  const ref = env.fresh();
  const { environmentId, backend } = ref;
  await env.store.conversations.create({ id: 'talk', personId: 'anna', platform: 'cli' });
  await env.store.terminalUses.begin({ conversationId: 'talk', turn: 1, environmentId, backend });
  const { handle } = await env.acquire(ref, 'turn/talk/1', 100);
  const session = await createScriptedBackend(env.place).connect(handle);
  await session.start({ key: 'talk/1/1/0', command: 'while test ! -f stop; do sleep 0.1; done', sessionKey: 'talk' });
  await until('two looks', async () => {
    const history = await env.handle(ref).fetchHistory();
    return (
      (history.events ?? []).filter(
        (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'inspectEnvironment',
      ).length >= 2
    );
  });
  expect(await env.phase(ref)).toBe('awake');
  writeFileSync(join(env.place.work(environmentId), 'stop'), '');
  await until('sleep', async () => (await env.phase(ref)) === 'hibernated');
});

describe('a wake that fails', () => {
  it('is tried again, and works in the end', async () => {
    await env.startWorker();
    const ref = env.fresh();
    env.place.fail('create', 'Terminal.BackendUnavailable', 2);
    expect((await env.acquire(ref)).generation).toBe(1);
    expect(env.place.count('failed create')).toBe(2);
  });

  it('is given up after its tries and told to whoever asks; the next one has it tried again', async () => {
    await env.startWorker();
    const ref = env.fresh();
    env.place.fail('create', 'Terminal.BackendUnavailable', 3);
    await expect(env.acquire(ref)).rejects.toMatchObject({ code: 'Terminal.BackendUnavailable', retryable: false });
    expect(await env.environments.snapshot(ref.environmentId)).toMatchObject({
      phase: 'failed',
      failure: { code: 'Terminal.BackendUnavailable', message: 'create was told to fail' },
    });
    expect((await env.acquire(ref)).generation).toBe(1);
  });

  it('is not tried again when that cannot help, and brings the details of what a person must decide', async () => {
    await env.startWorker();
    const ref = env.fresh();
    env.place.fail('create', 'Terminal.NeedsDecision', 5, { ask: 'trust-host-key', host: 'there' });
    await expect(env.acquire(ref)).rejects.toMatchObject({
      code: 'Terminal.NeedsDecision',
      details: { ask: 'trust-host-key', host: 'there', generation: 0 },
    });
    expect(env.place.count('failed create')).toBe(1);
  });

  it('ends with a loss when the environment is gone, and a reset makes it anew, once', async () => {
    await env.startWorker();
    const ref = env.fresh();
    const { environmentId } = ref;
    const { generation } = await env.acquire(ref);
    env.place.removeLive(environmentId);
    await expect(
      env.environments.acquire(ref, { holder: 'turn/talk/1', leaseMs: 1_000, unreachableGeneration: generation }),
    ).rejects.toMatchObject({ code: 'Terminal.SessionLost', details: { generation } });
    const reset = { what: 'reset', ifGeneration: generation } as const;
    expect(await env.environments.change(ref, reset)).toMatchObject({ phase: 'awake', generation: 2 });
    expect(await env.environments.change(ref, reset)).toMatchObject({ phase: 'awake', generation: 2 });
    expect(env.place.count(`made ${environmentId}`)).toBe(2);
  });
});

describe('what a person asks for', () => {
  it('wakes it, puts it to sleep and says why not', async () => {
    await env.startWorker();
    const ref = env.fresh();
    expect(await env.environments.change(ref, { what: 'wake' })).toMatchObject({ phase: 'awake' });
    await env.acquire(ref, 'turn/a/1');
    await expect(env.environments.change(ref, { what: 'hibernate' })).rejects.toMatchObject({
      code: 'Terminal.Denied',
      message: 'It is in use by turn/a/1.',
    });
    await env.environments.release(ref.environmentId, 'turn/a/1');
    expect(await env.environments.change(ref, { what: 'hibernate' })).toMatchObject({ phase: 'hibernated' });
    expect(await env.environments.change(ref, { what: 'hibernate' })).toMatchObject({ phase: 'hibernated' });
    expect(await env.environments.change(ref, { what: 'reset' })).toMatchObject({ phase: 'awake', generation: 2 });
  });
});

it('stays usable when it cannot be put to sleep, and keeps its old snapshot', async () => {
  await env.startWorker();
  const ref = env.fresh();
  await env.environments.change(ref, { what: 'wake' });
  env.place.fail('hibernate', 'Terminal.Full', 1);
  await expect(env.environments.change(ref, { what: 'hibernate' })).rejects.toMatchObject({ code: 'Terminal.Full' });
  expect(await env.environments.snapshot(ref.environmentId)).toMatchObject({
    phase: 'awake',
    failure: { code: 'Terminal.Full' },
  });
  expect((await env.acquire(ref)).handle.environmentId).toBe(ref.environmentId);
  expect(env.place.isAwake(ref.environmentId)).toBe(true);
});

it('serves more holders at once than the server takes updates', async () => {
  await env.startWorker();
  const ref = env.fresh();
  const holders = Array.from({ length: 30 }, (_, index) => `turn/c-${String(index)}/1`);
  const leases = await Promise.all(holders.map((holder) => env.acquire(ref, holder)));
  expect(new Set(leases.map((lease) => lease.generation))).toEqual(new Set([1]));
  expect((await env.environments.snapshot(ref.environmentId))?.leases).toHaveLength(30);
});

it('goes on from the store when its workflow is gone, and sleeps although nobody asks', async () => {
  env.settings = { ...env.settings, idleMs: 60_000 };
  await env.startWorker();
  const ref = env.fresh();
  await env.acquire(ref);
  await env.handle(ref).terminate('as if the file of the server were lost');
  expect(await env.environments.snapshot(ref.environmentId)).toMatchObject({ phase: 'awake', generation: 1 });
  env.settings = { ...env.settings, idleMs: 200 };
  expect(await env.environments.recover()).toBe(1);
  await until('sleep', async () => (await env.phase(ref)) === 'hibernated');
  expect(env.place.environments()).toEqual([]);
  expect((await env.acquire(ref)).generation).toBe(2);
});

it('shows itself to whoever looks at the workflow', async () => {
  await env.startWorker();
  const ref = env.fresh();
  await env.acquire(ref, 'turn/talk/1');
  const handle = env.handle(ref);
  const metadata = await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
  expect(metadata.currentDetails).toContain(`### ${ref.environmentId}`);
  expect(metadata.currentDetails).toContain('**awake** on scripted');
  expect(metadata.currentDetails).toContain('turn/talk/1');
  const history = await handle.fetchHistory();
  const summaries = (history.events ?? []).map((event) =>
    Buffer.from(event.userMetadata?.summary?.data ?? '').toString(),
  );
  expect(summaries).toContain(`"create scripted ${ref.environmentId.slice(0, -'.scripted'.length)}"`);
  await until('the state', async () =>
    JSON.stringify((await handle.describe()).typedSearchAttributes).includes('"awake"'),
  );
});

it('refuses requests that make no sense', async () => {
  await env.startWorker();
  const ref = env.fresh();
  await expect(env.acquire(ref, '', 1_000)).rejects.toMatchObject({ code: 'Internal.Invariant' });
  await expect(env.acquire(ref, 'x', -1)).rejects.toMatchObject({ code: 'Internal.Invariant' });
});

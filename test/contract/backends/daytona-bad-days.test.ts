import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Backend, EnvironmentHandle, TerminalSession } from '../../../src/backends/backend.ts';
import { createDaytonaBackend } from '../../../src/backends/daytona/daytona.ts';
import type { DaytonaBackendOptions } from '../../../src/backends/daytona/options.ts';
import type { SandboxRecord } from '../../support/daytona/sandboxes.ts';
import { missingForDaytona, startDaytonaServer, type DaytonaServer } from '../../support/daytona/server.ts';
import { readToEnd } from './harness.ts';

const main = { sessionKey: 'main' };

describe.skipIf(missingForDaytona() !== null)('daytona on bad days', () => {
  let server: DaytonaServer;
  let backend: Backend;
  const open = (options: Partial<DaytonaBackendOptions> = {}) =>
    createDaytonaBackend({ installationId: 'abcdefabcdef', apiKey: 'test-key', apiUrl: server.apiUrl, ...options });

  beforeAll(async () => {
    server = await startDaytonaServer();
    backend = open();
  });
  afterEach(() => {
    server.faults.clear();
  });
  afterAll(() => server.close());

  const sandboxOf = (handle: EnvironmentHandle): SandboxRecord =>
    server.sandboxes.find(handle.state['sandboxId'] ?? '');
  async function begin(): Promise<{ handle: EnvironmentHandle; session: TerminalSession }> {
    const handle = await backend.create(`bad-day-${randomUUID()}`);
    return { handle, session: await backend.connect(handle) };
  }
  const run = async (session: TerminalSession, command: string) => {
    const key = randomUUID();
    await session.start({ key, command, ...main });
    return readToEnd(session, key);
  };

  it('a key that expires in mid-conversation is said to have, and another one goes on with the same command', async () => {
    server.keys.add('short-lived');
    const before = open({ apiKey: 'short-lived' });
    const handle = await before.create('expiring');
    const session = await before.connect(handle);
    await session.start({ key: 'long', command: 'sleep 2; echo done', ...main });
    server.keys.delete('short-lived');
    const refused = session.poll('long', { offset: 0, maxBytes: 100, waitMs: 0 });
    await expect(refused).rejects.toMatchObject({ code: 'Terminal.Authentication', retryable: false });
    await expect(refused).rejects.toThrow(/terminal\.daytona\.apiKey/);
    await expect(refused).rejects.not.toThrow(/short-lived/);
    await expect(before.connect(handle)).rejects.toMatchObject({ code: 'Terminal.Authentication' });
    await expect(before.resume(handle)).rejects.toMatchObject({ code: 'Terminal.Authentication' });
    expect((await readToEnd(await backend.connect(handle), 'long')).text).toBe('done\n');
  });

  it('a Daytona that is gone for five seconds leaves the command alone', async () => {
    const { handle, session } = await begin();
    const spec = { key: randomUUID(), command: 'echo x >>effects; sleep 3; echo done', ...main };
    await session.start(spec);
    const polling = session.poll(spec.key, { offset: 0, maxBytes: 100, waitMs: 10_000 });
    polling.catch(() => undefined);
    await sleep(300);
    await server.away();
    await expect(polling).rejects.toMatchObject({ retryable: true });
    const unreachable = { code: 'Terminal.BackendUnavailable', retryable: true };
    await expect(backend.connect(handle)).rejects.toMatchObject(unreachable);
    await expect(session.start(spec)).rejects.toMatchObject(unreachable);
    await expect(backend.describe(handle)).rejects.toThrow(/terminal\.daytona\.apiUrl/);
    await sleep(2_000);
    await server.back();
    await session.start(spec);
    expect((await readToEnd(session, spec.key)).text).toBe('done\n');
    expect((await session.readFile('effects', main)).bytes.toString()).toBe('x\n');
  });

  it('a call too many is told when to come back', async () => {
    const { handle, session } = await begin();
    server.faults.add({ on: /execute/, kind: 'status', status: 429, headers: { 'retry-after': '7' } });
    const slowed = { code: 'Terminal.BackendUnavailable', retryable: true, retryAfterMs: 7000 };
    await expect(session.cwd('main')).rejects.toMatchObject(slowed);
    server.faults.add({ on: /GET \/api\/sandbox/, kind: 'status', status: 429, headers: { 'retry-after': '7' } });
    await expect(backend.connect(handle)).rejects.toMatchObject(slowed);
    expect((await run(session, 'echo on')).text).toBe('on\n');
  });

  it('a gateway that answers in place of Daytona makes a failure that may be tried again', async () => {
    const { handle, session } = await begin();
    server.faults.add({ on: /GET \/api\/sandbox/, kind: 'status', status: 502 });
    await expect(backend.connect(handle)).rejects.toMatchObject({
      code: 'Terminal.BackendUnavailable',
      retryable: true,
    });
    server.faults.add({ on: /execute/, kind: 'status', status: 503, times: 10 });
    const spec = { key: randomUUID(), command: 'echo x >>effects', ...main };
    await expect(session.start(spec)).rejects.toMatchObject({ code: 'Terminal.OutcomeUnknown', retryable: true });
    server.faults.clear();
    await session.start(spec);
    await readToEnd(session, spec.key);
    expect((await session.readFile('effects', main)).bytes.toString()).toBe('x\n');
  });

  it('an answer that is lost does not make a command run twice', async () => {
    const { session } = await begin();
    for (let at = 0; at < 3; at++) {
      const spec = { key: randomUUID(), command: `echo ${at} >>effects`, ...main };
      // Twice in a row, so that asking once more does not help.
      server.faults.add({ on: /execute/, kind: 'lose-answer', times: 2 });
      await session.start(spec).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'Terminal.OutcomeUnknown', retryable: true });
      });
      server.faults.clear();
      await session.start(spec);
      expect((await readToEnd(session, spec.key)).state.exitCode).toBe(0);
    }
    expect((await session.readFile('effects', main)).bytes.toString()).toBe('0\n1\n2\n');
  });

  it('a creation whose answer is lost is found, not made again', async () => {
    const name = `lost-answer-${randomUUID()}`;
    server.faults.add({ on: /POST \/api\/sandbox$/, kind: 'lose-answer' });
    const handle = await backend.create(name);
    expect((await backend.create(name)).state).toEqual(handle.state);
    expect(server.sandboxes.all().filter((one) => one.labels['hermes.environment'] === name)).toHaveLength(1);
  });

  it('an answer that never comes is given up', async () => {
    const { session } = await begin();
    server.faults.add({ on: /execute/, kind: 'hang', times: 4 });
    const asked = session.start({ key: randomUUID(), command: 'echo never', ...main });
    await expect(asked).rejects.toMatchObject({ code: 'Terminal.OutcomeUnknown' });
  }, 180_000);

  it('a sandbox removed by hand is gone, and a new one is made only when asked for', async () => {
    const { handle, session } = await begin();
    await server.sandboxes.vanish(sandboxOf(handle));
    const gone = { code: 'Terminal.SessionLost', retryable: false };
    await expect(session.start({ key: 'any', command: 'true', ...main })).rejects.toMatchObject(gone);
    await expect(backend.connect(handle)).rejects.toMatchObject(gone);
    await expect(backend.resume(handle)).rejects.toMatchObject(gone);
    expect((await backend.describe(handle)).state).toBe('absent');
    await backend.destroy(handle);
    const again = await backend.create(handle.environmentId);
    expect(again.state['sandboxId']).not.toBe(handle.state['sandboxId']);
    expect((await run(await backend.connect(again), 'echo new')).text).toBe('new\n');
  });

  it('one that Daytona stopped by itself is asleep, and wakes with its files', async () => {
    const { handle, session } = await begin();
    await run(session, 'echo kept >kept');
    const key = randomUUID();
    await session.start({ key, command: 'sleep 60', ...main });
    server.sandboxes.change(sandboxOf(handle), 'stop');
    const asleep = { code: 'Terminal.Asleep', retryable: true };
    await expect(backend.connect(handle)).rejects.toMatchObject(asleep);
    while (sandboxOf(handle).state !== 'stopped') await sleep(20);
    await expect(session.poll(key, { offset: 0, maxBytes: 1, waitMs: 0 })).rejects.toMatchObject(asleep);
    expect((await backend.describe(handle)).state).toBe('hibernated');
    const awake = await backend.connect(await backend.resume(handle));
    expect((await awake.readFile('kept', main)).bytes.toString()).toBe('kept\n');
    expect((await awake.poll(key, { offset: 0, maxBytes: 1, waitMs: 0 })).state.phase).toBe('lost');
  });

  it('an archived one comes back with its files, and says what takes so long', async () => {
    const { handle, session } = await begin();
    await run(session, 'echo kept >kept');
    await backend.hibernate(handle);
    server.sandboxes.change(sandboxOf(handle), 'archive');
    while (sandboxOf(handle).state !== 'archived') await sleep(20);
    expect(await backend.describe(handle)).toMatchObject({ state: 'hibernated' });
    await backend.hibernate(handle);
    const heard: string[] = [];
    await backend.resume(handle, { progress: (line) => heard.push(line) });
    expect(heard.join('\n')).toContain('archive');
    const awake = await backend.connect(handle);
    expect((await awake.readFile('kept', main)).bytes.toString()).toBe('kept\n');
  });

  it('one that is just being archived is woken', async () => {
    const { handle } = await begin();
    await backend.hibernate(handle);
    server.sandboxes.delays.archive = 500;
    server.sandboxes.change(sandboxOf(handle), 'archive');
    await backend.resume(handle);
    expect((await backend.describe(handle)).state).toBe('awake');
    server.sandboxes.delays.archive = 20;
    // What was being archived does not come over it later.
    await sleep(600);
    expect((await backend.describe(handle)).state).toBe('awake');
  });

  it('clients that create, wake and stop at the same moment end with one sandbox in one state', async () => {
    const others = [backend, open(), open()];
    for (let round = 0; round < 5; round++) {
      const name = `race-${randomUUID()}`;
      const handles = await Promise.all(others.map((one) => one.create(name)));
      expect(new Set(handles.map(({ state }) => state['sandboxId'])).size).toBe(1);
      expect(server.sandboxes.all().filter((one) => one.labels['hermes.environment'] === name)).toHaveLength(1);
      const [handle] = handles as [EnvironmentHandle];
      await Promise.all(others.map((one) => one.hibernate(handle)));
      expect((await backend.describe(handle)).state).toBe('hibernated');
      await Promise.all(others.map((one) => one.resume(handle)));
      expect((await backend.describe(handle)).state).toBe('awake');
      await Promise.all(others.map((one) => one.destroy(handle)));
      expect((await backend.describe(handle)).state).toBe('absent');
    }
  });

  it("the organization's limits are named as such, at creation and at waking", async () => {
    const { handle } = await begin();
    await backend.hibernate(handle);
    server.sandboxes.limit = 0;
    const full = { code: 'Terminal.Full', retryable: false };
    await expect(backend.create('one-too-many')).rejects.toMatchObject(full);
    await expect(backend.resume(handle)).rejects.toMatchObject(full);
    server.sandboxes.limit = 1000;
    await backend.resume(handle);
  });

  it('a failed one is recovered where Daytona can, else a person has to decide', async () => {
    const { handle } = await begin();
    const sandbox = sandboxOf(handle);
    Object.assign(sandbox, { state: 'error', errorReason: 'the disk was full', recoverable: true });
    await expect(backend.connect(handle)).rejects.toMatchObject({ code: 'Terminal.Asleep' });
    await backend.resume(handle);
    expect((await backend.describe(handle)).state).toBe('awake');
    Object.assign(sandbox, { state: 'error', errorReason: 'the runner burnt down', recoverable: false });
    const description = await backend.describe(handle);
    expect(description.state).toBe('failed');
    expect(description.detail).toContain('the runner burnt down');
    const decide = { code: 'Terminal.NeedsDecision', details: { ask: 'recreate-environment' } };
    await expect(backend.resume(handle)).rejects.toMatchObject(decide);
    // Its files are not given up by making it "again".
    await expect(backend.create(handle.environmentId)).rejects.toMatchObject(decide);
    await backend.destroy(handle);
    await backend.create(handle.environmentId);
  });

  it('a commit that is refused leaves it awake', async () => {
    const { handle, session } = await begin();
    const refused = backend.hibernate(handle, { commit: () => Promise.reject(new Error('the store is down')) });
    await expect(refused).rejects.toThrow('the store is down');
    expect((await run(session, 'echo on')).text).toBe('on\n');
  });

  it('a wake that is no longer wanted ends at once', async () => {
    const { handle } = await begin();
    await backend.hibernate(handle);
    server.sandboxes.delays.start = 3_000;
    const began = Date.now();
    const wake = backend.resume(handle, { signal: AbortSignal.timeout(200) });
    await expect(wake).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(Date.now() - began).toBeLessThan(2_500);
    server.sandboxes.delays.start = 20;
    await backend.resume(handle);
  });
});

import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { TerminalCall } from '../../src/activities/deps.ts';
import type { TerminalSession } from '../../src/backends/backend.ts';
import { homePaths } from '../../src/config/home.ts';
import { createConfigSource } from '../../src/config/source.ts';
import { PortError } from '../../src/lib/port-error.ts';
import { createBackends } from '../../src/workers/compose/backends.ts';
import { createTerminals, type Terminals } from '../../src/workers/compose/terminal.ts';
import { EnvironmentEnv } from '../support/environment-env.ts';
import { until } from '../support/installation.ts';
import { createScriptedBackend } from '../support/scripted-backend.ts';
import { startTestTemporal, type TestTemporal } from '../support/temporal-server.ts';

let temporal: TestTemporal;
let env: EnvironmentEnv;
let terminals: Terminals;
let personId: string;
let environmentId: string;

beforeAll(async () => {
  temporal = await startTestTemporal();
});
afterAll(async () => {
  await temporal.stop();
});
beforeEach(async () => {
  env = await EnvironmentEnv.create(temporal);
  await env.startWorker();
  personId = `p-${randomUUID().slice(0, 8)}`;
  // `docker` by name; what stands behind it are folders.
  environmentId = `${personId}.docker`;
  await env.store.conversations.create({ id: 'talk', personId, platform: 'cli' });
  terminals = openTerminals();
});
afterEach(async () => {
  terminals.close();
  await env.close();
});

const configFile = (): string => join(env.folder, 'home', 'config.yaml');
const useBackend = (id: string): void => {
  mkdirSync(join(env.folder, 'home'), { recursive: true });
  writeFileSync(configFile(), `terminal:\n  backend: ${id}\n`);
};

/** As in a worker, with a scripted backend behind `docker`; others are the real ones. */
function openTerminals(): Terminals {
  useBackend('docker');
  const home = join(env.folder, 'home');
  const paths = homePaths(home);
  const processEnv = { PATH: process.env['PATH'], HOME: env.folder };
  const source = createConfigSource({ home, env: processEnv, onProblems: () => undefined });
  const core = { env: processEnv, paths, source, log: pino({ level: 'silent' }) };
  const real = createBackends(core);
  const backends = createBackends(core, {
    open: (id) => (id === 'docker' ? Promise.resolve(createScriptedBackend(env.place, 'docker')) : real.of(id)),
    fingerprint: (id) => id,
  });
  return createTerminals({ core, store: env.store, backends, environments: env.environments });
}

const callOf = (turn: number, index = 0): TerminalCall => ({
  conversationId: 'talk',
  personId,
  turn,
  callKey: `talk/${String(turn)}/1/${String(index)}`,
});

async function run(session: TerminalSession, command: string): Promise<string> {
  const key = `talk/${randomUUID()}`;
  await session.start({ key, command, sessionKey: 'talk' });
  for (;;) {
    const { state, bytes } = await session.poll(key, { offset: 0, maxBytes: 10_000, waitMs: 1_000 });
    if (state.phase === 'exited') return bytes.toString('utf8');
    if (state.phase !== 'running') throw new Error(`the run is ${state.phase}`);
  }
}

const leases = async (): Promise<readonly string[]> =>
  ((await env.environments.snapshot(environmentId))?.leases ?? []).map((one) => one.holder);

it('a turn works under one lease, which ends with the turn', async () => {
  const [first, second] = await Promise.all([terminals.open(callOf(1, 0)), terminals.open(callOf(1, 1))]);
  expect(await run(first.session, 'echo one > file; cat file')).toBe('one\n');
  expect(await run(second.session, 'cat file')).toBe('one\n');
  expect(await leases()).toEqual(['turn/talk/1']);
  terminals.leave(callOf(1, 0));
  terminals.leave(callOf(1, 1));
  terminals.endTurn({ conversationId: 'talk', turn: 1 });
  await until('the lease is given back', async () => (await leases()).length === 0);
  expect(env.place.count(`made ${environmentId}`)).toBe(1);
});

it('an environment that was stopped behind our back is woken at the next call', async () => {
  const { session } = await terminals.open(callOf(1));
  await run(session, 'echo one > file');
  terminals.endTurn({ conversationId: 'talk', turn: 1 });
  await env.environments.change({ environmentId, backend: 'docker', personId }, { what: 'hibernate', force: true });
  await env.environments.change({ environmentId, backend: 'docker', personId }, { what: 'wake' });
  expect((await terminals.open(callOf(2, 0))).notice).toBeUndefined();
  env.place.removeLive(environmentId);
  const again = await terminals.open(callOf(2, 1));
  expect(await run(again.session, 'cat file')).toBe('one\n');
});

it('an environment that is gone is made anew only when a person says so, and once for all who asked', async () => {
  await terminals.open(callOf(1));
  env.place.removeLive(environmentId);
  const failures: unknown[] = await Promise.all(
    [1, 2].map((index) => terminals.open(callOf(1, index)).catch((error: unknown) => error)),
  );
  for (const failure of failures) {
    expect(PortError.is(failure) && failure.code).toBe('Terminal.NeedsDecision');
    expect(failure).toMatchObject({
      details: { ask: 'recreate-environment', environmentId, backend: 'docker', generation: 1 },
    });
  }
  expect(env.place.isAwake(environmentId)).toBe(false);
  const details = PortError.is(failures[0]) ? failures[0].details : {};
  await Promise.all([
    terminals.resolveQuestion(callOf(1, 1), details),
    terminals.resolveQuestion(callOf(1, 2), details),
  ]);
  expect(await run((await terminals.open(callOf(1, 3))).session, 'echo new')).toBe('new\n');
  expect(env.place.count(`made ${environmentId}`)).toBe(2);
});

it('a failure that a person must mend is told with what to do', async () => {
  env.place.fail('create', 'Terminal.Authentication', 1);
  await expect(terminals.open(callOf(1))).rejects.toMatchObject({
    code: 'Terminal.Authentication',
    retryable: false,
    message: expect.stringContaining('hermes backend status') as string,
  });
});

it('a turn stays where it began; the next one moves and says so once', async () => {
  expect((await terminals.open(callOf(1, 0))).notice).toBeUndefined();
  useBackend('local');
  // The file is looked at again after a moment.
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  await run((await terminals.open(callOf(1, 1))).session, 'touch here');
  expect(existsSync(join(env.place.work(environmentId), 'here'))).toBe(true);
  const moved = await terminals.open(callOf(2, 0));
  expect(moved.notice).toContain('Commands now run on local, not on docker as before');
  expect((await terminals.open(callOf(2, 1))).notice).toBeUndefined();
  expect((await terminals.open(callOf(2, 0))).notice).toBe(moved.notice);
  expect((await terminals.open(callOf(3, 0))).notice).toBeUndefined();
});

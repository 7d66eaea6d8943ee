import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { homeTakenExitCode } from '../../src/workers/supervise/exit-codes.ts';
import type { PartRecord } from '../../src/workers/supervise/part.ts';
import type { Plan } from '../../src/workers/supervise/plan.ts';
import { identityOf, isRunning, signalProcess } from '../../src/workers/supervise/process-identity.ts';
import { readJson, type TemporalRecord } from '../../src/workers/supervise/run-files.ts';
import { isServing } from '../../src/workers/temporal/grpc-health.ts';
import { freePort } from '../../src/workers/temporal/ports.ts';
import { testTemporalBinary } from '../support/temporal-server.ts';

let home: string;
let ports: { port: number; uiPort: number };
const supervisors: ChildProcess[] = [];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'hermes-supervisor-'));
  mkdirSync(join(home, 'run'));
  ports = { port: await freePort(), uiPort: await freePort() };
});
afterEach(async () => {
  for (const child of supervisors.splice(0)) await kill(child);
  for (const record of Object.values(parts())) if (record !== undefined) signalProcess(record, 'SIGKILL');
  await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

const embedded = async (): Promise<Plan> => ({
  temporal: { kind: 'embedded', binary: await testTemporalBinary(), namespace: 'default', ...ports },
  split: false,
  drainMs: 5_000,
});
/** Most facts about supervision need no server. */
const external: Plan = {
  temporal: { kind: 'external', address: 'temporal.example:7233', namespace: 'mine' },
  split: false,
  drainMs: 5_000,
};

function supervise(plan: Plan): ChildProcess {
  const script = join(import.meta.dirname, '..', 'support', 'fixture-supervisor.ts');
  const log = openSync(join(home, 'supervisor-output.txt'), 'a');
  const child = spawn(process.execPath, ['--import', 'tsx', script], {
    env: { ...process.env, HERMES_HOME: home, HERMES_TEST_PLAN: JSON.stringify(plan) },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  supervisors.push(child);
  return child;
}

// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- names the shape its writer gave it
const run = <T>(name: string): T | undefined => readJson<T>(join(home, 'run', `${name}.json`));
const parts = (): Partial<Record<string, PartRecord>> => run('parts') ?? {};
const pidOf = (name: string): number | undefined => run<{ pid: number }>(name)?.pid;
const notes = (): string[] => {
  const path = join(home, 'service-notes.txt');
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
};
const output = (): string => readFileSync(join(home, 'supervisor-output.txt'), 'utf8');
const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode);
    else child.once('exit', resolve);
  });
async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await ended(child);
}
const eventually = { timeout: 20_000, interval: 20 };
const serviceIsUp = () =>
  expect.poll(() => run('api') !== undefined && run('worker') !== undefined, eventually).toBe(true);
const temporalIsUp = () => expect.poll(() => run('temporal') !== undefined, eventually).toBe(true);

describe('the supervisor with an embedded server', () => {
  it('starts both on the wanted ports and removes every run file on a clean stop', async () => {
    const supervisor = supervise(await embedded());
    await Promise.all([serviceIsUp(), temporalIsUp()]);
    const temporal = run<TemporalRecord>('temporal');
    expect(temporal).toMatchObject({
      address: `127.0.0.1:${ports.port}`,
      uiUrl: `http://127.0.0.1:${ports.uiPort}`,
      pid: parts()['temporal']?.pid,
    });
    expect(notes()).toEqual(['all started']);
    const pids = Object.values(parts()).map((record) => record?.pid ?? 0);

    supervisor.kill('SIGTERM');
    expect(await ended(supervisor)).toBe(0);
    expect(notes().slice(1)).toEqual(['all drains', 'all drained']);
    expect(pids.map((pid) => identityOf(pid))).toEqual([undefined, undefined]);
    for (const name of ['supervisor', 'temporal', 'worker', 'gateway', 'api', 'parts'])
      expect(run(name)).toBe(undefined);
    expect(output().indexOf('service stopped')).toBeLessThan(output().indexOf('temporal stopped'));
  });

  it('starts a killed server again on the same address', async () => {
    supervise(await embedded());
    await Promise.all([serviceIsUp(), temporalIsUp()]);
    const before = parts()['temporal']?.pid ?? 0;
    const service = pidOf('worker');
    process.kill(before, 'SIGKILL');
    await expect.poll(() => run<TemporalRecord>('temporal')?.pid ?? before, eventually).not.toBe(before);
    expect(await isServing(`127.0.0.1:${ports.port}`, 1_000)).toBe(true);
    expect(pidOf('worker')).toBe(service);
  });

  it('takes over server and service that outlived a killed supervisor', async () => {
    const plan = await embedded();
    const first = supervise(plan);
    await Promise.all([serviceIsUp(), temporalIsUp()]);
    const before = parts();
    await kill(first);
    expect(await isServing(`127.0.0.1:${ports.port}`, 1_000)).toBe(true);

    const second = supervise(plan);
    await expect.poll(() => pidOf('supervisor'), eventually).toBe(second.pid);
    await expect.poll(() => output().split('goes on').length - 1, eventually).toBe(2);
    expect(parts()).toEqual(before);
    // Taken over is supervised: it comes back when it dies, and stops with the rest.
    process.kill(before['service']?.pid ?? 0, 'SIGKILL');
    await expect
      .poll(() => (pidOf('worker') ?? before['service']?.pid) !== before['service']?.pid, eventually)
      .toBe(true);
    second.kill('SIGTERM');
    expect(await ended(second)).toBe(0);
    expect(await isServing(`127.0.0.1:${ports.port}`, 1_000)).toBe(false);
  });

  it('ends a server on its database file that no record names', async () => {
    const plan = await embedded();
    const first = supervise(plan);
    await temporalIsUp();
    const orphan = parts()['temporal']?.pid ?? 0;
    await kill(first);
    const service = parts()['service'];
    if (service !== undefined) signalProcess(service, 'SIGKILL');
    await rm(join(home, 'run', 'parts.json'));
    await rm(join(home, 'run', 'temporal.json'));
    supervise(plan);
    await temporalIsUp();
    expect(identityOf(orphan)).toBe(undefined);
    expect(run<TemporalRecord>('temporal')?.pid).not.toBe(orphan);
  });

  it('refuses a database file of another server line with words', async () => {
    writeFileSync(join(home, 'temporal.db'), '');
    writeFileSync(
      join(home, 'temporal.db.version'),
      JSON.stringify({ cli: '1.5.1', server: '1.29.1', createdAt: '2026-01-01T00:00:00Z' }),
    );
    const supervisor = supervise(await embedded());
    expect(await ended(supervisor)).toBe(1);
    expect(output()).toContain('was made by Temporal server 1.29.1');
    expect(run('supervisor')).toBe(undefined);
  });
});

describe("the supervisor with a server of one's own", () => {
  it('names it and runs none', async () => {
    supervise(external);
    await serviceIsUp();
    expect(run('temporal')).toEqual({ address: 'temporal.example:7233', namespace: 'mine', uiUrl: null, pid: null });
    expect(Object.keys(parts())).toEqual(['service']);
    expect(notes()).toEqual(['all started']);
  });

  it('is the only one of its home', async () => {
    const [first, second] = [supervise(external), supervise(external)];
    const loser = await Promise.race([first, second].map(async (child) => ({ child, code: await ended(child) })));
    expect(loser.code).toBe(homeTakenExitCode);
    await serviceIsUp();
    expect(notes()).toHaveLength(1);
    expect(pidOf('supervisor')).toBe((loser.child === first ? second : first).pid);
  });

  it('starts a killed service again at once, removing what it had announced', async () => {
    supervise(external);
    await serviceIsUp();
    const before = pidOf('worker') ?? 0;
    const api = run('api');
    process.kill(before, 'SIGKILL');
    await expect.poll(() => pidOf('worker') ?? before, { timeout: 5_000, interval: 10 }).not.toBe(before);
    await serviceIsUp();
    expect(run('api')).not.toEqual(api);
  });

  it('waits longer and longer when the service keeps dying, and recovers', async () => {
    writeFileSync(join(home, 'die-at-once'), '');
    supervise(external);
    await expect.poll(() => notes().length, eventually).toBeGreaterThanOrEqual(5);
    const pauses = [...output().matchAll(/again in (\d+) ms/g)].map((match) => Number(match[1]));
    expect(pauses.slice(0, 4)).toEqual([100, 200, 400, 800]);
    await rm(join(home, 'die-at-once'));
    await serviceIsUp();
  });

  it('runs worker and gateway as two processes when asked', async () => {
    const supervisor = supervise({ ...external, split: true });
    await serviceIsUp();
    await expect.poll(() => run('gateway') !== undefined, eventually).toBe(true);
    expect(pidOf('worker')).not.toBe(pidOf('gateway'));
    const gateway = pidOf('gateway');
    process.kill(pidOf('worker') ?? 0, 'SIGKILL');
    await expect.poll(() => notes().filter((line) => line.startsWith('worker started')).length, eventually).toBe(2);
    expect(pidOf('gateway')).toBe(gateway);
    supervisor.kill('SIGINT');
    expect(await ended(supervisor)).toBe(0);
  });

  it('ends a part that the new plan does not have', async () => {
    const first = supervise(external);
    await serviceIsUp();
    const former = parts()['service'];
    await kill(first);
    supervise({ ...external, split: true });
    await expect.poll(() => Object.keys(parts()).sort(), eventually).toEqual(['gateway', 'worker']);
    expect(former !== undefined && isRunning(former)).toBe(false);
  });

  it('kills a service that does not drain in time', async () => {
    writeFileSync(join(home, 'never-drain'), '');
    const supervisor = supervise({ ...external, drainMs: -4_500 });
    await serviceIsUp();
    const service = pidOf('worker') ?? 0;
    supervisor.kill('SIGTERM');
    expect(await ended(supervisor)).toBe(0);
    expect(notes()).toContain('all drains');
    expect(identityOf(service)).toBe(undefined);
  });

  it('does not wait for running work when it is asked twice', async () => {
    writeFileSync(join(home, 'never-drain'), '');
    const supervisor = supervise({ ...external, drainMs: 600_000 });
    await serviceIsUp();
    supervisor.kill('SIGTERM');
    await expect.poll(notes, eventually).toContain('all drains');
    supervisor.kill('SIGTERM');
    expect(await ended(supervisor)).toBe(0);
  });

  it('leaves a process alone that got the number of a dead part', async () => {
    const bystander = spawn('sleep', ['60'], { stdio: 'ignore' });
    const record = { pid: bystander.pid, startedBy: 'another start', program: 'x', args: [], facts: {}, startedAt: '' };
    writeFileSync(join(home, 'run', 'parts.json'), JSON.stringify({ service: record, gateway: record }));
    supervise(external);
    await serviceIsUp();
    expect(identityOf(bystander.pid ?? 0)).not.toBe(undefined);
    await kill(bystander);
  });
});

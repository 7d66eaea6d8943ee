import { appendFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliError } from '../../src/cli/errors.ts';
import { examine } from '../../src/cli/service/doctor/examine.ts';
import type { Finding } from '../../src/cli/service/doctor/finding.ts';
import { ensureService, isAnswering } from '../../src/cli/service/ensure-service.ts';
import { formatLogLine } from '../../src/cli/service/format-log-line.ts';
import { unitOf } from '../../src/cli/service/install-unit.ts';
import { lastLines, LogTail } from '../../src/cli/service/log-tail.ts';
import { readStatus } from '../../src/cli/service/read-status.ts';
import { readServiceState } from '../../src/cli/service/service-state.ts';
import { leftoverParts, stopService } from '../../src/cli/service/stop-service.ts';
import { signalProcess, waitForEnd, type ProcessIdentity } from '../../src/workers/supervise/process-identity.ts';

const supervisor = {
  script: join(import.meta.dirname, '..', 'support', 'fixture-supervisor.ts'),
  nodeArgs: ['--import', import.meta.resolve('tsx')],
};
const plan = {
  temporal: { kind: 'external', address: '127.0.0.1:1', namespace: 'mine' },
  split: false,
  drainMs: 5_000,
};
const quiet = (): void => undefined;

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'hermes-service-'));
  process.env['HERMES_TEST_PLAN'] = JSON.stringify(plan);
});
afterEach(async () => {
  delete process.env['HERMES_TEST_PLAN'];
  await stopService({ home, report: quiet, limitMs: 20_000 });
  await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

const start = (lines: string[] = []): Promise<void> =>
  ensureService({ home, supervisor, report: (line) => void lines.push(line) });
const supervisorOf = (): ProcessIdentity => {
  const running = readServiceState(home).supervisor;
  if (running === null) throw new Error('no supervisor runs');
  return running;
};
async function killSupervisor(): Promise<void> {
  const running = supervisorOf();
  signalProcess(running, 'SIGKILL');
  await waitForEnd(running, 5_000);
}
async function findings(fix = false): Promise<Finding[]> {
  const all: Finding[] = [];
  for await (const finding of examine(home, { PATH: process.env['PATH'] }, fix)) all.push(finding);
  return all;
}
const finding = async (name: string, fix = false): Promise<Finding | undefined> =>
  (await findings(fix)).find((one) => one.name === name);

describe('starting and stopping the service', () => {
  it('returns when the API answers, and does nothing when it does already', async () => {
    await start();
    expect(await isAnswering(home)).toBe(true);
    const { pid } = supervisorOf();
    await start();
    expect(supervisorOf().pid).toBe(pid);
  });

  it('makes one supervisor of several starts at once', async () => {
    await Promise.all([start(), start(), start()]);
    expect(readFileSync(join(home, 'service-notes.txt'), 'utf8').trim().split('\n')).toHaveLength(1);
  });

  it('stops everything, and says so when nothing ran', async () => {
    await start();
    expect(await stopService({ home, report: quiet, limitMs: 20_000 })).toBe(true);
    expect(await isAnswering(home)).toBe(false);
    expect(await stopService({ home, report: quiet, limitMs: 20_000 })).toBe(false);
  });

  it('tells what a service said that keeps dying, and comes up once that is put right', async () => {
    writeFileSync(join(home, 'die-at-once'), '');
    const failure = await start().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CliError);
    expect((failure as CliError).message).toMatch(/does not come up.*ended with 3/s);
    expect((failure as CliError).hint).toContain('service.log');
    rmSync(join(home, 'die-at-once'));
    await start();
    expect(await isAnswering(home)).toBe(true);
  });

  it('tells why the supervisor cannot start', async () => {
    process.env['HERMES_TEST_PLAN'] = 'no plan';
    await expect(start()).rejects.toThrow(/could not be started/);
  });

  it('goes on with the service of a supervisor that was killed', async () => {
    await start();
    const { workerPid } = readServiceState(home);
    await killSupervisor();
    expect(readServiceState(home).supervisor).toBe(null);
    // The API answers, so a command has no reason to start anything; `hermes down` still ends it.
    await start();
    expect(leftoverParts(home).map(([name, { pid }]) => [name, pid])).toEqual([['service', workerPid]]);
    expect(await stopService({ home, report: quiet, limitMs: 20_000 })).toBe(true);
    expect(leftoverParts(home)).toEqual([]);
  });
});

describe('the status', () => {
  it('says what the run files say when the service does not answer as itself', async () => {
    await start();
    const status = await readStatus(home, {});
    expect(status).toMatchObject({
      ready: false,
      home,
      temporal: { address: '127.0.0.1:1', uiUrl: null, pid: null },
      worker: { pid: readServiceState(home).workerPid },
    });
  });

  it('needs no home at all', async () => {
    const absent = join(home, 'absent');
    expect(await readStatus(absent, {})).toMatchObject({ ready: false, worker: { pid: null }, gateway: { pid: null } });
  });
});

describe('the doctor', () => {
  it('tries the machine that commands run on', async () => {
    expect(await finding('backend')).toMatchObject({
      state: 'fine',
      detail: expect.stringContaining('local: ') as string,
    });
    const all: Finding[] = [];
    const env = { PATH: process.env['PATH'], HERMES_TERMINAL_BACKEND: 'modal' };
    for await (const one of examine(home, env, false)) all.push(one);
    expect(all.find(({ name }) => name === 'backend')).toMatchObject({
      state: 'wrong',
      detail: expect.stringContaining('terminal.modal.tokenId') as string,
      hint: expect.stringContaining('hermes config set') as string,
    });
  });

  it('finds nothing wrong with a new home', async () => {
    expect((await findings()).filter(({ state }) => state === 'wrong')).toEqual([]);
  });

  it('finds a service that answers and a Temporal that does not', async () => {
    await start();
    expect(await finding('service')).toMatchObject({ state: 'fine' });
    expect(await finding('temporal')).toMatchObject({ state: 'wrong', detail: '127.0.0.1:1 does not answer' });
  });

  it('finds a service that keeps dying and names its log', async () => {
    writeFileSync(join(home, 'die-at-once'), '');
    await start().catch(quiet);
    expect(await finding('service')).toMatchObject({ state: 'wrong' });
  });

  it('finds parts without a supervisor and ends them when asked', async () => {
    await start();
    await killSupervisor();
    expect(await finding('leftovers')).toMatchObject({ state: 'wrong' });
    expect(await finding('leftovers', true)).toMatchObject({ state: 'fixed' });
    expect(leftoverParts(home)).toEqual([]);
  });

  it('finds secrets that others can read and closes them when asked', async () => {
    writeFileSync(join(home, 'secrets.yaml'), '', { mode: 0o644 });
    expect(await finding('home')).toMatchObject({ state: 'wrong' });
    expect(await finding('home', true)).toMatchObject({ state: 'fixed' });
    expect(await finding('home')).toMatchObject({ state: 'fine' });
  });

  it('finds a wrong key, a model that cannot be reached, and a database of another server', async () => {
    writeFileSync(
      join(home, 'config.yaml'),
      'model:\n  provider: custom\n  baseUrl: http://127.0.0.1:1/v1\n  nme: x\n',
    );
    mkdirSync(join(home, 'bin'), { recursive: true });
    writeFileSync(join(home, 'temporal.db.version'), JSON.stringify({ cli: '1.5.1', server: '1.29.1', createdAt: '' }));
    const found = await findings();
    const wrong = found.filter(({ state }) => state === 'wrong').map(({ name }) => name);
    expect(wrong).toEqual(expect.arrayContaining(['configuration', 'model']));
    expect(found.find(({ name }) => name === 'temporal program')?.detail).toBeDefined();
  });

  it('finds a damaged database', async () => {
    writeFileSync(join(home, 'hermes.db'), 'this is no database');
    expect(await finding('database')).toMatchObject({ state: 'wrong' });
  });
});

describe('logs', () => {
  it('are read as they grow, line by line, also after they were emptied', () => {
    const path = join(home, 'part.log');
    const tail = new LogTail(path);
    expect(tail.read()).toEqual([]);
    writeFileSync(path, 'one\ntw');
    expect(tail.read()).toEqual(['one']);
    appendFileSync(path, 'o\n');
    expect(tail.read()).toEqual(['two']);
    truncateSync(path, 0);
    appendFileSync(path, 'a\n');
    expect(tail.read()).toEqual(['a']);
    expect(lastLines(path, 5)).toEqual(['a']);
  });

  it('show structured lines as words and keep others as they are', () => {
    const line = JSON.stringify({ level: 30, time: 0, pid: 1, hostname: 'x', msg: 'turn over', turn: 3 });
    expect(formatLogLine(line)).toBe('1970-01-01T00:00:00.000Z info turn over turn=3');
    expect(formatLogLine('{"cut off')).toBe('{"cut off');
    expect(formatLogLine('plain \u001b[31mred')).not.toContain('\u001b');
  });
});

describe('a unit of the system', () => {
  it('keeps the words of systemd and lets only the supervisor be stopped', () => {
    const unit = unitOf('/home/a b/100%', { XDG_CONFIG_HOME: '/config', PATH: '/bin' }, 'linux');
    expect(unit?.path).toMatch(/^\/config\/systemd\/user\/hermes-[0-9a-f]{8}\.service$/);
    expect(unit?.content).toContain('Environment="HERMES_HOME=/home/a b/100%%"');
    expect(unit?.content).toContain('KillMode=process');
  });

  it('is well-formed for launchd, and null where neither is', () => {
    const unit = unitOf('/home/<a>', {}, 'darwin');
    expect(unit?.content).toContain('<string>/home/&lt;a&gt;</string>');
    expect(unitOf('/home/a', {}, 'win32')).toBe(null);
  });
});

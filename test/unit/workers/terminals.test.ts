import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { pino } from 'pino';
import type { TerminalSession } from '../../../src/backends/backend.ts';
import { safeName } from '../../../src/backends/run-layout.ts';
import { homePaths } from '../../../src/config/home.ts';
import { createConfigSource } from '../../../src/config/source.ts';
import type { EnvironmentClient } from '../../../src/gateway/environment-client.ts';
import { createBackends } from '../../../src/workers/compose/backends.ts';
import { createTerminals, type Terminals } from '../../../src/workers/compose/terminal.ts';
import { openTempStore } from '../store/support/open-temp-store.ts';

const who = { conversationId: 'talk', personId: 'anna', turn: 1, callKey: 'talk/1/1/0' };
const sessionKey = 'talk';

const unexpected = (): never => {
  throw new Error('local environments have no workflow');
};
const noWorkflows: EnvironmentClient = {
  list: unexpected,
  snapshot: unexpected,
  change: unexpected,
  acquire: unexpected,
  release: unexpected,
  recover: unexpected,
};

interface Bench {
  readonly terminals: Terminals;
  readonly runsDir: string;
  readonly warnings: string[];
}

async function openBench(): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), 'hermes-terminals-'));
  onTestFinished(() => rm(root, { recursive: true, force: true, maxRetries: 5 }));
  const home = join(root, 'home');
  const work = join(root, 'work');
  await mkdir(home);
  await mkdir(work);
  const env = { PATH: process.env['PATH'], HOME: work, HERMES_TERMINAL_CWD: work };
  const source = createConfigSource({ home, env, onProblems: () => undefined });
  const warnings: string[] = [];
  const write = (line: string): void => {
    const { level, msg } = JSON.parse(line) as { level: number; msg: string };
    if (level >= 40) warnings.push(msg);
  };
  const log = pino({ level: 'info' }, { write });
  const paths = homePaths(home);
  const store = await openTempStore();
  await store.conversations.create({ id: who.conversationId, personId: who.personId, platform: 'cli' });
  const core = { env, paths, source, log };
  const terminals = createTerminals({ core, store, backends: createBackends(core), environments: noWorkflows });
  return { terminals, runsDir: paths.runsDir, warnings };
}

/** Runs a command to its end. */
async function run(session: TerminalSession, key: string, command: string): Promise<string> {
  await session.start({ key, command, sessionKey });
  for (;;) {
    const { state, bytes } = await session.poll(key, { offset: 0, maxBytes: 10_000, waitMs: 1_000 });
    if (state.phase === 'exited') return bytes.toString('utf8');
    if (state.phase !== 'running') throw new Error(`the run is ${state.phase}`);
  }
}

/** Makes a run look as if it had ended eight days earlier. */
async function age(runsDir: string, key: string): Promise<void> {
  const file = join(runsDir, safeName(`${who.personId}.local`), 'runs', safeName(key), 'exit');
  const [code, signal, timedOut, endedNs] = (await readFile(file, 'utf8')).trim().split(' ');
  const earlier = BigInt(endedNs ?? '') - 8n * 86_400_000_000_000n;
  await chmod(file, 0o600);
  await writeFile(file, `${[code, signal, timedOut, earlier].join(' ')}\n`);
}

it('makes an environment again that somebody has removed', async () => {
  const { terminals, runsDir, warnings } = await openBench();
  expect(await run((await terminals.open(who)).session, 'a', 'echo one')).toBe('one\n');
  await rm(runsDir, { recursive: true, force: true });
  expect(await run((await terminals.open(who)).session, 'b', 'echo two')).toBe('two\n');
  expect(warnings).toEqual(['the environment was gone; making it again']);
});

it('gives callers that come at once one environment', async () => {
  const { terminals, runsDir } = await openBench();
  await terminals.open(who);
  await rm(runsDir, { recursive: true, force: true });
  const opened = await Promise.all([terminals.open(who), terminals.open(who), terminals.open(who)]);
  expect(await run(opened[0].session, 'a', 'echo one')).toBe('one\n');
  expect(await readdir(runsDir)).toHaveLength(1);
});

it('forgets runs that ended a week ago, and no younger ones, now and once a day until the worker ends', async () => {
  const { terminals, runsDir } = await openBench();
  const { session } = await terminals.open(who);
  for (const key of ['one', 'two', 'three']) await run(session, key, 'echo');
  const left = async (): Promise<readonly string[]> => (await session.listRuns(sessionKey)).map((state) => state.key);
  const day = 86_400_000;
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const ending = new AbortController();

  await age(runsDir, 'one');
  terminals.keepClean(ending.signal);
  await vi.waitFor(async () => expect(await left()).toEqual(['three', 'two']), 5_000);

  await age(runsDir, 'two');
  vi.advanceTimersByTime(day);
  await vi.waitFor(async () => expect(await left()).toEqual(['three']), 5_000);

  await age(runsDir, 'three');
  ending.abort();
  expect(vi.getTimerCount()).toBe(0);
  expect(await left()).toEqual(['three']);
});

it('says so, and nothing worse, when old runs cannot be looked at', async () => {
  const { terminals, runsDir, warnings } = await openBench();
  // A file where the folder of runs should be.
  await writeFile(runsDir, '');
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  terminals.keepClean(ending.signal);
  await vi.waitFor(() => expect(warnings).toEqual(['old command records stay']), 5_000);
  await rm(runsDir);
  expect(await run((await terminals.open(who)).session, 'a', 'echo one')).toBe('one\n');
});

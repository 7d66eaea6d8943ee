import { appendFileSync, existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { calls, text, type Answer } from '../support/model-server.ts';
import { Installation, newInboundId, until } from '../support/installation.ts';

/**
 * SIGKILL of each part at each moment of a turn. The turn asks for one shell command with a visible side effect; after
 * everything is up again it must go on by itself, answer once, and have had its effect once.
 */

type Victim = 'worker' | 'gateway' | 'temporal' | 'everything';

interface Moment {
  readonly name: string;
  /** Prepares the scripted model for the turn. */
  script(one: Installation): void;
  /** Resolves when the moment has come. */
  reached(one: Installation, effectFile: string): Promise<void>;
  /** What the turn itself still takes when the moment has come: the command, and the model's thinking. */
  readonly ownMs: number;
  /** Requests at the model server, at most: finished calls are never paid again. */
  readonly maxRequests: (victim: Victim) => number;
}

const command = 'echo happened >> effect.txt; sleep 0.6; echo tool-output';
const toolCall = calls({ name: 'run_command', args: { command } }) as Extract<Answer, { kind: 'scripted' }>;
const killsWorker = (victim: Victim): boolean => victim === 'worker' || victim === 'everything';

const moments: readonly Moment[] = [
  {
    name: 'before the model call',
    script: (one) => {
      one.model.turn('go', toolCall, text('finished'));
    },
    reached: async (one) => {
      // The message is accepted and signalled; the worker has, at most, just begun.
      await until('the message is signalled', () => inboundState(one) !== 'received');
    },
    ownMs: 800,
    maxRequests: () => 3,
  },
  {
    name: 'during the model call',
    script: (one) => {
      const thinking = { ...toolCall, delayMs: 1_500 };
      one.model.turn('go', thinking, text('finished'));
    },
    reached: async (one) => {
      await one.model.received(1);
      await sleep(300);
    },
    ownMs: 2_300,
    maxRequests: () => 3,
  },
  {
    name: 'during a tool',
    script: (one) => {
      one.model.turn('go', toolCall, text('finished'));
    },
    reached: async (_one, effectFile) => {
      await until('the command has had its effect', () => existsSync(effectFile));
    },
    ownMs: 800,
    maxRequests: () => 2,
  },
  {
    name: 'after the tool, before its record',
    script: (one) => {
      one.model.turn('go', toolCall, text('finished'));
    },
    reached: async (one, effectFile) => {
      await until('the command has had its effect', () => existsSync(effectFile));
      // The worker is held while the command ends, so that it cannot have recorded the result.
      process.kill(one.pid('worker'), 'SIGSTOP');
      await until('the command has ended', () => endedCommands() > commandsBefore);
    },
    ownMs: 800,
    maxRequests: () => 2,
  },
  {
    name: 'during the reply',
    script: (one) => {
      one.model.turn('go', toolCall, text('finished'));
    },
    reached: async (one) => {
      await until(
        'the answer is committed',
        () => newestTurn(one)?.['state'] === 'done' && one.model.requests.length === 2,
      );
    },
    ownMs: 800,
    maxRequests: () => 2,
  },
];

let one: Installation;
let commandsBefore = 0;

beforeAll(async () => {
  one = await Installation.create();
  await Promise.all([one.start('gateway'), one.start('worker')]);
});

beforeEach(() => {
  one.model.reset();
  rmSync(join(one.workspace, 'effect.txt'), { force: true });
  commandsBefore = endedCommands();
});

afterAll(async () => {
  await one.dispose();
});

describe.each(['worker', 'gateway', 'temporal', 'everything'] as const)('SIGKILL of %s', (victim) => {
  it.each(moments)('$name: the turn is answered once, its effect happens once', async (moment) => {
    const effectFile = join(one.workspace, 'effect.txt');
    moment.script(one);
    const inboundId = newInboundId();
    const { conversationId } = await one.submit({ inboundId, text: 'go', conversation: { new: true } });
    const answering = one.answer(inboundId);
    // Nobody awaits it while the moment is waited for; its failure is told below.
    answering.catch(() => undefined);
    try {
      await moment.reached(one, effectFile);
    } catch (error) {
      // A worker that stays held would fail every test after this one.
      process.kill(one.pid('worker'), 'SIGCONT');
      throw error;
    }

    await killAndRevive(one, victim);
    const upAt = Date.now();

    const answer = await answering;
    const tookMs = Date.now() - upAt;
    record({ victim, moment: moment.name, tookMs, requests: one.model.requests.length });

    expect(answer).toMatchObject({ state: 'done', turn: 1 });
    expect(readFileSync(effectFile, 'utf8')).toBe('happened\n');
    expect(one.model.requests.length).toBeLessThanOrEqual(moment.maxRequests(victim));
    if (!killsWorker(victim)) expect(one.model.requests.length).toBeLessThanOrEqual(2);
    // By itself and soon; how soon is measured on a quiet machine (docs/performance.md).
    expect(tookMs).toBeLessThan(10_000 + moment.ownMs);
    expect(turns(one, conversationId)).toEqual([{ turn: 1, state: 'done' }]);
    const next = await one.ask('still there?', { conversation: { id: conversationId } });
    expect(next).toMatchObject({ state: 'done', turn: 2 });
  });
});

it('a burst of messages sent while nothing runs is answered in order', async () => {
  await one.kill('worker');
  one.model.otherwise((request) => text(`answer to ${request.user}`));
  const ids: string[] = [];
  for (let index = 0; index < 10; index += 1) {
    const inboundId = newInboundId();
    ids.push(inboundId);
    const conversation = { name: 'burst' };
    await one.submit({ inboundId, text: `message ${String(index)}`, busyMode: 'queue', conversation });
  }
  await one.kill('gateway');
  await one.temporal.kill();
  await one.temporal.restart();
  await Promise.all([one.start('gateway'), one.start('worker')]);
  const answers = await Promise.all(ids.map((id) => one.answer(id)));
  expect(answers.map((answer) => answer.text)).toEqual(ids.map((_, index) => `answer to message ${String(index)}`));
  expect(answers.map((answer) => answer.turn)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

it('a message stored while Temporal is down, before any signal, is answered once it is back', async () => {
  await one.temporal.kill();
  one.model.otherwise(text('late but sure'));
  const inboundId = newInboundId();
  await one.submit({ inboundId, text: 'anyone?', conversation: { new: true } });
  await one.kill('gateway');
  await one.start('gateway');
  expect(inboundState(one)).toBe('received');
  await one.temporal.restart();
  expect(await one.answer(inboundId)).toMatchObject({ state: 'done', text: 'late but sure' });
  expect(one.model.requests).toHaveLength(1);
});

async function killAndRevive(installation: Installation, victim: Victim): Promise<void> {
  switch (victim) {
    case 'worker':
    case 'gateway':
      await resumeStopped(installation, victim);
      await installation.kill(victim);
      await installation.start(victim);
      return;
    case 'temporal':
      await resumeStopped(installation, victim);
      await installation.temporal.kill();
      await installation.temporal.restart();
      return;
    case 'everything':
      await Promise.all([installation.kill('worker'), installation.kill('gateway'), installation.temporal.kill()]);
      await installation.temporal.restart();
      await Promise.all([installation.start('worker'), installation.start('gateway')]);
  }
}

/** A held worker that is not to die goes on. */
async function resumeStopped(installation: Installation, victim: Victim): Promise<void> {
  if (victim === 'worker') return;
  process.kill(installation.pid('worker'), 'SIGCONT');
  await Promise.resolve();
}

function query(installation: Installation, sql: string): readonly Record<string, unknown>[] {
  const database = new Database(join(installation.home, 'hermes.db'), { readonly: true });
  try {
    return database.prepare(sql).all() as Record<string, unknown>[];
  } finally {
    database.close();
  }
}

function inboundState(installation: Installation): unknown {
  return query(installation, 'SELECT state FROM inbound ORDER BY rowid DESC LIMIT 1')[0]?.['state'];
}

function newestTurn(installation: Installation): Record<string, unknown> | undefined {
  return query(installation, 'SELECT state FROM turn ORDER BY rowid DESC LIMIT 1')[0];
}

function turns(installation: Installation, conversationId: string): readonly Record<string, unknown>[] {
  return query(installation, `SELECT turn, state FROM turn WHERE conversationId = '${conversationId}' ORDER BY turn`);
}

/** Commands of this installation whose end is on record. */
function endedCommands(): number {
  const runs = join(one.home, 'runs');
  // Not one recursive listing: folders of a run that ends go away while it is read.
  const folders = list(runs).flatMap((owner) =>
    list(join(runs, owner, 'runs')).map((run) => join(runs, owner, 'runs', run)),
  );
  return folders.filter((folder) => existsSync(join(folder, 'exit'))).length;
}

function list(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** With HERMES_CHAOS_REPORT set, one JSON line per case, for docs/performance.md. */
function record(line: Readonly<Record<string, unknown>>): void {
  const file = process.env['HERMES_CHAOS_REPORT'];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(line)}\n`);
}

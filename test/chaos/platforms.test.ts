import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { text } from '../support/model-server.ts';
import { Installation, until } from '../support/installation.ts';
import { configured } from '../support/platforms/configured.ts';
import { knownPlatform, type KnownPlatform } from '../support/platforms/known.ts';

/**
 * SIGKILL of the gateway (or of everything) at each moment between a person's message on a platform and the answer they
 * see there. After a restart the message has been answered, by one model call and with one message in the chat; where the
 * platform cannot tell what became of a send, that is reported and nothing is repeated.
 */

interface Scene {
  readonly one: Installation;
  readonly platform: KnownPlatform;
  /** What the person writes, and what the model says to it. */
  readonly words: string;
  readonly answer: string;
}

interface Moment {
  readonly name: string;
  /** Before the person writes. */
  prepare?(scene: Scene): Promise<void> | void;
  /** Resolves when the moment has come. */
  reached(scene: Scene): Promise<void>;
  readonly thinkMs?: number;
  /** Whether the send itself is cut short, so that its fate may be unknown. */
  readonly cutsSend?: true;
}

const moments: readonly Moment[] = [
  {
    name: 'before the message is kept',
    prepare: ({ one }) => hold(one),
    // It waits in the connection of a process that does not run.
    reached: () => sleep(300),
  },
  {
    name: 'as soon as the message is kept',
    reached: ({ one, words }) => until('the message is kept', () => kept(one, words)),
  },
  {
    name: 'once the platform has been told',
    reached: async ({ one, platform, words }) => {
      await until('the message is kept', () => kept(one, words));
      await until('the platform is told', () => platform.server.unacknowledged() === 0);
    },
  },
  {
    name: 'while the model thinks, with a message that grows',
    thinkMs: 2_500,
    reached: async ({ platform }) => {
      await until(
        'the agent shows what it does',
        () => platform.server.typings(platform.direct(0)) > 0 || has(platform),
      );
      await sleep(300);
    },
  },
  {
    name: 'while the answer is sent',
    cutsSend: true,
    prepare: ({ platform }) => platform.server.fail({ kind: 'hang' }),
    reached: ({ platform, answer }) => until('the answer is shown', () => shown(platform, answer) > 0),
  },
  {
    name: 'with the answer sent and not written down',
    cutsSend: true,
    reached: async ({ one, platform, answer }) => {
      await until('the answer is shown', () => shown(platform, answer) > 0);
      await hold(one);
    },
  },
];

let cases = 0;

describe.each(['telegram', 'discord', 'slack'] as const)('on %s', (id) => {
  let one: Installation;
  let platform: KnownPlatform;

  beforeAll(async () => {
    platform = knownPlatform(id);
    await platform.server.start();
    const owner = [platform.person(0).id];
    one = await Installation.create(configured([{ ...platform, more: { owner } }], { burstPauseMs: 20 }));
    await Promise.all([one.start('worker'), one.start('gateway')]);
    await until('the account is connected', () => one.log.includes('"state":"connected"'));
  });
  beforeEach(() => one.model.reset());
  afterAll(async () => {
    await one.dispose();
    await platform.server.stop();
  });

  describe.each(['gateway', 'everything'] as const)('SIGKILL of %s', (victim) => {
    it.each(moments)('$name: answered once', async (moment) => {
      const { thinkMs = 0, cutsSend } = moment;
      cases += 1;
      const scene = { one, platform, words: `question ${String(cases)}`, answer: `answer ${String(cases)}` };
      one.model.turn(scene.words, text(scene.answer, { delayMs: thinkMs }));
      await moment.prepare?.(scene);
      await platform.server.says({ chat: platform.direct(0), from: platform.person(0), text: scene.words });
      await moment.reached(scene);
      await kill(one, victim);

      await until('the message is answered', () => shown(platform, scene.answer) > 0);
      await until('nothing is under way', () => settled(one));
      // What would come a second time has had the time to.
      await sleep(500);
      expect(shown(platform, scene.answer)).toBe(1);
      const uncertain = await outbox(one);
      const mayDoubt = cutsSend === true && platform.descriptor.capabilities.sendsOnce === 'none';
      expect(uncertain.length).toBeLessThanOrEqual(mayDoubt ? 1 : 0);
      expect(uncertain.map(({ state }) => state)).toEqual(uncertain.map(() => 'ambiguous'));
      for (const row of uncertain) await one.request('POST', '/api/gateway/outbox', { id: row.id, what: 'drop' });
      if (victim === 'gateway') expect(one.model.requests.filter(({ user }) => user === scene.words)).toHaveLength(1);
      expect(turnsOf(one, scene.words)).toBe(1);
    });
  });

  it('has answered every message in order, and goes on', async () => {
    one.model.otherwise(text('still here'));
    await platform.server.says({ chat: platform.direct(0), from: platform.person(0), text: 'still there?' });
    await until('it is answered', () => shown(platform, 'still here') === 1);
  });
});

/** The process stops where it is; whatever it has not done yet it will not do. */
async function hold(one: Installation): Promise<void> {
  process.kill(one.pid('gateway'), 'SIGSTOP');
  await Promise.resolve();
}

async function kill(one: Installation, victim: 'gateway' | 'everything'): Promise<void> {
  if (victim === 'gateway') {
    await one.kill('gateway');
    await one.start('gateway');
    return;
  }
  await Promise.all([one.kill('worker'), one.kill('gateway'), one.temporal.kill()]);
  await one.temporal.restart();
  await Promise.all([one.start('worker'), one.start('gateway')]);
}

function has(platform: KnownPlatform): boolean {
  return platform.server.messages(platform.direct(0)).length > 0;
}

function shown(platform: KnownPlatform, answer: string): number {
  const whole = new RegExp(`${answer}(?!\\d)`);
  return platform.server.messages(platform.direct(0)).filter((message) => whole.test(message.text)).length;
}

async function outbox(one: Installation): Promise<readonly { id: string; state: string }[]> {
  const { body } = await one.request('GET', '/api/gateway/outbox');
  return (body as { messages: { id: string; state: string }[] }).messages;
}

function query(one: Installation, sql: string, ...values: unknown[]): readonly Record<string, unknown>[] {
  const database = new Database(join(one.home, 'hermes.db'), { readonly: true });
  try {
    return database.prepare(sql).all(...values) as Record<string, unknown>[];
  } finally {
    database.close();
  }
}

function kept(one: Installation, words: string): boolean {
  const inPlatform = query(one, `SELECT 1 FROM PlatformEvent WHERE event LIKE ?`, `%${words}"%`);
  return inPlatform.length > 0 || query(one, 'SELECT 1 FROM Inbound WHERE text = ?', words).length > 0;
}

function settled(one: Installation): boolean {
  return query(one, `SELECT 1 FROM Outbox WHERE state IN ('new', 'sending') OR open = 1`).length === 0;
}

function turnsOf(one: Installation, words: string): number {
  const rows = query(one, `SELECT DISTINCT conversationId, turn FROM Message WHERE role = 'user' AND text = ?`, words);
  return rows.length;
}

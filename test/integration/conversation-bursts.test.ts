import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { calls, held, text } from '../support/model-server.ts';
import { Installation } from '../support/installation.ts';
import { finalAnswer, openConversation, rowsOf, say, turnsOf, untilSignalled } from '../support/conversation.ts';

/** Ten messages at once, in every busy mode: the model sees all of them, in order, and each is answered by one turn. */

let one: Installation;

beforeAll(async () => {
  one = await Installation.create();
  await Promise.all([one.start('gateway'), one.start('worker')]);
});
beforeEach(() => one.model.reset());
afterAll(() => one.dispose());

const burst = Array.from({ length: 10 }, (_, index) => `message number ${String(index)}`);

/** Sends the burst one message after another, as a person would. */
async function sendBurst(
  conversationId: string,
  busyMode: 'steer' | 'queue' | 'interrupt',
): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const words of burst) ids.push(await say(one, conversationId, words, { busyMode }));
  return ids;
}

/** Burst messages among the user messages of the newest request, as the model read them. */
function seenByModel(): readonly string[] {
  const messages = one.model.requests.at(-1)?.body.messages ?? [];
  return messages.flatMap((message) => {
    const words = typeof message.content === 'string' ? message.content : '';
    return message.role === 'user' && burst.includes(words) ? [words] : [];
  });
}

/** The turn of each message, straight from the store. */
function turnOf(inboundId: string): unknown {
  return rowsOf(one, 'SELECT turn FROM inbound WHERE id = ?', inboundId)[0]?.['turn'];
}

describe('while a turn runs', () => {
  it('steer: the next step of the same turn reads all of them', async () => {
    one.model.next(calls({ name: 'run_command', args: { command: 'until [ -e go ]; do sleep 0.05; done' } }));
    const conversationId = await openConversation(one);
    const first = await say(one, conversationId, 'begin');
    await one.model.received(1);
    const ids = await sendBurst(conversationId, 'steer');
    await untilSignalled(one);
    writeFileSync(join(one.workspace, 'go'), '');
    const answers = await Promise.all([first, ...ids].map((id) => finalAnswer(one, id)));
    expect(answers.map(({ state, turn }) => ({ state, turn }))).toEqual(
      Array.from({ length: 11 }, () => ({ state: 'done', turn: 1 })),
    );
    expect(seenByModel()).toEqual(burst);
    expect(one.model.requests).toHaveLength(2);
    expect(turnsOf(one, conversationId)).toEqual([{ turn: 1, state: 'done' }]);
  });

  it('steer: what comes during the last step is answered together by the turn after it', async () => {
    const last = held('first');
    one.model.next(last.answer);
    const conversationId = await openConversation(one);
    const first = await say(one, conversationId, 'begin');
    await one.model.received(1);
    const ids = await sendBurst(conversationId, 'steer');
    await untilSignalled(one);
    last.release();
    expect(await finalAnswer(one, first)).toMatchObject({ turn: 1, text: 'first' });
    const answers = await Promise.all(ids.map((id) => finalAnswer(one, id)));
    expect(new Set(answers.map(({ turn }) => turn))).toEqual(new Set([2]));
    expect(seenByModel()).toEqual(burst);
    expect(one.model.requests).toHaveLength(2);
  });

  it('queue: each gets a turn of its own, in order', async () => {
    one.model.otherwise((request) => text(`answer to ${request.user}`));
    const running = held('first');
    one.model.next(running.answer);
    const conversationId = await openConversation(one);
    const first = await say(one, conversationId, 'begin');
    await one.model.received(1);
    const ids = await sendBurst(conversationId, 'queue');
    running.release();
    expect(await finalAnswer(one, first)).toMatchObject({ turn: 1, text: 'first' });
    const answers = await Promise.all(ids.map((id) => finalAnswer(one, id)));
    expect(answers.map(({ turn }) => turn)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(answers.map((answer) => answer.text)).toEqual(burst.map((words) => `answer to ${words}`));
    expect(seenByModel()).toEqual(burst);
    expect(one.model.requests).toHaveLength(11);
  });

  it('interrupt: the running turn stops, all are read, the last is answered', async () => {
    one.model.otherwise(text('the last word', { delayMs: 400 }));
    one.model.next(text('too late', { delayMs: 60_000 }));
    const conversationId = await openConversation(one);
    const first = await say(one, conversationId, 'begin');
    await one.model.received(1);
    const ids = await sendBurst(conversationId, 'interrupt');
    expect(await finalAnswer(one, first)).toMatchObject({ state: 'interrupted', turn: 1 });
    const answers = await Promise.all(ids.map((id) => finalAnswer(one, id)));
    expect(answers.at(-1)).toMatchObject({ state: 'done', text: 'the last word' });
    expect(seenByModel()).toEqual(burst);
    // One turn each, never going back.
    const turns = answers.map(({ turn }) => turn ?? 0);
    expect(turns).toEqual([...turns].sort((a, b) => a - b));
    expect(ids.map(turnOf)).toEqual(turns);
    expect(turnsOf(one, conversationId).filter(({ state }) => state === 'running')).toEqual([]);
  });
});

describe('while no worker runs', () => {
  it.each(['steer', 'queue', 'interrupt'] as const)('%s: all are read in order once one is back', async (busyMode) => {
    const conversationId = await openConversation(one);
    await one.kill('worker');
    const ids = await sendBurst(conversationId, busyMode);
    await one.start('worker');
    const answers = await Promise.all(ids.map((id) => finalAnswer(one, id)));
    expect(answers.map(({ state }) => state)).toEqual(burst.map(() => 'done'));
    expect(seenByModel()).toEqual(burst);
    const expected = busyMode === 'queue' ? burst.map((_, index) => index + 1) : burst.map(() => 1);
    expect(answers.map(({ turn }) => turn)).toEqual(expected);
    expect(one.model.requests).toHaveLength(busyMode === 'queue' ? 10 : 1);
  });
});

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { calls, held, text } from '../support/model-server.ts';
import { Installation, until } from '../support/installation.ts';
import { finalAnswer, openConversation, say } from '../support/conversation.ts';

/** SIGTERM: no new work, what runs finishes or is handed over, nothing is lost, done twice or paid twice. */

let one: Installation;
const drainSeconds = 20;

beforeAll(async () => {
  one = await Installation.create({ env: { HERMES_SERVICE_DRAIN_SECONDS: String(drainSeconds) } });
  await Promise.all([one.start('gateway'), one.start('worker')]);
});
beforeEach(() => one.model.reset());
afterAll(() => one.dispose());

it('a long command is handed over at once and the next worker attaches to it', async () => {
  const command =
    'echo begun >> begun.txt; until [ -e finish ]; do sleep 0.1; done; echo happened >> effect.txt; echo out';
  one.model.next(calls({ name: 'run_command', args: { command } }), text('Done.'));
  const conversationId = await openConversation(one);
  const inboundId = await say(one, conversationId, 'go');
  const [begun, effect, finish] = ['begun.txt', 'effect.txt', 'finish'].map((name) => join(one.workspace, name));
  await until('the command runs', () => existsSync(begun ?? ''));

  const askedAt = Date.now();
  expect(await one.terminate('worker')).toBe(0);
  // Nothing but the command could have taken the drain time.
  expect(Date.now() - askedAt).toBeLessThan((drainSeconds * 1_000) / 2);
  expect(existsSync(effect ?? '')).toBe(false);

  // It ends while no worker watches.
  writeFileSync(finish ?? '', '');
  await until('the command has gone on by itself', () => existsSync(effect ?? ''));
  await one.start('worker');
  expect(await finalAnswer(one, inboundId)).toMatchObject({
    state: 'done',
    text: 'Done.',
    toolCalls: [{ name: 'run_command', status: 'ok' }],
  });
  expect(readFileSync(begun ?? '', 'utf8')).toBe('begun\n');
  expect(readFileSync(effect ?? '', 'utf8')).toBe('happened\n');
  expect(one.model.requests).toHaveLength(2);
  expect(one.model.requests[1]?.last).toContain('out');
});

it('a model call finishes within the drain time and is not paid again', async () => {
  const thinking = held('Worth every cent.');
  one.model.next(thinking.answer);
  const conversationId = await openConversation(one);
  const inboundId = await say(one, conversationId, 'think');
  await one.model.received(1);
  const logged = one.log.length;
  const stopping = one.terminate('worker');
  await until('the worker has heard of it', () => one.log.slice(logged).includes('stopping'));
  thinking.release();
  expect(await stopping).toBe(0);
  expect(one.model.requests[0]?.aborted).toBe(false);
  await one.start('worker');
  expect(await finalAnswer(one, inboundId)).toMatchObject({ state: 'done', turn: 1, text: 'Worth every cent.' });
  expect(one.model.requests).toHaveLength(1);
});

it('a gateway that is stopped has lost nothing it accepted', async () => {
  const conversationId = await openConversation(one);
  const ids = [];
  for (const words of ['one', 'two', 'three']) ids.push(await say(one, conversationId, words, { busyMode: 'queue' }));
  expect(await one.terminate('gateway')).toBe(0);
  await one.start('gateway');
  const answers = await Promise.all(ids.map((id) => finalAnswer(one, id)));
  expect(answers.map(({ state, turn }) => ({ state, turn }))).toEqual([
    { state: 'done', turn: 1 },
    { state: 'done', turn: 2 },
    { state: 'done', turn: 3 },
  ]);
});

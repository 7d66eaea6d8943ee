import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { hang, hangAfter, startModelServer, status, text, type ModelServer } from '../support/model-server.ts';
import { Installation } from '../support/installation.ts';
import { finalAnswer, openConversation, say, watch } from '../support/conversation.ts';

/** Where the chosen model does not answer, the next one of `model.fallback` does, and the person is told. */

let one: Installation;
let spare: ModelServer;
const spareKey = 'key-of-the-spare-provider';

beforeAll(async () => {
  spare = await startModelServer();
  one = await Installation.create({
    env: {
      HERMES_MODEL_STALL_TIMEOUT_MS: '800',
      HERMES_MODEL_FALLBACK: 'openai:spare-model',
      HERMES_PROVIDERS_OPENAI_BASE_URL: spare.baseUrl,
      HERMES_PROVIDERS_OPENAI_API_KEY: spareKey,
    },
  });
  await one.start('all');
});
beforeEach(() => {
  one.model.reset();
  spare.reset();
});
afterAll(async () => {
  await one.dispose();
  await spare.stop();
});

it.each([
  { name: 'is overloaded', fault: status(503) },
  { name: 'limits the rate', fault: status(429, {}, { 'retry-after': '120' }) },
  { name: 'refuses the key', fault: status(401) },
  { name: 'hangs', fault: hang() },
  { name: 'falls silent in the middle', fault: hangAfter('half a ') },
])('the spare one answers when the first $name', async ({ fault }) => {
  one.model.next(fault);
  spare.next(text('From the bench.'));
  const conversationId = await openConversation(one);
  const live = await watch(one, conversationId);
  const answer = await finalAnswer(one, await say(one, conversationId, 'hello'));
  await live.stop();
  expect(answer).toMatchObject({ state: 'done', text: 'From the bench.' });
  expect(answer.model).toMatch(/^openai:/);
  expect([one.model.requests.length, spare.requests.length]).toEqual([1, 1]);
  const notices = live.events.flatMap((event) => (event.kind === 'notice' ? [event.text] : []));
  expect(notices.join('\n')).toContain('Trying openai:spare-model.');
});

it('each provider gets its own key and model name, and neither the other’s', async () => {
  one.model.next(status(503));
  await finalAnswer(one, await say(one, await openConversation(one), 'hello'));
  expect(one.model.requests[0]?.headers['authorization']).toBe('Bearer test-key-of-the-model-server');
  expect(one.model.requests[0]?.body.model).toBe('scripted');
  expect(spare.requests[0]?.headers['authorization']).toBe(`Bearer ${spareKey}`);
  expect(spare.requests[0]?.body.model).toBe('spare-model');
});

it('when both fail for a while the turn is tried again from the first, which answers', async () => {
  one.model.next(status(503), text('Recovered.'));
  spare.next(status(503));
  const answer = await finalAnswer(one, await say(one, await openConversation(one), 'hello'));
  expect(answer).toMatchObject({ state: 'done', text: 'Recovered.' });
  expect([one.model.requests.length, spare.requests.length]).toEqual([2, 1]);
});

it('when all refuse for good the turn fails and says whom it asked', async () => {
  one.model.next(status(401));
  spare.next(status(401));
  const answer = await finalAnswer(one, await say(one, await openConversation(one), 'hello'));
  expect(answer).toMatchObject({ state: 'failed', errorCode: 'Model.Authentication' });
  expect(answer.text).toContain('openai:spare-model');
  expect(answer.text).not.toContain(spareKey);
  expect([one.model.requests.length, spare.requests.length]).toEqual([1, 1]);
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Answer } from '../../src/contracts/api.ts';
import {
  calls,
  cutMidToken,
  empty,
  hang,
  hangAfter,
  huge,
  status,
  text,
  wrongJson,
  type Answer as Scripted,
} from '../support/model-server.ts';
import { Installation } from '../support/installation.ts';
import { finalAnswer, messagesOf, openConversation, say, turnsOf, watch } from '../support/conversation.ts';

/** Whatever a model server does on the wire, a person gets an answer or a clear word, and the conversation goes on. */

let one: Installation;

beforeAll(async () => {
  one = await Installation.create({ env: { HERMES_MODEL_STALL_TIMEOUT_MS: '800' } });
  await one.start('all');
});
beforeEach(() => one.model.reset());
afterAll(() => one.dispose());

interface Told {
  readonly conversationId: string;
  readonly answer: Answer;
  readonly notices: readonly string[];
}

/** One turn of a new conversation, and what was said live beside the answer. */
async function tell(...answers: Scripted[]): Promise<Told> {
  one.model.next(...answers);
  const conversationId = await openConversation(one);
  const live = await watch(one, conversationId);
  const answer = await finalAnswer(one, await say(one, conversationId, 'hello'));
  await live.stop();
  const notices = live.events.flatMap((event) => (event.kind === 'notice' ? [event.text] : []));
  return { conversationId, answer, notices };
}

describe('a fault that passes', () => {
  it.each<{ name: string; fault: Scripted; notice: RegExp }>([
    { name: 'silence before the first byte', fault: hang(), notice: /stall|silent|nothing|silence/i },
    { name: 'silence in the middle', fault: hangAfter('half an '), notice: /stall|silent|nothing|silence/i },
    { name: 'a stream cut in the middle of a token', fault: cutMidToken('half an ans'), notice: /broke off/i },
    { name: 'an event that is no JSON', fault: wrongJson(), notice: /broken JSON/i },
    { name: 'status 500', fault: status(500), notice: /500|unavailable|error/i },
    { name: 'an empty answer', fault: empty(), notice: /nothing/i },
  ])('$name: is tried again, the person is told and reads one whole answer', async ({ fault, notice }) => {
    const { conversationId, answer, notices } = await tell(fault, text('A whole answer.'));
    expect(answer).toMatchObject({ state: 'done', turn: 1, text: 'A whole answer.', errorCode: null });
    expect(one.model.requests).toHaveLength(2);
    expect(notices.join('\n')).toMatch(notice);
    // Nothing of the broken answer stays in the transcript.
    const said = (await messagesOf(one, conversationId)).filter((message) => message.role === 'assistant');
    expect(said.map((message) => message.text)).toEqual(['A whole answer.']);
  });

  it('several 500s in a row are waited out', async () => {
    const { answer } = await tell(status(500), status(503), status(502), text('Back again.'));
    expect(answer).toMatchObject({ state: 'done', text: 'Back again.' });
    expect(one.model.requests).toHaveLength(4);
  });

  it('429 is tried again, and not before the time in Retry-After', async () => {
    const { answer, notices } = await tell(status(429, {}, { 'retry-after': '2' }), text('My turn.'));
    expect(answer).toMatchObject({ state: 'done', text: 'My turn.' });
    const [first, second] = one.model.requests;
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(1_950);
    expect(one.model.requests).toHaveLength(2);
    expect(notices).not.toEqual([]);
  });
});

describe('a fault that stays', () => {
  it('401 fails the turn at once with a code and words that help, and the next turn works', async () => {
    const { conversationId, answer } = await tell(status(401, { message: 'Incorrect API key provided.' }));
    expect(answer).toMatchObject({ state: 'failed', turn: 1, errorCode: 'Model.Authentication' });
    expect(answer.text).toMatch(/key/i);
    expect(answer.text).not.toContain('test-key-of-the-model-server');
    expect(one.model.requests).toHaveLength(1);
    one.model.next(text('Mended.'));
    const next = await finalAnswer(one, await say(one, conversationId, 'once more'));
    expect(next).toMatchObject({ state: 'done', turn: 2, text: 'Mended.' });
    expect(turnsOf(one, conversationId)).toEqual([
      { turn: 1, state: 'failed' },
      { turn: 2, state: 'done' },
    ]);
  });
});

describe('calls a model gets wrong are answered, not run, and the turn goes on', () => {
  it.each([
    { name: 'arguments that are no JSON', call: { name: 'run_command', args: '{"command": "echo' }, told: /JSON/ },
    { name: 'arguments of the wrong shape', call: { name: 'run_command', args: { cmd: 'ls' } }, told: /command/ },
    { name: 'a value of the wrong type', call: { name: 'run_command', args: { command: 7 } }, told: /command/ },
    { name: 'a tool that does not exist', call: { name: 'run_comand', args: { command: 'ls' } }, told: /run_command/ },
    { name: 'a tool without a name', call: { name: '', args: {} }, told: /./ },
  ])('$name', async ({ call, told }) => {
    const { conversationId, answer } = await tell(calls({ ...call, id: 'call_1' }), text('Sorry, done now.'));
    expect(answer).toMatchObject({ state: 'done', turn: 1, text: 'Sorry, done now.' });
    expect(one.model.requests).toHaveLength(2);
    expect(one.model.requests[1]?.last).toMatch(told);
    expect(wellFormed(one.model.requests[1]?.body.messages ?? [])).toBe(true);
    const [result] = (await messagesOf(one, conversationId)).filter((message) => message.role === 'tool');
    expect(result?.text).toMatch(told);
  });

  it('one wrong call beside a right one does not hold the right one back', async () => {
    const both = calls({ name: 'nonsense', id: 'a' }, { name: 'run_command', args: { command: 'echo fine' }, id: 'b' });
    const { answer } = await tell(both, text('One of two.'));
    expect(answer).toMatchObject({ state: 'done', text: 'One of two.' });
    const results = one.model.requests[1]?.body.messages.filter((message) => message.role === 'tool') ?? [];
    expect(results.map((message) => message.tool_call_id)).toEqual(['a', 'b']);
    expect(results[1]?.content).toContain('fine');
  });
});

it('an answer of 5 MB arrives whole, and the turn after it works', async () => {
  const { conversationId, answer } = await tell(huge(5_000_000));
  expect(answer).toMatchObject({ state: 'done', turn: 1 });
  expect(answer.text).toHaveLength(5_000_000);
  expect(one.model.requests).toHaveLength(1);
  one.model.next(text('Still here.'));
  const next = await finalAnswer(one, await say(one, conversationId, 'and now?'));
  expect(next).toMatchObject({ state: 'done', turn: 2, text: 'Still here.' });
});

function wellFormed(messages: Installation['model']['requests'][number]['body']['messages']): boolean {
  const results = new Set(messages.flatMap((message) => message.tool_call_id ?? []));
  return messages.every((message) => (message.tool_calls ?? []).every((call) => results.has(call.id)));
}

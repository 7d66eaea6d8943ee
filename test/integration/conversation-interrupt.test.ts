import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { calls, drip, hang, text, type ChatMessage } from '../support/model-server.ts';
import { Installation, until } from '../support/installation.ts';
import { finalAnswer, interrupt, messagesOf, openConversation, say, turnsOf, watch } from '../support/conversation.ts';

/** A person who stops a turn stops what it does, at once, and can go on talking. */

let one: Installation;

beforeAll(async () => {
  one = await Installation.create();
  await one.start('all');
});
beforeEach(() => one.model.reset());
afterAll(() => one.dispose());

/** Processes whose command line holds a word. */
function processesWith(word: string): readonly string[] {
  const lines = execFileSync('ps', ['-eo', 'pid,stat,args'], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => line.includes(word) && !/\sZ/.test(line) && !line.includes('ps -eo'));
}

function unanswered(messages: readonly ChatMessage[]): readonly string[] {
  const results = new Set(messages.flatMap((message) => message.tool_call_id ?? []));
  const ids = messages.flatMap((message) => (message.tool_calls ?? []).map((call) => call.id));
  return ids.filter((id) => !results.has(id));
}

describe('interrupt while a command runs', () => {
  it('ends its whole process tree within 2 s, children of their own session and deaf ones included', async () => {
    const mark = `9${String(process.pid)}.${String(Date.now() % 100_000)}`;
    const command = [
      `setsid sleep ${mark}1 &`,
      `(trap '' TERM INT HUP; while :; do sleep ${mark}2; done) &`,
      `nohup sleep ${mark}3 >/dev/null 2>&1 &`,
      `bash -c "sleep ${mark}4; true" &`,
      'touch started; wait',
    ].join('\n');
    one.model.next(calls({ name: 'run_command', args: { command }, id: 'call_tree' }));
    const conversationId = await openConversation(one);
    const inboundId = await say(one, conversationId, 'go');
    await until('all four children run', () => {
      return ['1', '2', '3', '4'].every((child) => processesWith(`sleep ${mark}${child}`).length > 0);
    });

    const stoppedAt = Date.now();
    expect(await interrupt(one, conversationId)).toEqual({ interrupted: true, turn: 1 });
    await until('the tree is gone', () => processesWith(mark).length === 0, 10_000);
    expect(Date.now() - stoppedAt).toBeLessThan(2_000);
    expect(await finalAnswer(one, inboundId)).toMatchObject({ state: 'interrupted', turn: 1 });
    expect(one.model.requests).toHaveLength(1);

    one.model.next(text('Gladly.'));
    const next = await finalAnswer(one, await say(one, conversationId, 'and now something else'));
    expect(next).toMatchObject({ state: 'done', turn: 2, text: 'Gladly.' });
    const messages = one.model.requests[1]?.body.messages ?? [];
    expect(messages.flatMap((message) => message.tool_calls ?? []).map((call) => call.id)).toEqual(['call_tree']);
    expect(unanswered(messages)).toEqual([]);
    expect(messages.find((message) => message.role === 'tool')?.content).toMatch(/stopped/i);
    expect(turnsOf(one, conversationId)).toEqual([
      { turn: 1, state: 'interrupted' },
      { turn: 2, state: 'done' },
    ]);
  });

  it('answers every call of the step, also those whose turn had not come', async () => {
    const sleeping = { name: 'run_command', args: { command: 'touch running; sleep 60' }, id: 'call_a' };
    const later = { name: 'run_command', args: { command: 'touch never' }, id: 'call_b' };
    one.model.next(calls(sleeping, later, { name: 'list_files', args: {}, id: 'call_c' }));
    const conversationId = await openConversation(one);
    const inboundId = await say(one, conversationId, 'go');
    await until('the first command runs', () => existsSync(join(one.workspace, 'running')));
    await interrupt(one, conversationId);
    expect(await finalAnswer(one, inboundId)).toMatchObject({ state: 'interrupted' });
    expect(await finalAnswer(one, await say(one, conversationId, 'next'))).toMatchObject({ state: 'done', turn: 2 });
    expect(existsSync(join(one.workspace, 'never'))).toBe(false);
    expect(unanswered(one.model.requests[1]?.body.messages ?? [])).toEqual([]);
  });
});

describe('interrupt while the model answers', () => {
  it('aborts the request and keeps what the person has read', async () => {
    const words = Array.from({ length: 300 }, (_, index) => `word${String(index)} `);
    one.model.next(drip(words, 100));
    const conversationId = await openConversation(one);
    const live = await watch(one, conversationId);
    const inboundId = await say(one, conversationId, 'tell me everything');
    await until('words arrive', () => live.events.filter((event) => event.kind === 'delta').length >= 5);
    expect(await interrupt(one, conversationId)).toEqual({ interrupted: true, turn: 1 });
    await until('the provider sees the end', () => one.model.requests[0]?.aborted === true);
    expect(await finalAnswer(one, inboundId)).toMatchObject({ state: 'interrupted', turn: 1 });
    await live.stop();
    const partial = (await messagesOf(one, conversationId)).find((message) => message.role === 'assistant');
    expect(partial?.text).toMatch(/^word0 word1 word2 word3 word4/);
    expect(partial?.text).not.toContain('word299');

    one.model.next(text('In short.'));
    const next = await finalAnswer(one, await say(one, conversationId, 'shorter please'));
    expect(next).toMatchObject({ state: 'done', turn: 2, text: 'In short.' });
    expect(one.model.requests).toHaveLength(2);
    const roles = one.model.requests[1]?.body.messages.filter(({ role }) => role === 'assistant') ?? [];
    expect(roles[0]?.content).toContain('word0 word1');
  });

  it('aborts a request that has not said a word', async () => {
    one.model.next(hang());
    const conversationId = await openConversation(one);
    const inboundId = await say(one, conversationId, 'hello?');
    await one.model.received(1);
    await interrupt(one, conversationId);
    await until('the provider sees the end', () => one.model.requests[0]?.aborted === true);
    expect(await finalAnswer(one, inboundId)).toMatchObject({ state: 'interrupted', turn: 1 });
    expect(await finalAnswer(one, await say(one, conversationId, 'again'))).toMatchObject({ state: 'done', turn: 2 });
  });
});

it('interrupting a conversation that does nothing says so and harms nothing', async () => {
  const conversationId = await openConversation(one);
  expect(await interrupt(one, conversationId)).toEqual({ interrupted: false, turn: null });
  expect(await finalAnswer(one, await say(one, conversationId, 'hello'))).toMatchObject({ state: 'done', turn: 1 });
});

it('an interrupt that comes together with the answer does not take the answer back', async () => {
  const conversationId = await openConversation(one);
  one.model.next(text('Just in time.'));
  const inboundId = await say(one, conversationId, 'hello');
  const answer = await finalAnswer(one, inboundId);
  // The store has the answer; the workflow may still be about to hear of it.
  await interrupt(one, conversationId);
  expect(await finalAnswer(one, await say(one, conversationId, 'and?'))).toMatchObject({ state: 'done', turn: 2 });
  expect(await finalAnswer(one, inboundId)).toEqual(answer);
  expect(turnsOf(one, conversationId)).toEqual([
    { turn: 1, state: 'done' },
    { turn: 2, state: 'done' },
  ]);
});

it('a turn that waits for the person can be interrupted; its question is closed', async () => {
  one.model.next(calls({ name: 'ask_user', args: { question: 'Really?' }, id: 'call_q' }));
  const conversationId = await openConversation(one);
  const inboundId = await say(one, conversationId, 'go');
  expect((await one.answer(inboundId)).state).toBe('waiting');
  expect(await interrupt(one, conversationId)).toEqual({ interrupted: true, turn: 1 });
  expect(await finalAnswer(one, inboundId)).toMatchObject({ state: 'interrupted' });
  const { body } = await one.request('GET', `/api/approvals?conversationId=${conversationId}`);
  expect(body).toEqual({ approvals: [] });
  expect(await finalAnswer(one, await say(one, conversationId, 'next'))).toMatchObject({ state: 'done', turn: 2 });
  expect(unanswered(one.model.requests[1]?.body.messages ?? [])).toEqual([]);
});

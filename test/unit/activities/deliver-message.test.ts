import { describe, expect, it } from 'vitest';
import { deliverMessage } from '../../../src/activities/deliver-message.ts';
import type { DeliverMessageInput } from '../../../src/contracts/activities.ts';
import { commitOf } from '../store/support/commit-of.ts';
import { conversationId, openActivityBench, secret, type ActivityBench } from './support/activity-bench.ts';

const to = { platform: 'telegram', chat: '1' };
const lane = { account: 'telegram', chat: '1' };
const answerInput: DeliverMessageInput = { conversationId, turn: 1, to, what: { kind: 'answer' } };
const calm = (): AbortSignal => new AbortController().signal;

async function answered(text: string): Promise<ActivityBench> {
  const bench = await openActivityBench();
  await bench.store.steps.begin({ conversationId, turn: 1, step: 1, inboundIds: [await bench.accept('in-1')] });
  await bench.store.steps.commit(commitOf(conversationId, 1, 1, { text }));
  return bench;
}

describe('an answer', () => {
  it('is in the outbox once, however often it is delivered, and the sender is woken', async () => {
    const bench = await answered('hello **there**');
    expect(await deliverMessage(bench.deps, answerInput, calm())).toEqual({
      state: 'queued',
      preview: 'hello **there**',
    });
    await bench.store.outbox.change({ id: `${conversationId}/1`, state: 'sent' });
    expect(await deliverMessage(bench.deps, answerInput, calm())).toMatchObject({ state: 'queued' });
    expect(await bench.store.outbox.head(lane)).toBeNull();
    expect(await bench.store.outbox.get(`${conversationId}/1`)).toMatchObject({
      kind: 'text',
      to,
      turn: 1,
      text: 'hello **there**',
      state: 'sent',
    });
    expect(bench.events.filter((event) => event.kind === 'outbox')).toHaveLength(2);
  });

  it('is not put there by a worker that ends', async () => {
    const bench = await answered('hello');
    const ending = AbortSignal.abort(new Error('ending'));
    await expect(deliverMessage(bench.deps, answerInput, ending)).rejects.toThrow('ending');
    expect(await bench.store.outbox.head(lane)).toBeNull();
  });

  it('goes where its turn was handed over to', async () => {
    const bench = await answered('hello');
    await bench.store.handoffs.put({ conversationId, turn: 1, to: { platform: 'slack', chat: '9' } });
    await deliverMessage(bench.deps, answerInput, calm());
    expect(await bench.store.outbox.get(`${conversationId}/1`)).toMatchObject({ to: { platform: 'slack', chat: '9' } });
  });

  it('carries no secret', async () => {
    const bench = await answered(`the key is ${secret}`);
    await deliverMessage(bench.deps, answerInput, calm());
    expect((await bench.store.outbox.head(lane))?.text).toMatch(/^the key is (?!sk-)/);
  });

  it('is nothing to send when it is empty', async () => {
    const bench = await answered('');
    expect(await deliverMessage(bench.deps, answerInput, calm())).toEqual({ state: 'sent', preview: '' });
    expect(await bench.store.outbox.head(lane)).toBeNull();
  });
});

it('a question goes beside the answer, under its own name', async () => {
  const bench = await answered('the answer');
  const approvalId = `ask:${conversationId}/1/1/0`;
  await bench.store.approvals.ask({
    id: approvalId,
    conversationId,
    turn: 1,
    kind: 'question',
    title: 'Tea or coffee?',
    detail: 'It is late.',
    choices: ['tea', 'coffee'],
    tool: null,
    ruleKey: null,
    callKey: null,
  });
  const ask: DeliverMessageInput = { ...answerInput, what: { kind: 'ask', approvalId } };
  await deliverMessage(bench.deps, ask, calm());
  await deliverMessage(bench.deps, answerInput, calm());
  expect(await bench.store.outbox.head(lane)).toMatchObject({
    id: approvalId,
    kind: 'ask',
    approvalId,
    text: 'Tea or coffee?\n\nIt is late.',
  });
  expect(await bench.store.outbox.get(`${conversationId}/1`)).toMatchObject({ text: 'the answer', seq: 2 });
});

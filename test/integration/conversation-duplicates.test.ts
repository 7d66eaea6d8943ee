import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { InboundEnvelope } from '../../src/contracts/conversation.ts';
import { conversationWorkflowId, defaultTaskQueue } from '../../src/contracts/workflow-ids.ts';
import { calls, text } from '../support/model-server.ts';
import { Installation, newInboundId, until } from '../support/installation.ts';
import { finalAnswer, openConversation, say, turnsOf, withTemporal } from '../support/conversation.ts';

/** The same message, however often and wherever it arrives again, is one turn. */

let one: Installation;

beforeAll(async () => {
  one = await Installation.create({ env: { HERMES_CONVERSATION_IDLE_COMPLETE_MINUTES: '0.01' } });
  await one.start('all');
});
beforeEach(() => one.model.reset());
afterAll(() => one.dispose());

async function untilCompleted(conversationId: string): Promise<void> {
  await withTemporal(one, (client) =>
    until('the idle conversation has completed', async () => {
      const described = await client.workflow.getHandle(conversationWorkflowId(conversationId)).describe();
      return described.status.name === 'COMPLETED';
    }),
  );
}

/** Delivers a message to the workflow as a relay does that died before it noted the signal. */
async function signalAgain(conversationId: string, inboundId: string): Promise<void> {
  const envelope: InboundEnvelope = {
    inboundId,
    receivedAt: new Date().toISOString(),
    platform: 'cli',
    preview: 'again',
  };
  const settings = {
    busyMode: 'steer',
    idleCompleteMs: 600,
    heartbeatTimeoutMs: 2_000,
    continueAsNewAfterEvents: 1_200,
    searchAttributes: false,
  };
  await withTemporal(one, (client) =>
    client.workflow.signalWithStart('conversation', {
      workflowId: conversationWorkflowId(conversationId),
      taskQueue: defaultTaskQueue,
      args: [{ schemaVersion: 1, conversationId, settings }],
      signal: 'inbound',
      signalArgs: [envelope],
    }),
  );
}

it('sent twice one after the other, the second changes nothing and gets the same answer', async () => {
  const conversationId = await openConversation(one);
  const inboundId = newInboundId();
  const request = { inboundId, text: 'once', conversation: { id: conversationId } };
  expect(await one.submit(request)).toMatchObject({ created: true, conversationId });
  const first = await finalAnswer(one, inboundId);
  expect(await one.submit(request)).toMatchObject({ created: false, conversationId });
  expect(await finalAnswer(one, inboundId)).toEqual(first);
  expect(one.model.requests).toHaveLength(1);
  expect(turnsOf(one, conversationId)).toEqual([{ turn: 1, state: 'done' }]);
});

it('sent ten times at once it is created once', async () => {
  const inboundId = newInboundId();
  const request = { inboundId, text: 'all at once', conversation: { new: true as const } };
  const results = await Promise.all(Array.from({ length: 10 }, () => one.submit(request)));
  expect(results.filter((result) => result.created)).toHaveLength(1);
  const [conversationId] = new Set(results.map((result) => result.conversationId));
  expect(results.every((result) => result.conversationId === conversationId)).toBe(true);
  expect(await finalAnswer(one, inboundId)).toMatchObject({ state: 'done', turn: 1 });
  expect(one.model.requests).toHaveLength(1);
  expect(turnsOf(one, conversationId ?? '')).toEqual([{ turn: 1, state: 'done' }]);
});

it('sent again while its turn runs it does not steer it', async () => {
  one.model.next(calls({ name: 'run_command', args: { command: 'sleep 0.8' } }));
  const conversationId = await openConversation(one);
  const inboundId = await say(one, conversationId, 'work');
  await one.model.received(1);
  await say(one, conversationId, 'work', { inboundId });
  await signalAgain(conversationId, inboundId);
  expect(await finalAnswer(one, inboundId)).toMatchObject({ state: 'done', turn: 1 });
  expect(one.model.requests).toHaveLength(2);
  expect(one.model.requests[1]?.body.messages.filter(({ role }) => role === 'user')).toHaveLength(1);
});

it('sent again after the conversation went idle and completed, it starts nothing', async () => {
  const conversationId = await openConversation(one);
  const inboundId = await say(one, conversationId, 'long ago');
  const first = await finalAnswer(one, inboundId);
  await untilCompleted(conversationId);

  await say(one, conversationId, 'long ago', { inboundId });
  expect(await finalAnswer(one, inboundId)).toEqual(first);
  await signalAgain(conversationId, inboundId);
  await untilCompleted(conversationId);
  expect(one.model.requests).toHaveLength(1);
  expect(turnsOf(one, conversationId)).toEqual([{ turn: 1, state: 'done' }]);

  // And the number it did not use is the next message's.
  one.model.next(text('woken'));
  const woken = await finalAnswer(one, await say(one, conversationId, 'good morning'));
  expect(woken).toMatchObject({ state: 'done', turn: 2, text: 'woken' });
  expect(one.model.requests[1]?.body.messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user']);
});

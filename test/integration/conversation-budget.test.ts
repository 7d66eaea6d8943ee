import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { calls, text } from '../support/model-server.ts';
import { Installation } from '../support/installation.ts';
import { decide, finalAnswer, openConversation, say, waitingIn } from '../support/conversation.ts';

/** A turn that reaches its limit parks and asks; the person's word decides whether it goes on. */

let one: Installation;

beforeAll(async () => {
  one = await Installation.create({ env: { HERMES_AGENT_MAX_STEPS_PER_TURN: '2' } });
  await one.start('all');
});
beforeEach(() => {
  one.model.reset();
  one.model.turn('work', ...[1, 2, 3].map((step) => command(step)), text('Finished after four steps.'));
});
afterAll(() => one.dispose());

const command = (step: number) => calls({ name: 'run_command', args: { command: `echo step ${String(step)}` } });

/** A turn that has used up its two steps. */
async function parked(): Promise<{ conversationId: string; inboundId: string; approvalId: string }> {
  const conversationId = await openConversation(one);
  const inboundId = await say(one, conversationId, 'work');
  expect(await one.answer(inboundId)).toMatchObject({ state: 'waiting', waitingFor: [{ kind: 'budget' }] });
  expect(one.model.requests).toHaveLength(2);
  const asked = await waitingIn(one, conversationId);
  expect(asked.title).toMatch(/limit of 2 model calls/);
  return { conversationId, inboundId, approvalId: asked.id };
}

it('approved, it goes on from where it stood, also after a restart', async () => {
  const { inboundId, approvalId } = await parked();
  await one.kill('all');
  await one.start('all');
  await decide(one, approvalId, { decision: 'approve' });
  expect(await finalAnswer(one, inboundId)).toMatchObject({
    state: 'done',
    turn: 1,
    text: 'Finished after four steps.',
  });
  expect(one.model.requests).toHaveLength(4);
});

it('approved, it may be reached again and asks again', async () => {
  one.model.turn('work', ...[1, 2, 3, 4].map((step) => command(step)), text('Finished after five steps.'));
  const { conversationId, inboundId, approvalId } = await parked();
  await decide(one, approvalId, { decision: 'approve' });
  await one.model.received(4);
  const again = await waitingIn(one, conversationId);
  expect(again.id).not.toBe(approvalId);
  expect(again.title).toMatch(/limit of 4 model calls/);
  await decide(one, again.id, { decision: 'approve' });
  expect(await finalAnswer(one, inboundId)).toMatchObject({ state: 'done', text: 'Finished after five steps.' });
});

it('denied, the turn ends there, and the next message gets a budget of its own', async () => {
  const { conversationId, inboundId, approvalId } = await parked();
  await decide(one, approvalId, { decision: 'deny' });
  const answer = await finalAnswer(one, inboundId);
  expect(answer).toMatchObject({ state: 'interrupted', turn: 1 });
  expect(answer.text).toMatch(/limit of 2 model calls/);
  expect(one.model.requests).toHaveLength(2);
  const next = await finalAnswer(one, await say(one, conversationId, 'thanks anyway'));
  expect(next).toMatchObject({ state: 'done', turn: 2 });
});

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { calls, text } from '../support/model-server.ts';
import { Installation } from '../support/installation.ts';
import { decide, finalAnswer, messagesOf, openConversation, say, waitingIn } from '../support/conversation.ts';

/** What needs the person's word waits for it, however long and through any restart, and happens as they said. */

let one: Installation;
let folders = 0;

beforeAll(async () => {
  one = await Installation.create();
  await Promise.all([one.start('gateway'), one.start('worker')]);
});
beforeEach(() => one.model.reset());
afterAll(() => one.dispose());

/** A folder of its own, and a call that leaves a line in it before it does what needs agreement. */
function dangerous(): { readonly trace: string; readonly call: ReturnType<typeof calls> } {
  folders += 1;
  const cwd = join(one.workspace, `repository-${String(folders)}`);
  mkdirSync(cwd);
  const command = 'echo ran >> trace; git push --force origin main';
  return { trace: join(cwd, 'trace'), call: calls({ name: 'run_command', args: { command, cwd }, id: 'call_push' }) };
}

/** Starts a turn that asks for agreement. */
async function asked(conversationId: string, call: ReturnType<typeof calls>): Promise<string> {
  one.model.next(call, text('All done.'));
  const inboundId = await say(one, conversationId, 'push it');
  expect(await one.answer(inboundId)).toMatchObject({ state: 'waiting', waitingFor: [{ kind: 'approval' }] });
  return inboundId;
}

const lines = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');

describe('a dangerous command', () => {
  it('asks first; approved after two restarts of everything it runs, once', async () => {
    const conversationId = await openConversation(one);
    const { trace, call } = dangerous();
    const inboundId = await asked(conversationId, call);
    const approval = await waitingIn(one, conversationId);
    expect(approval).toMatchObject({ kind: 'approval', state: 'waiting', turn: 1 });
    expect(approval.title).toContain('git push --force');
    expect(approval.detail).toMatch(/overwrites the history/);

    await Promise.all([one.terminate('gateway'), one.terminate('worker')]);
    await Promise.all([one.start('gateway'), one.start('worker')]);
    await Promise.all([one.kill('gateway'), one.kill('worker')]);
    await Promise.all([one.start('gateway'), one.start('worker')]);
    expect(await one.answer(inboundId)).toMatchObject({ state: 'waiting' });
    expect(lines(trace)).toBe('');

    expect(await decide(one, approval.id, { decision: 'approve' })).toMatchObject({ status: 200 });
    expect(await finalAnswer(one, inboundId)).toMatchObject({ state: 'done', turn: 1, text: 'All done.' });
    expect(lines(trace)).toBe('ran\n');
    expect(one.model.requests).toHaveLength(2);
    // A second word changes nothing.
    expect(await decide(one, approval.id, { decision: 'deny' })).toMatchObject({ status: 409 });
  });

  it('denied, nothing runs and the model reads why', async () => {
    const conversationId = await openConversation(one);
    const { trace, call } = dangerous();
    const inboundId = await asked(conversationId, call);
    const approval = await waitingIn(one, conversationId);
    await decide(one, approval.id, { decision: 'deny', answer: 'others work on that branch' });
    expect(await finalAnswer(one, inboundId)).toMatchObject({ state: 'done' });
    expect(one.model.requests[1]?.last).toMatch(/denied.*others work on that branch/s);
    expect(lines(trace)).toBe('');
  });

  it('approved once, the next one asks again', async () => {
    const conversationId = await openConversation(one);
    const first = dangerous();
    const inboundId = await asked(conversationId, first.call);
    await decide(one, (await waitingIn(one, conversationId)).id, { decision: 'approve', scope: 'once' });
    await finalAnswer(one, inboundId);
    one.model.reset();
    const again = dangerous();
    const second = await asked(conversationId, again.call);
    await decide(one, (await waitingIn(one, conversationId)).id, { decision: 'deny' });
    await finalAnswer(one, second);
  });

  it('a plain yes in the chat approves it', async () => {
    const conversationId = await openConversation(one);
    const { trace, call } = dangerous();
    const inboundId = await asked(conversationId, call);
    const spoken = await one.submit({
      inboundId: `yes-${inboundId}`,
      text: 'yes',
      conversation: { id: conversationId },
    });
    expect(spoken.decided).not.toBeNull();
    expect(await finalAnswer(one, inboundId)).toMatchObject({ state: 'done', turn: 1 });
    expect(lines(trace)).toBe('ran\n');
  });

  it('another message instead of a word refuses it, and is heard at once', async () => {
    const conversationId = await openConversation(one);
    const { trace, call } = dangerous();
    const inboundId = await asked(conversationId, call);
    const other = await say(one, conversationId, 'forget that, what time is it in Rome?');
    expect(await finalAnswer(one, inboundId)).toMatchObject({ state: 'done', turn: 1 });
    expect(await finalAnswer(one, other)).toMatchObject({ state: 'done', turn: 1 });
    expect(lines(trace)).toBe('');
    expect(one.model.requests[1]?.user).toContain('Rome');
  });

  // Last of its kind: from here on the person's rules let it pass.
  it('approved for a conversation it asks no more there, and still elsewhere; approved always, nowhere', async () => {
    const here = await openConversation(one);
    const elsewhere = await openConversation(one);
    const runsUnasked = async (conversationId: string): Promise<void> => {
      const { trace, call } = dangerous();
      one.model.next(call, text('Went through.'));
      const answer = await one.answer(await say(one, conversationId, 'again'));
      expect(answer).toMatchObject({ state: 'done', text: 'Went through.' });
      expect(lines(trace)).toBe('ran\n');
    };
    const first = await asked(here, dangerous().call);
    await decide(one, (await waitingIn(one, here)).id, { decision: 'approve', scope: 'conversation' });
    await finalAnswer(one, first);
    await runsUnasked(here);

    const second = await asked(elsewhere, dangerous().call);
    await decide(one, (await waitingIn(one, elsewhere)).id, { decision: 'approve', scope: 'always' });
    await finalAnswer(one, second);
    await runsUnasked(elsewhere);
    await runsUnasked(await openConversation(one));
  });
});

it('a blocked command asks nobody and cannot be approved', async () => {
  const conversationId = await openConversation(one);
  one.model.next(calls({ name: 'run_command', args: { command: 'rm -rf --no-preserve-root /' } }), text('I may not.'));
  const answer = await one.answer(await say(one, conversationId, 'wipe it'));
  expect(answer).toMatchObject({ state: 'done', text: 'I may not.', waitingFor: [] });
  expect(one.model.requests[1]?.last).toMatch(/no one can allow it/);
  expect(await decide(one, `ask:${conversationId}/1/1/0`, { decision: 'approve' })).toMatchObject({ status: 404 });
  const { body } = await one.request('GET', `/api/approvals?state=all&conversationId=${conversationId}`);
  expect(body).toEqual({ approvals: [] });
});

it('two calls that ask wait side by side; one approved and one denied, only the one runs', async () => {
  const conversationId = await openConversation(one);
  const call = (id: string) => ({ name: 'run_command', id, args: { command: `touch ${id}; git reset --hard` } });
  one.model.next(calls(call('wanted'), call('unwanted')), text('Half of it.'));
  const inboundId = await say(one, conversationId, 'both');
  expect((await one.answer(inboundId)).state).toBe('waiting');
  await decide(one, `ask:${conversationId}/1/1/1`, { decision: 'deny' });
  expect((await one.answer(inboundId)).state).toBe('waiting');
  await decide(one, `ask:${conversationId}/1/1/0`, { decision: 'approve' });
  expect(await finalAnswer(one, inboundId)).toMatchObject({ state: 'done', text: 'Half of it.' });
  expect(existsSync(join(one.workspace, 'wanted'))).toBe(true);
  expect(existsSync(join(one.workspace, 'unwanted'))).toBe(false);
});

describe('ask_user', () => {
  const question = calls({
    name: 'ask_user',
    args: { question: 'Which colour?', choices: ['red', 'green'] },
    id: 'call_q',
  });

  it('waits through a restart and takes the next plain message as its answer', async () => {
    one.model.next(question, text('Painted.'));
    const conversationId = await openConversation(one);
    const inboundId = await say(one, conversationId, 'paint it');
    expect(await one.answer(inboundId)).toMatchObject({ state: 'waiting', waitingFor: [{ title: 'Which colour?' }] });
    await one.kill('worker');
    await one.start('worker');
    const reply = { inboundId: `reply-${inboundId}`, text: 'a deep blue', conversation: { id: conversationId } };
    expect(await one.submit(reply)).toMatchObject({ created: true, decided: `ask:${conversationId}/1/1/0` });
    expect(await one.submit(reply)).toMatchObject({ created: false, decided: `ask:${conversationId}/1/1/0` });
    expect(await finalAnswer(one, inboundId)).toMatchObject({ state: 'done', turn: 1, text: 'Painted.' });
    expect(one.model.requests[1]?.last).toBe('a deep blue');
    const [result] = (await messagesOf(one, conversationId)).filter(({ role }) => role === 'tool');
    expect(result?.text).toBe('a deep blue');
  });

  it('reads a number as a choice', async () => {
    one.model.next(question, text('Painted.'));
    const conversationId = await openConversation(one);
    const inboundId = await say(one, conversationId, 'paint it');
    const { id } = await waitingIn(one, conversationId);
    expect(await decide(one, id, { decision: 'answer', answer: '2' })).toMatchObject({ status: 200 });
    expect(await finalAnswer(one, inboundId)).toMatchObject({ state: 'done' });
    expect(one.model.requests[1]?.last).toBe('green');
  });
});

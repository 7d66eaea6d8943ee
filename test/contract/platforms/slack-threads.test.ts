import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { slack } from '../../../src/gateway/platforms/slack/descriptor.ts';
import { SlackServer } from '../../support/platforms/slack-server.ts';
import { openBench, until, type Bench } from './bench.ts';

const anna = { id: 'UANNA0001', name: 'Anna' };
const ben = { id: 'UBEN00001', name: 'Ben' };
const direct = { id: 'D0000000001', kind: 'direct' as const };
const group = { id: 'C0000000001', kind: 'group' as const };

let bench: Bench | undefined;
afterEach(async () => {
  await bench?.close();
  bench = undefined;
});
async function open(): Promise<{ bench: Bench; server: SlackServer }> {
  const server = new SlackServer();
  bench = await openBench(slack, server);
  return { bench, server };
}
const options = (key: string) => ({ key, signal: AbortSignal.timeout(20_000) });

describe('a mention in a channel', () => {
  it('begins a thread, in which nobody needs to mention the agent again, also after a restart', async () => {
    const { bench, server } = await open();
    const root = await server.says({ chat: group, from: anna, text: 'the plan?', mention: true });
    const thread = { ...group, thread: root };
    const first = await bench.message('the plan?');
    expect(first).toMatchObject({ messageId: root, addressed: true, chat: thread });
    await server.says({ chat: thread, from: ben, text: 'and when' });
    expect(await bench.message('and when')).toMatchObject({ addressed: true, chat: thread });
    await bench.disconnect();
    await bench.connect();
    await server.says({ chat: thread, from: anna, text: 'and where' });
    expect(await bench.message('and where')).toMatchObject({ addressed: true, chat: thread });
    expect(bench.count('the plan?')).toBe(1);
  });

  it('begins none in a direct chat, and talk among others begins none', async () => {
    const { bench, server } = await open();
    await server.says({ chat: direct, from: anna, text: 'alone', mention: true });
    expect((await bench.message('alone')).chat).toEqual(direct);
    const root = await server.says({ chat: group, from: ben, text: 'not for you' });
    expect((await bench.message('not for you')).chat).toEqual(group);
    const thread = { ...group, thread: root };
    await server.says({ chat: thread, from: anna, text: 'but here', mention: true });
    expect(await bench.message('but here')).toMatchObject({ addressed: true, chat: thread });
    await server.says({ chat: thread, from: ben, text: 'between us' });
    expect(await bench.message('between us')).toMatchObject({ addressed: false, chat: thread });
  });

  it('that was missed is read up, and what was missed in its thread, each once', async () => {
    const { bench, server } = await open();
    const root = await server.says({ chat: group, from: anna, text: 'before', mention: true });
    await bench.message('before');
    await until('it is remembered', () => server.unacknowledged() === 0);
    await sleep(50);
    await bench.disconnect();
    await server.says({ chat: group, from: ben, text: 'among us' });
    const missed = await server.says({ chat: group, from: anna, text: 'missed', mention: true });
    await server.says({ chat: { ...group, thread: root }, from: ben, text: 'there too' });
    server.forget();
    await bench.connect();
    expect(await bench.message('missed')).toMatchObject({ addressed: true, chat: { ...group, thread: missed } });
    expect(await bench.message('there too')).toMatchObject({ addressed: true, chat: { ...group, thread: root } });
    await bench.disconnect();
    await bench.connect();
    await server.says({ chat: group, from: anna, text: 'afterwards', mention: true });
    await bench.message('afterwards');
    expect(['before', 'missed', 'there too', 'among us'].map((text) => bench.count(text))).toEqual([1, 1, 1, 0]);
  });

  it('takes its edits along, also those that take the mention away', async () => {
    const { bench, server } = await open();
    const root = await server.says({ chat: group, from: anna, text: 'seven', mention: true });
    await bench.message('seven');
    for (const [text, mention] of [
      ['eight', true],
      ['nine', false],
    ] as const) {
      await server.says({ chat: group, from: anna, text, mention, edits: root });
      const edit = await bench.message(text);
      expect(edit).toMatchObject({ edited: true, messageId: root, chat: { ...group, thread: root } });
    }
  });

  it('with a command stays with the channel, as slash commands do', async () => {
    const { bench, server } = await open();
    await server.says({ chat: group, from: anna, text: '/sethome', mention: true });
    const event = await bench.inbox.event(({ kind }) => kind === 'command');
    expect(event.chat).toEqual(group);
  });

  it('has answers in its thread that are found again, and buttons that tell the thread', async () => {
    const { bench, server } = await open();
    const root = await server.says({ chat: group, from: anna, text: 'may I?', mention: true });
    const { chat } = await bench.message('may I?');
    const to = { chat: chat.id, thread: root };
    const since = new Date(Date.now() - 1_000).toISOString();
    const buttons = [{ label: 'Yes', data: 'abcdabcdabcdabcd:0' }];
    const { outbound } = bench.connection();
    server.fail({ kind: 'accepted-then-cut' });
    const error = await bench.refusal(outbound.sendText(to, { text: 'Run it?', buttons }, options('slack/threaded')));
    expect(error.code).toBe('Platform.Ambiguous');
    const found = await outbound.reconcile(to, 'slack/threaded', since);
    const [shown] = server.messages({ ...group, thread: root });
    expect(found).toEqual({ state: 'sent', messageId: shown?.id });
    expect(await outbound.reconcile(to, 'slack/threaded/other', since)).toEqual({ state: 'absent' });
    await server.presses({ chat: group, from: anna, messageId: shown?.id ?? '', data: 'abcdabcdabcdabcd:0' });
    const press = await bench.inbox.event(({ kind }) => kind === 'button');
    expect(press).toMatchObject({ messageId: shown?.id, chat: { ...group, thread: root } });
    await outbound.edit(to, shown?.id ?? '', { text: 'It runs.' }, options('slack/threaded/edit'));
    expect(server.messages({ ...group, thread: root })).toMatchObject([{ text: 'It runs.', buttons: [] }]);
  });

  it('that is deleted does not make the channel count as gone', async () => {
    const { bench, server } = await open();
    const root = await server.says({ chat: group, from: anna, text: 'for a moment', mention: true });
    await bench.message('for a moment');
    const to = { chat: group.id, thread: root };
    const { outbound } = bench.connection();
    server.failMethod('chat.postMessage', { kind: 'says', error: 'thread_not_found' });
    const error = await bench.refusal(outbound.sendText(to, { text: 'x' }, options('slack/deleted')));
    expect(error.code).toBe('Platform.MessageRejected');
    server.failMethod('conversations.replies', { kind: 'says', error: 'thread_not_found' });
    const found = await outbound.reconcile(to, 'slack/deleted', new Date().toISOString());
    expect(found).toEqual({ state: 'unknown' });
  });
});

import { describe, expect, it, vi } from 'vitest';
import { openChats } from './support/chat.ts';

const soon = { timeout: 5_000, interval: 5 };

type Chats = Awaited<ReturnType<typeof openChats>>;

/** Says it and waits for the answer. */
async function talk({ say, store }: Chats, ...texts: string[]): Promise<string> {
  let id = '';
  for (const text of texts) {
    const { inboundId, conversationId } = await say(text);
    await vi.waitFor(async () => expect((await store.turns.ofInbound(inboundId))?.state).toBe('done'), soon);
    id = conversationId;
  }
  return id;
}

async function texts({ store }: Chats, conversationId: string): Promise<readonly string[]> {
  return (await store.transcript.page(conversationId, { limit: 50 })).map(({ text }) => text);
}

describe('commands about a turn', () => {
  it('/queue and /steer pass their text on in that mode', async () => {
    const { give, told } = await openChats();
    expect(await give('/queue look it up\nplease')).toEqual({
      text: '',
      message: { text: 'look it up\nplease', busyMode: 'queue' },
    });
    expect(await give('/steer faster')).toMatchObject({ message: { text: 'faster', busyMode: 'steer' } });
    expect(await told('/queue')).toBe('refused: Usage: /queue TEXT');
  });

  it('/undo takes one turn back for one key', async () => {
    const chats = await openChats();
    const id = await talk(chats, 'one', 'two');
    expect(await chats.told('/undo', {}, 'telegram:update/5')).toBe('The last turn is taken back.\n\n> two');
    expect(await chats.told('/undo', {}, 'telegram:update/5')).toBe('The last turn is taken back.\n\n> two');
    expect(await texts(chats, id)).toEqual(['one', 'echo: one']);
    await chats.told('/undo');
    expect(await chats.told('/undo')).toBe('refused: There is no turn to undo.');
  });

  it('/retry hides the last turn once and says its text again', async () => {
    const chats = await openChats();
    const id = await talk(chats, 'one', 'two');
    const again = { text: '', message: { text: 'two' } };
    expect(await chats.give('/retry', {}, 'telegram:update/6')).toEqual(again);
    expect(await chats.give('/retry', {}, 'telegram:update/6')).toEqual(again);
    expect(await texts(chats, id)).toEqual(['one', 'echo: one']);
  });

  it('/retry in a group does not name its speaker twice', async () => {
    const chats = await openChats();
    const anna = { userId: 'u1', group: '-100', isAdmin: true };
    const { id } = await (await chats.speaker(anna)).conversation();
    const said = { conversation: { id }, personId: 'group:telegram:-100' };
    const { inboundId } = await chats.say('name of u1: hello', said);
    await vi.waitFor(async () => expect((await chats.store.turns.ofInbound(inboundId))?.state).toBe('done'), soon);
    expect(await chats.give('/retry', anna)).toEqual({ text: '', message: { text: 'hello' } });
  });

  it('/undo and /retry wait for the end of a turn', async () => {
    const chats = await openChats();
    chats.conversations.script = () => new Promise(() => undefined);
    await chats.say('hello');
    expect(await chats.told('/undo')).toMatch(/^refused: A turn runs/);
    expect(await chats.told('/retry')).toMatch(/^refused: A turn runs/);
  });

  it('/stop stops the turn that ran when it was given, and no later one', async () => {
    const chats = await openChats();
    const { conversations, store, say } = chats;
    expect(await chats.told('/stop')).toBe('Nothing runs.');
    conversations.script = () => new Promise(() => undefined);
    const interrupt = vi.spyOn(conversations, 'interrupt');
    const { conversationId } = await say('hello');
    await vi.waitFor(async () => expect((await store.turns.last(conversationId))?.state).toBe('running'), soon);
    expect(await chats.told('/stop', {}, 'telegram:update/7')).toBe('Stopping.');
    await vi.waitFor(async () => expect((await store.turns.last(conversationId))?.state).toBe('interrupted'), soon);
    await say('and again');
    await vi.waitFor(async () => expect((await store.turns.last(conversationId))?.turn).toBe(2), soon);
    await chats.told('/stop', {}, 'telegram:update/7');
    const request = { turn: 1, by: 'telegram:update/7' };
    expect(interrupt.mock.calls).toEqual([
      [conversationId, request],
      [conversationId, request],
    ]);
  });

  it('/stop waits for the turn of a message that was just accepted', async () => {
    const chats = await openChats();
    const { conversations, store } = chats;
    let signalled = (): void => undefined;
    const reached = new Promise<void>((resolve) => (signalled = resolve));
    conversations.beforeSignal = () => reached;
    conversations.script = () => new Promise(() => undefined);
    const { conversationId } = await chats.say('hello');
    const stopping = chats.told('/stop');
    expect((await store.turns.last(conversationId))?.turn).toBeUndefined();
    signalled();
    expect(await stopping).toBe('Stopping.');
  });

  it('/approve decides the oldest that waits, once for one key', async () => {
    const chats = await openChats();
    const { conversations, store, told } = chats;
    expect(await told('/approve')).toBe('refused: Nothing waits for a decision.');
    conversations.script = async (play) => {
      const first = await play.ask({ kind: 'approval', title: 'rm build' });
      const second = await play.ask({ kind: 'approval', title: 'rm dist' });
      return `${first.decision} ${second.decision} ${second.answer ?? ''}`;
    };
    const { conversationId } = await chats.say('clean');
    const waits = (title: string) =>
      vi.waitFor(async () => {
        const waiting = await store.approvals.list({ state: 'waiting', conversationId, limit: 5 });
        expect(waiting.map((one) => one.title)).toEqual([title]);
      }, soon);
    await waits('rm build');
    expect(await told('/approve alw', {}, 'telegram:update/8')).toBe('Approved for always: rm build');
    await waits('rm dist');
    expect(await told('/approve alw', {}, 'telegram:update/8')).toBe('Approved for always: rm build');
    await waits('rm dist');
    expect(await told('/no keep it')).toBe('Denied: rm dist');
    await vi.waitFor(
      async () => expect((await store.turns.last(conversationId))?.answer).toBe('approve deny keep it'),
      soon,
    );
  });

  it('/approve leaves questions to words and budgets to admins', async () => {
    const chats = await openChats();
    const { conversations, store, told } = chats;
    conversations.script = async (play) => {
      await play.ask({ kind: 'question', title: 'Which one?', ruleKey: null });
      await play.ask({ kind: 'budget', title: 'Spend $1 more?', ruleKey: null });
      return 'done';
    };
    const { conversationId } = await chats.say('go');
    const waits = (kind: string) =>
      vi.waitFor(async () => {
        const waiting = await store.approvals.list({ state: 'waiting', conversationId, limit: 5 });
        expect(waiting.map((one) => one.kind)).toEqual([kind]);
      }, soon);
    await waits('question');
    expect(await told('/approve')).toBe('refused: A question waits: write your answer.');
    expect(await told('/deny')).toBe('Denied: Which one?');
    await waits('budget');
    expect(await told('/approve')).toMatch(/^refused: Only an admin/);
    expect(await told('/approve', { isAdmin: true })).toBe('Approved: Spend $1 more?');
    await vi.waitFor(async () => expect((await store.turns.last(conversationId))?.state).toBe('done'), soon);
  });
});

import { describe, expect, it, vi } from 'vitest';
import { openChats } from './support/chat.ts';

const soon = { timeout: 5_000, interval: 5 };
const onSlack = { account: 'slack', userId: 'u2' };
const address = { platform: 'slack', chat: 'chat-u2' };

type Chats = Awaited<ReturnType<typeof openChats>>;

/** Anna has written on both; something has been said. */
async function openBoth() {
  const chats = await openChats();
  await chats.speaker(onSlack);
  await chats.speaker();
  const { conversationId } = await chats.say('my password is hunter2');
  await ended(chats, conversationId, 1);
  return { ...chats, conversationId };
}

async function ended({ store }: Chats, conversationId: string, turn: number): Promise<void> {
  await vi.waitFor(async () => expect((await store.turns.get(conversationId, turn))?.endedAt).toBeTruthy(), soon);
}

describe('/handoff', () => {
  it('says in the other chat what is handed over', async () => {
    const chats = await openBoth();
    expect(await chats.told('/handoff slack', {}, 'telegram:update/3')).toBe('This talk goes on at slack.');
    expect(await chats.store.outbox.get('event/slack/telegram:update/3/handoff')).toMatchObject({
      to: address,
      conversationId: chats.conversationId,
      text: 'Going on here: **(untitled)**\n\n> echo: my password is [secret]',
    });
    expect(await chats.store.handoffs.open(10)).toEqual([]);
  });

  it('takes the conversation along where each platform has its own', async () => {
    const chats = await openChats();
    chats.useScope('platform');
    const there = await (await chats.speaker(onSlack)).conversation();
    const here = await (await chats.speaker()).conversation();
    expect(there.id).not.toBe(here.id);
    await chats.told('/handoff slack');
    expect((await (await chats.speaker(onSlack)).conversation()).id).toBe(here.id);
  });

  it('makes what the terminal shows the current conversation', async () => {
    const chats = await openBoth();
    const other = await chats.store.conversations.create({ id: 'other', personId: 'anna', platform: 'cli' });
    expect(await chats.handOff({ key: 'cli-handoff-1', conversation: other, to: 'Slack' })).toEqual({
      account: 'slack',
    });
    expect((await chats.store.conversations.current('anna')).id).toBe('other');
  });

  it('goes to no account that the configuration has let go', async () => {
    const chats = await openBoth();
    const user = await chats.store.platformUsers.get('slack', 'u2');
    if (user === null) throw new Error('nobody there');
    for (const via of ['owner', 'allow'] as const) {
      await chats.store.platformUsers.put({ ...user, via });
      expect(await chats.told('/handoff slack')).toMatch(/^refused: You have no direct chat with the agent on slack/);
    }
  });

  it('refuses accounts that are not there, unknown to the person, or this one', async () => {
    const { told, speaker } = await openBoth();
    expect(await told('/handoff')).toMatch(/^refused: Usage/);
    expect(await told('/handoff signal')).toBe('refused: There is no account "signal" here.');
    expect(await told('/handoff slack/work')).toMatch(/^refused: You have no direct chat with the agent on slack.work/);
    expect(await told('/handoff telegram')).toBe('refused: This talk is here already.');
    await speaker({ account: 'slack/work', userId: 'u3' });
    expect(await told('/handoff slack/work')).toBe('This talk goes on at slack/work.');
    expect(await told('/handoff slack')).toBe('This talk goes on at slack.');
  });

  it('asks which one is meant where a platform has two accounts of the person', async () => {
    const { told, speaker, enabled } = await openChats();
    const work = enabled.get('slack/work');
    if (work !== undefined) enabled.set('slack/home', work);
    await speaker({ account: 'slack/work', userId: 'u3' });
    await speaker({ account: 'slack/home', userId: 'u4' });
    expect(await told('/handoff slack')).toMatch(/^refused: "slack" could be slack.\w+, slack.\w+\.$/);
  });

  it('brings questions and the answer of a turn from the terminal, once, also after a restart', async () => {
    const chats = await openBoth();
    const { store, conversations, conversationId } = chats;
    conversations.script = async (play) => {
      const { decision } = await play.ask({ kind: 'approval', title: 'rm hunter2' });
      return `${decision}: hunter2 is gone`;
    };
    await chats.say('clean up');
    await vi.waitFor(
      async () => expect(await store.approvals.list({ state: 'waiting', limit: 5 })).toHaveLength(1),
      soon,
    );
    await chats.told('/handoff slack', {}, 'telegram:update/4');
    expect(await store.handoffs.to(conversationId, 2)).toEqual(address);
    const [asked] = await store.approvals.list({ state: 'waiting', limit: 5 });
    const watcher = chats.watch();
    await vi.waitFor(async () => expect(await store.outbox.get(asked?.id ?? '')).not.toBeNull(), soon);
    expect(await store.outbox.get(asked?.id ?? '')).toMatchObject({ kind: 'ask', to: address, text: 'rm [secret]' });
    await watcher.stop();

    expect(await chats.told('/approve', onSlack)).toBe('Approved: rm hunter2');
    await ended(chats, conversationId, 2);
    // On its way with the commit that ended the turn, which is given what has been redacted.
    const answer = { kind: 'text', to: address, text: 'approve: hunter2 is gone', state: 'new' };
    expect(await store.outbox.get(`${conversationId}/2`)).toMatchObject(answer);
    chats.watch();
    await vi.waitFor(async () => expect(await store.handoffs.open(10)).toEqual([]), soon);
    expect(await store.outbox.get(`${conversationId}/2`)).toMatchObject(answer);
    // Where the answer of an address of its own goes, also when it comes after the watcher.
    expect(await store.handoffs.to(conversationId, 2)).toEqual(address);
  });

  it('repeated under its key hands over no later turn', async () => {
    const chats = await openBoth();
    const { store, conversations, conversationId } = chats;
    await chats.told('/handoff slack', {}, 'telegram:update/5');
    conversations.script = () => new Promise(() => undefined);
    await chats.say('work');
    await vi.waitFor(async () => expect((await store.turns.last(conversationId))?.turn).toBe(2), soon);
    expect(await chats.told('/handoff slack', {}, 'telegram:update/5')).toBe('This talk goes on at slack.');
    expect(await store.handoffs.to(conversationId, 2)).toBeNull();
    await chats.told('/handoff slack', {}, 'telegram:update/6');
    expect(await store.handoffs.to(conversationId, 2)).toEqual(address);
  });

  it('leaves alone what the turn has put into the outbox itself', async () => {
    const chats = await openBoth();
    const { store, conversations, conversationId } = chats;
    let finish = (): void => undefined;
    conversations.script = () => new Promise((resolve) => (finish = () => resolve('done')));
    await chats.say('work', { replyTo: { platform: 'telegram', chat: 'chat-u1' } });
    await vi.waitFor(async () => expect((await store.turns.last(conversationId))?.turn).toBe(2), soon);
    await chats.told('/handoff slack');
    const id = `${conversationId}/2`;
    await store.outbox.enqueue({ id, kind: 'text', to: address, conversationId, turn: 2, text: 'put by the turn' });
    finish();
    await ended(chats, conversationId, 2);
    chats.watch();
    await vi.waitFor(async () => expect(await store.handoffs.open(10)).toEqual([]), soon);
    expect((await store.outbox.get(id))?.text).toBe('put by the turn');
  });

  it('forgets the answer of a turn that was taken back, and goes with its conversation', async () => {
    const chats = await openBoth();
    const { store, conversationId } = chats;
    await store.handoffs.put({ conversationId, turn: 1, to: address });
    await store.transcript.hideTurn(conversationId, 1);
    chats.watch();
    await vi.waitFor(async () => expect(await store.handoffs.open(10)).toEqual([]), soon);
    expect(await store.outbox.get(`${conversationId}/1`)).toBeNull();
    await store.conversations.delete(conversationId);
    expect(await store.handoffs.to(conversationId, 1)).toBeNull();
  });
});

describe('/sethome and /voice', () => {
  it('/sethome makes this chat the home of the account, before the configured one', async () => {
    const { told, homeOf } = await openChats();
    expect(await homeOf('telegram')).toBeNull();
    expect(await homeOf('slack')).toEqual({ chat: 'C9' });
    expect(await told('/sethome', { account: 'slack' })).toMatch(/^refused: .sethome changes the agent itself/);
    await told('/sethome', { account: 'slack', isAdmin: true });
    await told('/sethome', { group: '-100', isAdmin: true });
    expect(await homeOf('slack')).toEqual({ chat: 'chat-u1' });
    expect(await homeOf('telegram')).toEqual({ chat: '-100', thread: '7' });
  });

  it('/voice turns spoken answers of the conversation on where there are voice notes', async () => {
    const { told, store } = await openChats();
    const { id } = await store.conversations.current('anna');
    expect(await told('/voice')).toBe('Spoken answers are off.');
    expect(await told('/voice on')).toBe('Spoken answers in this conversation: on.');
    expect(await store.spokenConversations.has(id)).toBe(true);
    expect(await told('/voice on', { account: 'slack' })).toBe('refused: slack has no voice notes.');
    expect(await told('/voice off')).toBe('Spoken answers in this conversation: off.');
    expect(await store.spokenConversations.has(id)).toBe(false);
    expect(await told('/voice loud')).toMatch(/^refused: "loud" is none of/);
  });

  it('/voice says where speech is not set up', async () => {
    const { told } = await openChats({ canSpeak: () => false });
    expect(await told('/voice on')).toMatch(/^refused: Spoken answers are not set up here/);
  });
});

import { describe, expect, it, vi } from 'vitest';
import { PortError } from '../../../../src/lib/port-error.ts';
import { account, annaChat, command, group, message, openInbound, soon } from './support/inbound.ts';

describe('a message of a platform', () => {
  it('becomes a message of the current conversation, answered where it came from', async () => {
    const { inbox, idle, given, store } = await openInbound();
    await inbox.accept(message('hello', { key: 'update/1', chat: { ...annaChat, thread: '5' } }));
    await idle();
    expect(await given()).toMatchObject([
      {
        id: 'telegram:update/1',
        text: 'hello',
        personId: 'anna',
        platform: account,
        conversationId: (await store.conversations.current('anna')).id,
        replyTo: { platform: account, chat: '70', thread: '5' },
      },
    ]);
  });

  it('is one message, however often and under whichever key it is delivered', async () => {
    const { inbox, idle, texts } = await openInbound();
    await Promise.all(Array.from({ length: 5 }, () => inbox.accept(message('once', { key: 'a', aliases: ['b'] }))));
    await inbox.accept(message('once', { key: 'b' }));
    await idle();
    await inbox.accept(message('once', { key: 'b', aliases: ['a'] }));
    await idle();
    expect(await texts()).toEqual(['once']);
  });

  it('keeps the order of its chat, and chats do not wait for each other', async () => {
    const { inbox, idle, texts } = await openInbound();
    const events = Array.from({ length: 40 }, (_, chat) => chat).flatMap((chat) =>
      [1, 2, 3].map((index) =>
        message(`${String(chat)}/${String(index)}`, { chat: { id: String(chat), kind: 'direct' } }),
      ),
    );
    await Promise.all(events.map((event) => inbox.accept(event)));
    await idle();
    const order = await texts();
    expect(order).toHaveLength(120);
    for (let chat = 0; chat < 40; chat += 1) {
      const own = order.filter((text) => text.startsWith(`${String(chat)}/`));
      expect(own).toEqual([1, 2, 3].map((index) => `${String(chat)}/${String(index)}`));
    }
  });

  it('is kept before anything is processed, and taken up by a later start', async () => {
    const first = await openInbound({ start: false });
    await first.inbox.accept(message('kept'));
    expect(await first.texts()).toEqual([]);
    await first.inbound.start();
    await first.idle();
    expect(await first.texts()).toEqual(['kept']);
  });

  it('is not accepted when it cannot be kept', async () => {
    const { deps, inbound } = await openInbound({ start: false });
    const events = deps.store.platformEvents;
    const broken = new PortError('Storage.Full', 'The disk is full.');
    vi.spyOn(events, 'accept').mockRejectedValueOnce(broken);
    await expect(inbound.inbox(account).accept(message('x'))).rejects.toBe(broken);
  });

  it('carries what it answers as a quote', async () => {
    const { inbox, idle, texts } = await openInbound();
    await inbox.accept(message('why?', { quoted: 'It failed.\nTwice.' }));
    await idle();
    expect(await texts()).toEqual(['> It failed.\n> Twice.\n\nwhy?']);
  });

  it('that says nothing starts nothing', async () => {
    const { inbox, idle, texts, said } = await openInbound();
    await inbox.accept(message(' '));
    await idle();
    expect(await texts()).toEqual([]);
    expect(said()).toEqual([]);
  });

  it('of a bot starts nothing', async () => {
    const { inbox, idle, texts } = await openInbound();
    await inbox.accept(message('beep', { sender: { id: '7', name: 'Bot', isBot: true } }));
    await idle();
    expect(await texts()).toEqual([]);
  });

  it('leaves nothing of itself behind once its conversation has it', async () => {
    const { inbox, idle, store } = await openInbound();
    await inbox.accept(message('secret words', { key: 'k' }));
    await idle();
    expect(await store.platformEvents.members(1)).toMatchObject([{ key: 'k', state: 'done', event: '' }]);
  });

  it('goes on with a conversation of the platform where people want that', async () => {
    const { inbox, idle, given, store } = await openInbound({ deps: { scope: () => 'platform' } });
    await inbox.accept(message('one'));
    await idle();
    await inbox.accept(message('two'));
    await idle();
    const [one, two] = await given();
    expect(one?.conversationId).toBe(two?.conversationId);
    expect(one?.conversationId).not.toBe((await store.conversations.current('anna')).id);
    expect(await store.chatConversations.get('anna@telegram')).toBe(one?.conversationId);
    await store.conversations.delete(one?.conversationId ?? '');
    await inbox.accept(message('three'));
    await idle();
    expect((await given()).map(({ text, conversationId }) => [text, conversationId === one?.conversationId])).toEqual([
      ['three', false],
    ]);
  });

  it('waits as long as its account is not enabled, and holds up no other', async () => {
    const { inbound, texts, inbox, store } = await openInbound();
    await inbound.inbox('slack').accept(message('later', { key: 'slack-1' }));
    await inbox.accept(message('now'));
    await vi.waitFor(async () => expect(await texts()).toEqual(['now']), soon);
    expect(await store.platformEvents.openLanes([], 10)).toHaveLength(1);
  });
});

describe('what goes wrong with a message', () => {
  it('is tried again as long as waiting may mend it, and then done once', async () => {
    const first = await openInbound({ start: false });
    let failures = 8;
    const { inbox, idle, texts, said } = await openInbound({
      gateway: first,
      deps: {
        submit: (one) =>
          failures-- > 0 ? Promise.reject(new PortError('Storage.Unavailable', 'busy')) : first.submit(one),
      },
    });
    await inbox.accept(message('patience'));
    await idle();
    expect(await texts()).toEqual(['patience']);
    expect(said()).toEqual([]);
  });

  it('is set aside after five tries and said, and the chat goes on', async () => {
    let tries = 0;
    const first = await openInbound({ start: false });
    const { inbox, idle, texts, said, store } = await openInbound({
      gateway: first,
      deps: {
        submit: (one) => {
          if (one.text !== 'poison') return first.submit(one);
          tries += 1;
          return Promise.reject(new TypeError('x is not a function'));
        },
      },
    });
    await inbox.accept(message('poison', { key: 'p' }));
    await inbox.accept(message('after it'));
    await idle();
    expect(tries).toBe(5);
    expect(await texts()).toEqual(['after it']);
    expect(said()).toEqual(['I could not process your message: x is not a function. It was not passed on.']);
    expect((await store.platformEvents.members(1))[0]).toMatchObject({ state: 'failed', attempts: 5 });
  });

  it('is said at once where the message itself is refused', async () => {
    const { inbox, idle, said, store } = await openInbound();
    await inbox.accept(message('x'.repeat(1_000_001)));
    await idle();
    expect(said()).toEqual([expect.stringMatching(/at most 1000000 characters\. It was not passed on\.$/)]);
    expect((await store.platformEvents.members(1))[0]).toMatchObject({ state: 'failed', attempts: 1 });
  });

  it('does not block a chat where an event is not even readable', async () => {
    const { inbox, inbound, idle, texts, store } = await openInbound({ start: false });
    const lane = JSON.stringify([account, annaChat.id, '']);
    await store.platformEvents.accept({ account, keys: ['broken'], lane, sender: '7', event: '{"kind":' });
    await inbox.accept(message('after it'));
    await inbound.start();
    await idle();
    expect(await texts()).toEqual(['after it']);
    expect((await store.platformEvents.members(1))[0]).toMatchObject({ state: 'ignored', attempts: 5 });
  });
});

describe('a group', () => {
  const listed = { conduct: { groups: [group.id] } };

  it('is heard only where it is listed and the agent is addressed', async () => {
    const { inbox, idle, texts, store } = await openInbound(listed);
    await inbox.accept(message('not to you', { chat: group, addressed: false }));
    await inbox.accept(message('elsewhere', { chat: { id: '-2', kind: 'group' } }));
    await inbox.accept(message('to you', { chat: group }));
    await idle();
    expect(await texts()).toEqual(['Anna: to you']);
    expect(await store.platformEvents.members(1)).toMatchObject([{ state: 'done', event: '' }]);
  });

  it('that is not listed tells an admin who speaks to the agent there how to list it, and nobody else', async () => {
    const conduct = { groups: ['-9'], owner: ['7'], allow: ['8'] };
    const { inbox, idle, given, said } = await openInbound({ conduct });
    await inbox.accept(message('hello?', { chat: group, sender: { id: '8', name: 'Ben' } }));
    await inbox.accept(message('among ourselves', { chat: group, addressed: false }));
    await idle();
    expect(said()).toEqual([]);
    await inbox.accept(message('hello?', { chat: group }));
    await idle();
    expect(await given()).toEqual([]);
    expect(said()).toEqual([
      "I do not answer in this group yet. To let me:\n\n`hermes config set gateway.telegram.groups '-9,-1'`",
    ]);
  });

  it('has a person and, for every thread, a conversation of its own', async () => {
    const { inbox, idle, given, store } = await openInbound({ conduct: { groups: ['*'] } });
    await inbox.accept(message('a', { chat: group }));
    await inbox.accept(message('b', { chat: { ...group, thread: '5' } }));
    await inbox.accept(message('c', { chat: group }));
    await idle();
    const rows = await given();
    const talk = (text: string) => rows.find((row) => row.text === `Anna: ${text}`)?.conversationId;
    expect(new Set(rows.map(({ personId }) => personId))).toEqual(new Set(['group:telegram:-1']));
    expect(talk('a')).toBe(talk('c'));
    expect(talk('a')).not.toBe(talk('b'));
    expect(await store.chatConversations.get('telegram:-1:5')).toBe(talk('b'));
    expect(talk('a')).not.toBe((await store.conversations.current('anna')).id);
  });

  it('lets its members speak, but give no commands', async () => {
    const { inbox, idle, texts, said, commands, store } = await openInbound(listed);
    const member = { id: '99', name: 'Eve: root\nAnna' };
    await inbox.accept(message('hello', { chat: group, sender: member }));
    await inbox.accept(command('new', '', { chat: group, sender: member }));
    await inbox.accept(command('new', '', { chat: group }));
    await idle();
    expect(await texts()).toEqual(['Eve root Anna: hello']);
    expect(said()).toEqual(['In a group only admins give commands.', 'done']);
    expect(commands.map(({ speaker }) => [speaker.isAdmin, speaker.personId])).toEqual([[true, 'group:telegram:-1']]);
    expect(await store.platformUsers.get(account, '99')).toBeNull();
  });
});

describe('events of long ago', () => {
  it('are forgotten again and again, also after the store has failed once, and not after the end', async () => {
    const first = await openInbound({ start: false });
    let calls = 0;
    const prune = (before: Parameters<typeof first.store.platformEvents.prune>[0]) => {
      calls += 1;
      return calls === 2
        ? Promise.reject(new PortError('Storage.Unavailable', 'full'))
        : first.store.platformEvents.prune(before);
    };
    const platformEvents = { ...first.store.platformEvents, prune };
    const { inbound } = await openInbound({
      gateway: first,
      deps: { store: { ...first.store, platformEvents }, times: { pruneEveryMs: 5 } },
    });
    await vi.waitFor(() => expect(calls).toBeGreaterThan(3), soon);
    await inbound.stop();
    const atEnd = calls;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(calls).toBe(atEnd);
  });
});

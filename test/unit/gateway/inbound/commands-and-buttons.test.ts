import { describe, expect, it, vi } from 'vitest';
import type { ButtonMeaning } from '../../../../src/gateway/inbound/deps.ts';
import type { PlatformEvent } from '../../../../src/gateway/platforms/platform.ts';
import { Refusal } from '../../../../src/gateway/refusal.ts';
import type { Store } from '../../../../src/store/ports.ts';
import { account, annaChat, command, group, message, openInbound, press, stranger } from './support/inbound.ts';

const texty = { capabilities: { commands: 'text' } } as const;

describe('a command', () => {
  it('is carried out under a key of its own, and its words go to the chat', async () => {
    const { inbox, idle, commands, sent, texts } = await openInbound();
    await inbox.accept(command('New', 'a talk', { key: 'c-1', chat: { ...annaChat, thread: '3' } }));
    await idle();
    expect(commands).toMatchObject([{ key: 'telegram:c-1', name: 'new', args: 'a talk' }]);
    expect(commands[0]?.speaker).toMatchObject({ personId: 'anna', isAdmin: true, account });
    expect(sent()).toMatchObject([
      { key: 'event/telegram/c-1/reply', text: 'done', to: { platform: account, chat: '70', thread: '3' } },
    ]);
    expect(await texts()).toEqual([]);
  });

  it('may be a message, too', async () => {
    const { inbox, idle, outcome, given, said } = await openInbound();
    outcome.next = { text: '', message: { text: 'after this', busyMode: 'queue' } };
    await inbox.accept(command('queue', 'after this', { key: 'c-1' }));
    await idle();
    expect(await given()).toMatchObject([{ id: 'telegram:c-1', text: 'after this', busyMode: 'queue' }]);
    expect(said()).toEqual([]);
  });

  it('is typed where the platform has none of its own, and only there', async () => {
    const typed = await openInbound(texty);
    await typed.inbox.accept(message('/stat'));
    await typed.inbox.accept(message('//status says'));
    await typed.inbox.accept(message('/etc/hosts is broken'));
    await typed.idle();
    expect(typed.commands.map(({ name }) => name)).toEqual(['status']);
    expect(await typed.texts()).toEqual(['/status says', '/etc/hosts is broken']);
    const native = await openInbound();
    await native.inbox.accept(message('/status'));
    await native.idle();
    expect(native.commands).toEqual([]);
    expect(await native.texts()).toEqual(['/status']);
  });

  it('that is none, or several, is answered with a hint', async () => {
    const { inbox, idle, said, texts } = await openInbound(texty);
    for (const text of ['/frobnicate', '/s', '/start']) await inbox.accept(message(text));
    await inbox.accept(command('prompt'));
    await idle();
    expect(said()[0]).toMatch(/^There is no command \/frobnicate\./);
    expect(said()[1]).toMatch(/^\/s could be \/stop, \/steer, /);
    expect(said()[2]).toMatch(/^Hello\./);
    expect(await texts()).toEqual([]);
  });

  it('that is refused says why', async () => {
    const { inbox, idle, said } = await openInbound({
      deps: { runCommand: () => Promise.reject(new Refusal('Api.NotFound', 'No such talk.', { hint: 'List them.' })) },
    });
    await inbox.accept(command('resume', 'x'));
    await idle();
    expect(said()).toEqual(['No such talk. List them.']);
  });

  it('moves the chat to another conversation', async () => {
    const { inbox, idle, given, commands, store } = await openInbound();
    await inbox.accept(command('new'));
    await idle();
    const made = await store.conversations.create({ id: 'c-other', personId: 'anna', platform: account });
    await commands[0]?.speaker.goOnWith(made.id);
    await inbox.accept(message('here'));
    await idle();
    expect(await given()).toMatchObject([{ conversationId: 'c-other' }]);
  });
});

const meaning: ButtonMeaning = {
  approvalId: 'ask:1',
  choices: [
    { label: 'Once', decision: 'approve', scope: 'once' },
    { label: 'Deny', decision: 'deny' },
  ],
};

async function openAsked(
  options: Parameters<typeof openInbound>[0] & { where?: string; kind?: 'approval' | 'question' | 'budget' } = {},
) {
  const one = await openInbound({
    ...options,
    conduct: { groups: ['*'], allow: ['8'], ...options.conduct },
    deps: { buttonOf: (token) => Promise.resolve(token === 'tok' ? meaning : null), ...options.deps },
  });
  const { id } = await talkOf(one.store, options.where ?? 'anna');
  await one.store.approvals.ask({
    id: 'ask:1',
    kind: options.kind ?? 'approval',
    title: 'Run rm',
    detail: '',
    choices: [],
    tool: 'run_command',
    ruleKey: null,
    callKey: null,
    conversationId: id,
    turn: 1,
  });
  const state = async () => (await one.store.approvals.get('ask:1'))?.state;
  return { ...one, conversationId: id, state };
}

async function talkOf(store: Store, personId: string) {
  if (personId === 'anna') return store.conversations.current(personId);
  const made = await store.conversations.create({ id: 'c-other', personId, platform: account });
  if (personId.startsWith('group:')) await store.chatConversations.set('telegram:-1', made.id);
  else await store.conversations.setCurrent(personId, made.id);
  return made;
}

const bert = { sender: { id: '8', name: 'Bert' } };

describe('a button', () => {
  it('decides, and says so on the button', async () => {
    const { inbox, idle, state, connection, said } = await openAsked();
    await inbox.accept(press('tok:0'));
    await idle();
    expect(await state()).toBe('approved');
    expect(connection.acknowledged).toEqual(['Once']);
    expect(said()).toEqual([]);
  });

  it('pressed after the decision says how it was decided', async () => {
    const { inbox, idle, connection, state } = await openAsked();
    await inbox.accept(press('tok:1'));
    await inbox.accept(press('tok:0'));
    await idle();
    expect(await state()).toBe('denied');
    expect(connection.acknowledged).toEqual(['Deny', 'This was refused already.']);
  });

  it('of no meaning does nothing', async () => {
    const { inbox, idle, connection, state } = await openAsked();
    for (const data of ['tok:7', 'other:0', 'tok', ':', '']) await inbox.accept(press(data));
    await idle();
    expect(await state()).toBe('waiting');
    expect(connection.acknowledged).toEqual(Array(5).fill('This button means nothing any more.'));
  });

  it("is not for somebody else's conversation", async () => {
    const { inbox, idle, connection, state } = await openAsked();
    await inbox.accept(press('tok:0', { ...bert, chat: { id: '80', kind: 'direct' } }));
    await idle();
    expect(await state()).toBe('waiting');
    expect(connection.acknowledged).toEqual(['This is not yours to decide.']);
  });

  it('is for admins in a group, as are plain words', async () => {
    const { inbox, idle, connection, state, texts } = await openAsked({ where: 'group:telegram:-1' });
    await inbox.accept(press('tok:0', { ...bert, chat: group }));
    await inbox.accept(message('yes', { ...bert, chat: group }));
    await idle();
    expect(await state()).toBe('waiting');
    expect(connection.acknowledged).toEqual(['In a group only admins decide.']);
    expect(await texts()).toEqual(['Bert: yes']);
    await inbox.accept(message('yes', { chat: group }));
    await idle();
    expect(await state()).toBe('approved');
    expect(await texts()).toEqual(['Bert: yes']);
  });

  it('answers in the chat where the platform cannot answer a press', async () => {
    const first = await openInbound({ start: false });
    const { inbox, idle, said } = await openAsked({ deps: { connection: () => undefined }, gateway: first });
    await inbox.accept(press('tok:0'));
    await inbox.accept(press('tok:1'));
    await idle();
    expect(said()).toEqual(['This was approved already.']);
  });
});

describe('a plain word', () => {
  it('decides also as the answer to the question it quotes', async () => {
    const { inbox, idle, state, texts } = await openAsked();
    await inbox.accept(message('yes', { quoted: 'May I run rm?' }));
    await idle();
    expect(await state()).toBe('approved');
    expect(await texts()).toEqual([]);
  });
});

const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();

describe('a word written before anything was asked', () => {
  it('approves nothing: not when it arrives late', async () => {
    const { inbox, idle, state, texts } = await openAsked();
    await inbox.accept(message('ok', { at: minutesAgo(5) }));
    await idle();
    expect(await state()).toBe('waiting');
    expect(await texts()).toEqual(['ok']);
  });

  it('approves nothing: not when it waited in the service', async () => {
    const first = await openInbound({ start: false });
    await first.inbox.accept(message('ok'));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const { idle, state, texts, inbound } = await openAsked({ gateway: first, start: false });
    await inbound.start();
    await idle();
    expect(await state()).toBe('waiting');
    expect(await texts()).toEqual(['ok']);
  });

  it('answers no question', async () => {
    const { inbox, idle, state, texts } = await openAsked({ kind: 'question' });
    await inbox.accept(message('and buy milk', { at: minutesAgo(5) }));
    await idle();
    expect(await state()).toBe('waiting');
    expect(await texts()).toEqual(['and buy milk']);
  });
});

describe('a message that a command makes', () => {
  it('is no answer to what waits', async () => {
    const { inbox, idle, state, texts, outcome } = await openAsked({ kind: 'question' });
    outcome.next = { text: '', message: { text: 'buy milk', busyMode: 'queue' } };
    await inbox.accept(command('queue', 'buy milk'));
    await idle();
    expect(await state()).toBe('waiting');
    expect(await texts()).toEqual(['buy milk']);
  });
});

describe('spending more than the budget', () => {
  const somebody = { ...bert, chat: { id: '80', kind: 'direct' } } as const;

  it.each([
    ['a word', message('yes', somebody)],
    ['a button', press('tok:0', somebody)],
  ])('is not granted by %s of somebody who is no admin', async (_what, event) => {
    const { inbox, idle, state, said, connection } = await openAsked({ kind: 'budget', where: 'telegram-8' });
    await inbox.accept(event);
    await idle();
    expect(await state()).toBe('waiting');
    expect([...said(), ...connection.acknowledged].join('\n')).toMatch(/Only an admin/);
  });

  it('can be declined by anybody it is asked of', async () => {
    const { inbox, idle, state } = await openAsked({ kind: 'budget', where: 'telegram-8' });
    await inbox.accept(message('no', somebody));
    await idle();
    expect(await state()).toBe('denied');
  });

  it('is granted by an admin', async () => {
    const { inbox, idle, state } = await openAsked({ kind: 'budget' });
    await inbox.accept(message('yes'));
    await idle();
    expect(await state()).toBe('approved');
  });
});

describe('a chat that is gone', () => {
  const gone = (more: Partial<PlatformEvent> = {}): PlatformEvent => {
    const { chat, sender, at, key } = message('');
    return { chat, sender, at, key, ...more, kind: 'gone', reason: 'blocked' };
  };
  const system = { sender: { id: 'system', name: '', isBot: true } };

  it('is told', async () => {
    const onGone = vi.fn(() => Promise.resolve());
    const { inbox, idle } = await openInbound({ deps: { onGone }, conduct: { groups: ['-1'] } });
    await inbox.accept(gone());
    await inbox.accept(gone({ ...system, chat: group }));
    await idle();
    expect(onGone.mock.calls).toEqual([
      [account, annaChat, 'blocked'],
      [account, group, 'blocked'],
    ]);
  });

  it('is nothing to anybody where it was a stranger’s or a group that is not listed', async () => {
    const onGone = vi.fn(() => Promise.resolve());
    const { inbox, idle } = await openInbound({ deps: { onGone } });
    await inbox.accept(gone({ chat: { id: '990', kind: 'direct' }, sender: stranger }));
    await inbox.accept(gone({ chat: group }));
    await inbox.accept(gone({ ...system, chat: group }));
    await idle();
    expect(onGone).not.toHaveBeenCalled();
  });

  it('is there as long as only a thread of it is gone', async () => {
    const onGone = vi.fn(() => Promise.resolve());
    const { inbox, idle } = await openInbound({ deps: { onGone }, conduct: { groups: ['*'] } });
    await inbox.accept(gone({ chat: { ...group, thread: '5' } }));
    await idle();
    expect(onGone).not.toHaveBeenCalled();
  });
});

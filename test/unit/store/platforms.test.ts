import { describe, expect, it } from 'vitest';
import type { PlatformUser } from '../../../src/store/platform-ports.ts';
import { openTempStore } from './support/open-temp-store.ts';

const anna: PlatformUser = {
  account: 'telegram',
  userId: '7',
  personId: 'p-anna',
  role: 'user',
  via: 'pairing',
  name: 'Anna',
  directChat: null,
  since: '2026-01-01T00:00:00.000Z',
};
const later = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();

function eventOf(key: string, more: { aliases?: string[]; lane?: string; account?: string } = {}) {
  const { aliases = [], lane = 'chat-1', account = 'telegram' } = more;
  return { account, keys: [key, ...aliases] as [string, ...string[]], lane, sender: '7', event: `{"key":"${key}"}` };
}

describe('events of platforms in the store', () => {
  it('keeps an event once, under whichever of its keys it comes again', async () => {
    const { platformEvents: events } = await openTempStore();
    expect(await events.accept(eventOf('a', { aliases: ['b'] }))).toEqual({ created: true });
    expect(await events.accept(eventOf('a'))).toEqual({ created: false });
    expect(await events.accept(eventOf('b', { aliases: ['c'] }))).toEqual({ created: false });
    expect(await events.accept(eventOf('c'))).toEqual({ created: false });
    expect(await events.accept(eventOf('a', { account: 'telegram/work' }))).toEqual({ created: true });
    expect((await events.open('chat-1', 10)).map(({ account, key }) => [account, key])).toEqual([
      ['telegram', 'a'],
      ['telegram/work', 'a'],
    ]);
  });

  it('lists lanes with something to do, the longest waiting first', async () => {
    const { platformEvents: events } = await openTempStore();
    for (const [key, lane] of [
      ['1', 'late'],
      ['2', 'early'],
      ['3', 'late'],
      ['4', 'last'],
    ] as const) {
      await events.accept(eventOf(key, { lane }));
    }
    expect(await events.openLanes([], 10)).toEqual(['late', 'early', 'last']);
    expect(await events.openLanes(['late'], 1)).toEqual(['early']);
    const [first] = await events.open('early', 1);
    await events.settle(first?.seq ?? 0, { state: 'done' });
    expect(await events.openLanes([], 10)).toEqual(['late', 'last']);
  });

  it('fixes once what a turn consists of, and ends it as a whole', async () => {
    const { platformEvents: events, conversations } = await openTempStore();
    await conversations.create({ id: 'c-1', personId: 'p-anna', platform: 'telegram' });
    for (const key of ['1', '2', '3']) await events.accept(eventOf(key));
    const [one, two, three] = (await events.open('chat-1', 10)).map(({ seq }) => seq) as [number, number, number];
    await events.take(one, { joined: [two], conversationId: 'c-1' });
    await events.take(one, { joined: [two, three], conversationId: 'c-2' });
    expect((await events.open('chat-1', 10)).map(({ key, state }) => [key, state])).toEqual([
      ['1', 'taken'],
      ['3', 'received'],
    ]);
    expect(await events.members(one)).toMatchObject([
      { key: '1', conversationId: 'c-1', event: '{"key":"1"}' },
      { key: '2', state: 'joined', event: '{"key":"2"}' },
    ]);
    await events.settle(one, { state: 'done' });
    expect(await events.members(one)).toMatchObject([
      { state: 'done', event: '' },
      { state: 'joined', event: '' },
    ]);
    expect((await events.open('chat-1', 10)).map(({ key }) => key)).toEqual(['3']);
  });

  it('counts failures, and keeps what failed for good', async () => {
    const { platformEvents: events } = await openTempStore();
    await events.accept(eventOf('1'));
    const seq = (await events.open('chat-1', 1))[0]?.seq ?? 0;
    expect(await events.countFailure(seq, 'no')).toBe(1);
    expect(await events.countFailure(seq, 'still no')).toBe(2);
    await events.settle(seq, { state: 'failed', error: 'never' });
    expect(await events.members(seq)).toMatchObject([{ state: 'failed', error: 'never', event: '{"key":"1"}' }]);
    expect(await events.openLanes([], 10)).toEqual([]);
  });

  it('forgets events long ended before it forgets their keys', async () => {
    const { platformEvents: events } = await openTempStore();
    await events.accept(eventOf('old'));
    await events.accept(eventOf('open'));
    const [old] = await events.open('chat-1', 1);
    await events.settle(old?.seq ?? 0, { state: 'done' });
    await events.prune({ events: later(1), keys: later(-1) });
    expect(await events.members(old?.seq ?? 0)).toEqual([]);
    expect(await events.accept(eventOf('old'))).toEqual({ created: false });
    expect((await events.open('chat-1', 10)).map(({ key }) => key)).toEqual(['open']);
    await events.prune({ events: later(1), keys: later(1) });
    expect(await events.accept(eventOf('old'))).toEqual({ created: true });
  });
});

describe('people and values of platforms in the store', () => {
  it('keeps users by account', async () => {
    const { platformUsers: users } = await openTempStore();
    expect(await users.get('telegram', '7')).toBeNull();
    await users.put(anna);
    await users.put({ ...anna, account: 'slack', since: '2026-02-01T00:00:00.000Z' });
    await users.put({ ...anna, directChat: '70', role: 'admin' });
    expect(await users.get('telegram', '7')).toEqual({ ...anna, directChat: '70', role: 'admin' });
    expect((await users.ofPerson('p-anna')).map(({ account }) => account)).toEqual(['slack', 'telegram']);
    expect(await users.list()).toHaveLength(2);
    expect(await users.remove('slack', '7')).toBe(true);
    expect(await users.remove('slack', '7')).toBe(false);
  });

  it('keeps values by account, several at once', async () => {
    const { platformValues: values } = await openTempStore();
    await values.save('telegram', { 'auth.%': '1', 'auth.b': '2', cursor: '3' });
    await values.save('slack', { 'auth.b': '4' });
    expect(await values.names('telegram', 'auth.')).toEqual(['auth.%', 'auth.b']);
    expect(await values.names('telegram', 'auth.%')).toEqual(['auth.%']);
    await values.save('telegram', { 'auth.b': null, cursor: '5' });
    expect(await values.load('telegram', 'auth.b')).toBeNull();
    expect(await values.load('telegram', 'cursor')).toBe('5');
    expect(await values.load('slack', 'auth.b')).toBe('4');
  });

  it('remembers which conversation a chat goes on with, as long as there is that conversation', async () => {
    const { chatConversations, conversations } = await openTempStore();
    await conversations.create({ id: 'c-1', personId: 'p', platform: 'telegram' });
    await chatConversations.set('telegram:-1:7', 'c-1');
    expect(await chatConversations.get('telegram:-1:7')).toBe('c-1');
    await expect(chatConversations.set('telegram:-1', 'nowhere')).rejects.toMatchObject({ code: 'Storage.Conflict' });
    await conversations.delete('c-1');
    expect(await chatConversations.get('telegram:-1:7')).toBeNull();
  });

  it('lets few strangers wait, asks apart in time, and lets in with the removal of the request', async () => {
    const { pairings, platformUsers } = await openTempStore();
    const limits = { gapMs: 600_000, maxPending: 2 };
    const asks = (userId: string, codeHash: string, at = 0) =>
      pairings.request(
        {
          account: 'telegram',
          userId,
          name: `n${userId}`,
          chat: userId,
          codeHash,
          requestedAt: later(at),
          expiresAt: later(at + 60),
        },
        limits,
      );
    expect(await asks('1', 'h1')).toBe('made');
    expect(await asks('1', 'h1')).toBe('made');
    expect(await asks('1', 'h1b', 5)).toBe('recent');
    expect(await asks('2', 'h2')).toBe('made');
    expect(await asks('3', 'h3')).toBe('full');
    expect(await asks('1', 'h1c', 11)).toBe('made');
    expect((await pairings.pending()).map(({ codeHash }) => codeHash).sort()).toEqual(['h1c', 'h2']);
    expect(await pairings.approve('h1', { ...anna, userId: '1' })).toBe(false);
    expect(await platformUsers.list()).toEqual([]);
    expect(await pairings.approve('h1c', { ...anna, userId: '1' })).toBe(true);
    expect(await pairings.approve('h1c', { ...anna, userId: '1' })).toBe(false);
    expect((await platformUsers.list()).map(({ userId }) => userId)).toEqual(['1']);
    expect(await asks('3', 'h3', 30)).toBe('made');
    expect(await asks('4', 'h4', 61)).toBe('made');
    expect(await pairings.remove('telegram', '4')).toBe(true);
  });
});

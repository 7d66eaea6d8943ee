import { describe, expect, it } from 'vitest';
import type { Outbound } from '../../../../src/gateway/outbound/outbound.ts';
import type { OutboxRow } from '../../../../src/store/outbox-ports.ts';
import { openOutboundBench, ScriptedPlatform, until } from './scripted-chat.ts';

const to = { platform: 'chat', chat: '1' };
const said = (key: string, text = key, chat = '1'): Parameters<Outbound['enqueue']>[0] => ({
  key,
  to: { platform: 'chat', chat },
  text,
  conversationId: null,
});
const settled = (outbound: Outbound, id: string): Promise<OutboxRow | null> =>
  until(
    () => outbound.get(id),
    (row) => row !== null && !['new', 'sending'].includes(row.state),
  );
/** Words in three parts of a platform that takes 400 characters. */
const long = ['a', 'b', 'c'].map((letter) => `${letter} `.repeat(180).trim()).join('\n\n');

describe('a message', () => {
  it('is sent once, in its parts, without secrets, however often it is queued', async () => {
    const platform = new ScriptedPlatform();
    const { boot } = await openOutboundBench({ chat: platform });
    const outbound = boot();
    await outbound.enqueue({ ...said('k', `s3cret\n\n${long}`), replyTo: 'q' });
    await outbound.enqueue(said('k', 'other'));
    expect(await settled(outbound, 'k')).toMatchObject({ state: 'sent' });
    expect(platform.texts.map((text) => text[0])).toEqual(['[', 'b', 'c']);
    expect(platform.shown.map(({ replyTo }) => replyTo)).toEqual(['q', null, null]);
    expect(platform.shown.map(({ key }) => key)).toEqual(['k/part-0', 'k/part-1', 'k/part-2']);
  });

  it('that is refused for now goes when it may, with what came after it behind it', async () => {
    const platform = new ScriptedPlatform();
    const { boot } = await openOutboundBench({ chat: platform });
    platform.fates.push(
      { code: 'Platform.RateLimited', retryAfterMs: 60 },
      'Platform.Unavailable',
      'Platform.Conflict',
    );
    const outbound = boot();
    for (const key of ['one', 'two', 'three']) await outbound.enqueue(said(key));
    const began = Date.now();
    expect(await settled(outbound, 'three')).toMatchObject({ state: 'sent' });
    expect(Date.now() - began).toBeGreaterThanOrEqual(60);
    expect(platform.texts).toEqual(['one', 'two', 'three']);
    expect(await outbound.get('one')).toMatchObject({ attempts: 0, error: null, nextTryAt: null });
  });

  it('waits for its account, and is cut as it was the first time', async () => {
    const platform = new ScriptedPlatform();
    const { boot, accounts, store } = await openOutboundBench({});
    const outbound = boot();
    await outbound.enqueue(said('k'));
    await until(
      () => outbound.backlog('chat'),
      ({ waiting }) => waiting === 1,
    );
    expect(await outbound.get('k')).toMatchObject({ state: 'new', parts: null });
    await store.outbox.change({ id: 'k', parts: [{ carries: 'text', text: 'as it was', state: 'new' }] });
    accounts.set('chat', platform);
    await settled(outbound, 'k');
    expect(platform.texts).toEqual(['as it was']);
  });

  it('of another process is found without being told of', async () => {
    const platform = new ScriptedPlatform();
    const { boot, store } = await openOutboundBench({ chat: platform });
    const outbound = boot();
    await store.outbox.enqueue({ id: 'k', kind: 'text', to, conversationId: null, text: 'hello' });
    await settled(outbound, 'k');
    expect(platform.texts).toEqual(['hello']);
  });

  it('goes without formatting and reference when the platform refuses it, and else is said to be refused', async () => {
    const platform = new ScriptedPlatform({ dialect: 'telegram-html' });
    const { boot } = await openOutboundBench({ chat: platform });
    platform.judge = (text) => (text.includes('<b>') || text.includes('evil') ? 'Platform.MessageRejected' : null);
    const outbound = boot();
    await outbound.enqueue({ ...said('k', '**bold** & plain'), replyTo: 'q' });
    await outbound.enqueue(said('e', 'evil'));
    expect(await settled(outbound, 'e')).toMatchObject({ state: 'failed', error: 'refused: Platform.MessageRejected' });
    await settled(outbound, 'e/refused');
    expect(platform.shown).toMatchObject([
      { text: 'bold &amp; plain', replyTo: null, key: 'k/part-0' },
      { text: expect.stringContaining('could not be shown') as string },
    ]);
    expect((await outbound.problems(5)).map(({ id }) => id)).toEqual(['e']);
    platform.judge = () => null;
    expect(await outbound.retry('e')).toBe(true);
    expect(await settled(outbound, 'e')).toMatchObject({ state: 'sent' });
    expect(await outbound.retry('e')).toBe(false);
  });
});

describe.each(['killed-before', 'killed-after'] as const)('a sender that is %s the message arrives', (fate) => {
  it.each([
    ['native', ['a', 'b', 'c', 'z']],
    ['reconcile', ['a', 'b', 'c', 'z']],
  ] as const)('leaves it shown once where the platform can do %s', async (sendsOnce, expected) => {
    const platform = new ScriptedPlatform({ sendsOnce });
    const bench = await openOutboundBench({ chat: platform });
    platform.fates.push(null, fate);
    const first = bench.boot();
    await first.enqueue(said('k', long));
    await first.enqueue(said('z'));
    await until(
      () => platform.calls.length,
      (calls) => calls === 2,
    );
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect((await bench.store.outbox.get('k'))?.parts?.map(({ state }) => state)).toEqual(['sent', 'sending', 'new']);
    const second = bench.boot();
    expect(await settled(second, 'z')).toMatchObject({ state: 'sent' });
    expect(await second.get('k')).toMatchObject({ state: 'sent' });
    expect(platform.texts.map((text) => text[0])).toEqual(expected);
  });

  it('leaves at most one part ambiguous where the platform can do nothing, and says so', async () => {
    const platform = new ScriptedPlatform();
    const bench = await openOutboundBench({ chat: platform });
    await bench.store.conversations.create({ id: 'talk', personId: 'anna', platform: 'chat' });
    platform.fates.push(null, fate);
    bench.boot();
    await bench.store.outbox.enqueue({ id: 'k', kind: 'text', to, conversationId: 'talk', turn: 1, text: long });
    bench.bus.publish({ conversationId: 'talk', turn: 1, kind: 'outbox' });
    await until(
      () => platform.calls.length,
      (calls) => calls === 2,
    );
    await new Promise((resolve) => setTimeout(resolve, 30));
    const second = bench.boot();
    const row = await settled(second, 'k');
    expect(row?.state).toBe('ambiguous');
    expect(row?.parts?.map(({ state }) => state)).toEqual(['sent', 'ambiguous', 'sent']);
    expect(platform.texts.map((text) => text[0])).toEqual(fate === 'killed-after' ? ['a', 'b', 'c'] : ['a', 'c']);
    expect(bench.events).toContainEqual(expect.objectContaining({ kind: 'notice' }));
    await until(
      () => second.backlog('chat'),
      ({ ambiguous }) => ambiguous === 1,
    );
    expect((await second.problems(5)).map(({ id }) => id)).toEqual(['k']);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(platform.calls).toHaveLength(3);
    expect(await second.drop('k')).toBe(true);
    expect(await second.problems(5)).toEqual([]);
  });
});

describe('a send without an answer', () => {
  it.each([true, false])('is repeated under its key where the platform knows keys (arrived: %s)', async (arrives) => {
    const platform = new ScriptedPlatform({ sendsOnce: 'native' });
    const { boot } = await openOutboundBench({ chat: platform });
    platform.fates.push({ code: 'Platform.Ambiguous', arrives }, 'Platform.Unavailable');
    const outbound = boot();
    await outbound.enqueue(said('k'));
    expect(await settled(outbound, 'k')).toMatchObject({ state: 'sent' });
    expect(platform.texts).toEqual(['k']);
    expect(new Set(platform.calls)).toEqual(new Set(['send k/part-0']));
  });

  it('is looked for once the platform has forgotten its key', async () => {
    const platform = new ScriptedPlatform({ sendsOnce: 'native', keyHoldsMs: 0 });
    const { boot } = await openOutboundBench({ chat: platform });
    platform.fates.push({ code: 'Platform.Ambiguous', arrives: true });
    const outbound = boot();
    await outbound.enqueue(said('k'));
    await settled(outbound, 'k');
    expect(platform.calls).toEqual(['send k/part-0', 'reconcile k/part-0']);
  });

  it('is looked for, also when it is only found after a while', async () => {
    const platform = new ScriptedPlatform({ sendsOnce: 'reconcile' });
    const { boot } = await openOutboundBench({ chat: platform });
    platform.fates.push({ code: 'Platform.Ambiguous', arrives: true });
    platform.hidden = 2;
    const outbound = boot({ times: { settleMs: 500 } });
    await outbound.enqueue(said('k'));
    expect(await settled(outbound, 'k')).toMatchObject({ state: 'sent', parts: [{ messageId: 'm1' }] });
    expect(platform.texts).toEqual(['k']);
    expect(platform.calls.filter((call) => call.startsWith('reconcile'))).toHaveLength(3);
  });

  it('is sent again once it is sure to be absent', async () => {
    const platform = new ScriptedPlatform({ sendsOnce: 'reconcile' });
    const { boot } = await openOutboundBench({ chat: platform });
    platform.fates.push('Platform.Ambiguous');
    const outbound = boot();
    await outbound.enqueue(said('k'));
    expect(await settled(outbound, 'k')).toMatchObject({ state: 'sent' });
    expect(platform.texts).toEqual(['k']);
  });

  it('stays ambiguous where the platform can do nothing, and the rest goes on', async () => {
    const platform = new ScriptedPlatform();
    const { boot } = await openOutboundBench({ chat: platform });
    platform.fates.push('Platform.Ambiguous');
    const outbound = boot();
    await outbound.enqueue(said('k'));
    await outbound.enqueue(said('next'));
    await settled(outbound, 'next');
    expect(await outbound.get('k')).toMatchObject({ state: 'ambiguous', error: 'refused: Platform.Ambiguous' });
    expect(platform.texts).toEqual(['next']);
    await outbound.retry('k');
    expect(await settled(outbound, 'k')).toMatchObject({ state: 'sent' });
  });
});

it('what a platform refused with is kept without secrets', async () => {
  const platform = new ScriptedPlatform();
  const { boot } = await openOutboundBench({ chat: platform });
  const { outbound: calls } = platform;
  Object.assign(calls, { sendText: () => Promise.reject(new Error('POST https://example.org/bots3cret/send failed')) });
  const outbound = boot();
  await outbound.enqueue(said('k'));
  expect(await settled(outbound, 'k')).toMatchObject({
    state: 'ambiguous',
    error: 'POST https://example.org/bot[hidden]/send failed',
  });
});

it('a chat that is gone ends its queue, and a home elsewhere is told once', async () => {
  const platform = new ScriptedPlatform();
  const other = new ScriptedPlatform();
  const { boot, homes } = await openOutboundBench({ chat: platform, other });
  homes.set('chat', '1').set('other', 'home');
  platform.judge = (_text, chat) => (chat === '1' ? 'Platform.RecipientGone' : null);
  const outbound = boot();
  for (const key of ['one', 'two']) await outbound.enqueue(said(key));
  await outbound.enqueue(said('there', 'there', '2'));
  await settled(outbound, 'two');
  await settled(outbound, 'there');
  await outbound.enqueue(said('three'));
  expect(await settled(outbound, 'three')).toMatchObject({ state: 'failed' });
  await outbound.chatGone({ account: 'chat', chat: '1' }, 'blocked');
  await until(
    () => other.texts.length,
    (count) => count > 0,
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(platform.texts).toEqual(['there']);
  expect(other.inChat('home')).toEqual([expect.stringContaining('chat cannot be reached')]);
});

it('order holds in every chat, and nothing comes twice, whatever the platform refuses', async () => {
  const platform = new ScriptedPlatform({ sendsOnce: 'native' });
  const { boot, store } = await openOutboundBench({ chat: platform });
  let calls = 0;
  platform.judge = () => {
    calls += 1;
    if (calls % 7 === 0) return { code: 'Platform.RateLimited', retryAfterMs: 5 };
    return calls % 11 === 0 ? { code: 'Platform.Ambiguous', arrives: calls % 2 === 0 } : null;
  };
  const outbound = boot();
  const chats = Array.from({ length: 20 }, (_, index) => `c${index}`);
  for (let number = 0; number < 20; number += 1) {
    for (const chat of chats) await outbound.enqueue(said(`${chat}/${number}`, String(number), chat));
  }
  await until(
    async () => (await store.outbox.counts())[0]?.waiting ?? 0,
    (waiting) => waiting === 0,
  );
  for (const chat of chats) {
    expect(platform.inChat(chat)).toEqual(Array.from({ length: 20 }, (_, number) => String(number)));
  }
}, 30_000);

it('the pace of chat and account is kept', async () => {
  const platform = new ScriptedPlatform({ paceMs: { chat: 40, account: 15 } });
  const { boot } = await openOutboundBench({ chat: platform });
  const outbound = boot();
  const began = Date.now();
  for (const key of ['a', 'b', 'c']) await outbound.enqueue(said(key));
  for (const chat of ['2', '3']) await outbound.enqueue(said(`in ${chat}`, chat, chat));
  await settled(outbound, 'c');
  expect(Date.now() - began).toBeGreaterThanOrEqual(80);
  expect(platform.texts.slice(0, 3).sort()).toEqual(['2', '3', 'a']);
});

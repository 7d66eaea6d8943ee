import { describe, expect, it } from 'vitest';
import { Pace } from '../../../../src/gateway/outbound/pace.ts';
import type { Outbound } from '../../../../src/gateway/outbound/outbound.ts';
import { RunningTurn } from './running-turn.ts';
import { openOutboundBench, ScriptedPlatform, until } from './scripted-chat.ts';

const said = (account: string, chat: string, key: string): Parameters<Outbound['enqueue']>[0] => ({
  key,
  to: { platform: account, chat },
  text: key,
  conversationId: null,
});

it('the pace of one chat holds no other chat of its account', async () => {
  const pace = new Pace();
  const { signal } = new AbortController();
  const pauses = { chat: 400, account: 1 };
  const began = Date.now();
  await pace.turn({ account: 'a', chat: '1' }, pauses, signal);
  const slow = pace.turn({ account: 'a', chat: '1' }, pauses, signal);
  await pace.turn({ account: 'a', chat: '2' }, pauses, signal);
  expect(Date.now() - began).toBeLessThan(300);
  await slow;
  expect(Date.now() - began).toBeGreaterThanOrEqual(400);
});

describe('a platform that takes requests and never answers', () => {
  it('holds up no other one, however many of its chats wait', async () => {
    const stuck = new ScriptedPlatform();
    const fine = new ScriptedPlatform();
    const { boot } = await openOutboundBench({ stuck, fine });
    Object.assign(stuck.outbound, { sendText: () => new Promise(() => undefined) });
    const outbound = boot();
    for (let chat = 0; chat < 300; chat += 1) {
      await outbound.enqueue(said('stuck', String(chat), `stuck-${chat}`));
    }
    await outbound.enqueue(said('fine', '1', 'hello'));
    await until(
      () => fine.texts,
      (texts) => texts.length === 1,
    );
  });

  it('keeps no question elsewhere from being redrawn', async () => {
    const stuck = new ScriptedPlatform();
    const chat = new ScriptedPlatform();
    const bench = await openOutboundBench({ stuck, chat });
    const outbound = bench.boot();
    const turn = await RunningTurn.begin(bench);
    const there = await turn.asks({}, { platform: 'stuck', chat: '1' });
    turn.nextStep();
    const here = await turn.asks();
    await until(
      () => [stuck, chat].every(({ shown }) => shown.length === 1),
      (shown) => shown,
    );
    Object.assign(stuck.outbound, { sendText: () => new Promise(() => undefined) });
    await outbound.enqueue(said('stuck', '1', 'hello'));
    await until(
      () => outbound.get('hello'),
      (row) => row?.state === 'sending',
    );
    await turn.decides(there, 'approve');
    await new Promise((resolve) => setTimeout(resolve, 50));
    await turn.decides(here, 'approve');
    await until(
      () => chat.texts[0],
      (text) => text?.includes('Approved') === true,
    );
  });

  it('and does not hear that it shall end leaves its chat usable', async () => {
    const platform = new ScriptedPlatform({ sendsOnce: 'native' });
    const { boot } = await openOutboundBench({ chat: platform });
    const usual = { ...platform.outbound };
    let tries = 0;
    Object.assign(platform.outbound, {
      sendText: (...args: Parameters<typeof usual.sendText>) =>
        (tries += 1) === 1 ? new Promise(() => undefined) : usual.sendText(...args),
    });
    const outbound = boot({ times: { sendMs: 30, graceMs: 30 } });
    await outbound.enqueue(said('chat', '1', 'one'));
    await outbound.enqueue(said('chat', '1', 'two'));
    await until(
      () => platform.texts,
      (texts) => texts.length === 2,
    );
    expect(platform.texts).toEqual(['one', 'two']);
  });
});

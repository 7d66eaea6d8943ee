import fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createRelay, envelopeOf } from '../../../src/gateway/relay.ts';
import type { InboundRow } from '../../../src/store/ports.ts';
import { openGateway } from './support/gateway.ts';

const soon = { timeout: 8_000, interval: 5 };

describe('the relay', () => {
  it('brings what an earlier process left behind, in order', async () => {
    const { say, relay, conversations, store } = await openGateway({ start: false });
    const { conversationId } = await say('one', { inboundId: 'in-00000001' });
    await say('two', { inboundId: 'in-00000002' });
    await say('three', { inboundId: 'in-00000003' });
    relay.start();
    await vi.waitFor(() => expect(conversations.signals).toHaveLength(3), soon);
    expect(conversations.signals.map((signal) => signal.inboundId)).toEqual([
      'in-00000001',
      'in-00000002',
      'in-00000003',
    ]);
    await vi.waitFor(async () => expect((await store.turns.last(conversationId))?.turn).toBe(3), soon);
    expect(await store.inbox.unsignalled(10)).toEqual([]);
  });

  it('loses nothing in an outage, keeps the order and says so in one line', async () => {
    const { say, conversations, store, lines } = await openGateway();
    await say('before');
    await vi.waitFor(() => expect(conversations.signals).toHaveLength(1), soon);
    conversations.down = true;
    const sent: string[] = [];
    for (let index = 0; index < 10; index++) {
      sent.push((await say(`message ${String(index)}`, { conversation: { name: `c${String(index % 2)}` } })).inboundId);
      await pause(30);
    }
    expect(conversations.signals).toHaveLength(1);
    conversations.down = false;
    await vi.waitFor(async () => expect(await store.inbox.unsignalled(20)).toEqual([]), soon);
    for (const parity of [0, 1]) {
      const expected = sent.filter((_, index) => index % 2 === parity);
      expect(conversations.signals.map((s) => s.inboundId).filter((id) => expected.includes(id))).toEqual(expected);
    }
    await vi.waitFor(() => expect(said(lines, 'conversations can be reached again')).toBe(1), soon);
    expect(said(lines, 'conversations cannot be reached; messages wait in the store')).toBe(1);
  });

  it('does not hold up other conversations behind a broken one', async () => {
    const { say, conversations, store, lines } = await openGateway();
    const broken = await say('x', { conversation: { name: 'broken' } });
    await vi.waitFor(() => expect(conversations.signals).toHaveLength(1), soon);
    conversations.broken.add(broken.conversationId);
    const stuck = await say('y', { conversation: { name: 'broken' } });
    const stuckToo = await say('z', { conversation: { name: 'broken' } });
    const fine = await say('hello', { conversation: { name: 'fine' } });
    await vi.waitFor(async () => expect((await store.turns.ofInbound(fine.inboundId))?.state).toBe('done'), soon);
    expect((await store.inbox.get(stuck.inboundId))?.state).toBe('received');
    await vi.waitFor(
      () => expect(said(lines, 'a conversation takes no messages; they wait in the store')).toBe(1),
      soon,
    );
    conversations.broken.clear();
    await vi.waitFor(async () => expect(await store.inbox.unsignalled(10)).toEqual([]), soon);
    const order = conversations.signals.map((signal) => signal.inboundId);
    expect(order.indexOf(stuck.inboundId)).toBeLessThan(order.indexOf(stuckToo.inboundId));
  });

  it('tells the workflow of a decision that was recorded while it could not be reached', async () => {
    const { say, conversations, store, submit } = await openGateway();
    conversations.script = async (play) => (await play.ask({ kind: 'approval', title: 'npm test' })).decision;
    const { inboundId } = await say('test it');
    await vi.waitFor(
      async () => expect(await store.approvals.list({ state: 'waiting', limit: 1 })).toHaveLength(1),
      soon,
    );
    conversations.down = true;
    await submit({ inboundId: 'in-decides', text: 'yes', platform: 'cli' });
    expect(await store.approvals.unrelayed(10)).toHaveLength(1);
    conversations.down = false;
    await vi.waitFor(async () => expect((await store.turns.ofInbound(inboundId))?.answer).toBe('approve'), soon);
    await vi.waitFor(async () => expect(await store.approvals.unrelayed(10)).toEqual([]), soon);
  });

  it('signals a message again that a lost Temporal forgot', async () => {
    const { say, conversations, store, lines } = await openGateway({ untakenAfterMs: 60 });
    conversations.script = (play) => (play.text === 'busy' ? new Promise(() => undefined) : Promise.resolve('at last'));
    await say('busy');
    const lost = await say('forgotten');
    await vi.waitFor(async () => expect((await store.inbox.get(lost.inboundId))?.state).toBe('signalled'), soon);
    await pause(200);
    expect(conversations.signals).toHaveLength(2);
    conversations.loseEverything();
    await vi.waitFor(async () => expect((await store.turns.ofInbound(lost.inboundId))?.state).toBe('done'), soon);
    expect(said(lines, 'a signalled message was lost; signalling it again')).toBeGreaterThan(0);
  });

  it('waits for what is under way when it is stopped, and then does nothing more', async () => {
    const { say, conversations, relay, store } = await openGateway();
    await say('warm up');
    await vi.waitFor(() => expect(conversations.signals).toHaveLength(1), soon);
    let release = (): void => undefined;
    conversations.beforeSignal = () => new Promise((resolve) => (release = resolve));
    const { inboundId } = await say('hello');
    let stopped = false;
    const stopping = relay.stop().then(() => (stopped = true));
    await pause(30);
    expect(stopped).toBe(false);
    release();
    await stopping;
    expect((await store.inbox.get(inboundId))?.state).not.toBe('received');
    const late = await say('too late');
    relay.nudge();
    await pause(120);
    expect((await store.inbox.get(late.inboundId))?.state).toBe('received');
  });

  it('survives a store that fails for a while', async () => {
    const { store, conversations, say } = await openGateway({ start: false });
    const { inboundId } = await say('hello');
    let failures = 3;
    const flaky = {
      ...store,
      inbox: {
        ...store.inbox,
        unsignalled: (limit: number) =>
          failures-- > 0 ? Promise.reject(new Error('disk on fire')) : store.inbox.unsignalled(limit),
      },
    };
    const log = pino({ level: 'silent' });
    const relay = createRelay({ store: flaky, client: conversations, intervalMs: 50, maxBackoffMs: 50, log });
    onTestFinished(() => relay.stop());
    relay.start();
    await vi.waitFor(async () => expect((await store.inbox.get(inboundId))?.state).not.toBe('received'), soon);
  });

  it('keeps the order within a conversation through any pattern of failures', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 25 }), async (pattern) => {
        const { say, conversations, store, relay } = await openGateway({ intervalMs: 5, maxBackoffMs: 5 });
        const failing = [...pattern];
        conversations.beforeSignal = () =>
          failing.shift() === true ? Promise.reject(new Error('now and then')) : Promise.resolve();
        const sent: string[] = [];
        for (let index = 0; index < 8; index++) sent.push((await say(`m${String(index)}`)).inboundId);
        await vi.waitFor(async () => expect(await store.inbox.unsignalled(20)).toEqual([]), soon);
        const order = conversations.signals.map((signal) => signal.inboundId);
        expect([...new Set(order)]).toEqual(sent);
        await relay.stop();
      }),
      { numRuns: 12 },
    );
  });
});

describe('the envelope of a message', () => {
  const row: InboundRow = {
    id: 'in-1',
    conversationId: 'c',
    personId: 'anna',
    platform: 'cli',
    text: 'first line\n\nsecond   line with key sk-secret',
    busyMode: null,
    replyTo: null,
    state: 'received',
    turn: null,
    receivedAt: '2026-01-01T00:00:00.000Z',
  };

  it('holds the first words on one line, without secrets', () => {
    const envelope = envelopeOf(row, (text) => text.replace('sk-secret', '***'));
    expect(envelope).toEqual({
      inboundId: 'in-1',
      receivedAt: row.receivedAt,
      platform: 'cli',
      preview: 'first line second line with key ***',
    });
  });

  it('stays small for any text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 2_000 }), (text) => {
        const { preview } = envelopeOf({ ...row, text });
        expect(preview.length).toBeLessThanOrEqual(80);
        expect(preview).not.toMatch(/\n/);
      }),
    );
  });
});

function said(lines: readonly { msg: string }[], message: string): number {
  return lines.filter((line) => line.msg === message).length;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

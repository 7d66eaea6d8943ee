import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { openGateway } from './support/gateway.ts';

const soon = { timeout: 5_000, interval: 5 };

describe('submitting a message', () => {
  it('stores it before anything else, so that a relay that never ran loses nothing', async () => {
    const { store, say, conversations } = await openGateway({ start: false });
    const { inboundId, conversationId } = await say('hello');
    expect(await store.inbox.get(inboundId)).toMatchObject({ state: 'received', text: 'hello', conversationId });
    expect(conversations.signals).toEqual([]);
  });

  it('is answered while the workflow service is still being told', async () => {
    const { say, conversations } = await openGateway();
    await say('first');
    await vi.waitFor(() => expect(conversations.signals).toHaveLength(1), soon);
    let release = (): void => undefined;
    conversations.beforeSignal = () => new Promise((resolve) => (release = resolve));
    const { created } = await say('second');
    expect(created).toBe(true);
    expect(conversations.signals).toHaveLength(1);
    release();
    await vi.waitFor(() => expect(conversations.signals).toHaveLength(2), soon);
  });

  it('accepts the same id once, however often and however much at once it comes', async () => {
    const { submit, conversations, store } = await openGateway();
    const message = { inboundId: 'in-the-same-id', text: 'hello', platform: 'cli' };
    const results = await Promise.all(Array.from({ length: 10 }, () => submit(message)));
    expect(results.filter((result) => result.created)).toHaveLength(1);
    expect(new Set(results.map((result) => result.conversationId)).size).toBe(1);
    await vi.waitFor(async () => expect((await store.turns.ofInbound(message.inboundId))?.state).toBe('done'), soon);
    expect(await submit(message)).toMatchObject({ created: false, decided: null });
    expect(new Set(conversations.signals.map((signal) => signal.inboundId)).size).toBe(1);
    expect((await store.turns.last(results[0]?.conversationId ?? ''))?.turn).toBe(1);
  });

  it('goes to the conversation it names: by id, by name, a new one, the current one', async () => {
    const { say, store } = await openGateway();
    const current = await store.conversations.current('anna');
    expect((await say('a')).conversationId).toBe(current.id);
    const named = await say('b', { conversation: { name: 'garden' } });
    expect(await store.conversations.get(named.conversationId)).toMatchObject({ name: 'garden', platform: 'cli' });
    expect((await say('c', { conversation: { name: 'garden' } })).conversationId).toBe(named.conversationId);
    expect((await say('d', { conversation: { id: named.conversationId } })).conversationId).toBe(named.conversationId);
    const fresh = await say('e', { conversation: { new: true, title: 'A talk' } });
    expect(await store.conversations.get(fresh.conversationId)).toMatchObject({ title: 'A talk', name: null });
    expect((await store.conversations.current('anna')).id).toBe(current.id);
  });

  it('makes one conversation of two first messages under one name', async () => {
    const { say } = await openGateway();
    const results = await Promise.all(
      Array.from({ length: 5 }, (_, index) => say(`hello ${String(index)}`, { conversation: { name: 'shared' } })),
    );
    expect(new Set(results.map((result) => result.conversationId)).size).toBe(1);
  });

  it('does not mistake a title for a name', async () => {
    const { say, store } = await openGateway();
    const titled = await store.conversations.create({ id: 'c-1', personId: 'anna', platform: 'cli', title: 'support' });
    const { conversationId } = await say('hello', { conversation: { name: 'support' } });
    expect(conversationId).not.toBe(titled.id);
  });

  it('refuses what makes no sense, and keeps nothing of it', async () => {
    const { say, submit, store } = await openGateway();
    await expect(say(' \n')).rejects.toMatchObject({ code: 'Api.Invalid', param: 'text' });
    await expect(say('x'.repeat(1_000_001))).rejects.toMatchObject({ code: 'Api.TooLarge' });
    await expect(submit({ inboundId: 'short', text: 'x', platform: 'cli' })).rejects.toMatchObject({
      param: 'inboundId',
    });
    await expect(say('x', { conversation: { id: 'nowhere' } })).rejects.toMatchObject({ code: 'Api.NotFound' });
    await expect(say('x', { conversation: { id: '../etc' } })).rejects.toMatchObject({ code: 'Api.NotFound' });
    expect(await store.inbox.unsignalled(10)).toEqual([]);
  });

  it("refuses another person's conversation", async () => {
    const { say, store } = await openGateway();
    await store.conversations.create({ id: 'c-bob', personId: 'bob', platform: 'cli' });
    await expect(say('x', { conversation: { id: 'c-bob' } })).rejects.toMatchObject({ code: 'Api.NotFound' });
  });

  it('tells a first signal that there is nothing to load, and later ones what is known', async () => {
    const { say, store, conversations } = await openGateway();
    await say('warm up', { conversation: { new: true } });
    await vi.waitFor(() => expect(conversations.signals).toHaveLength(1), soon);
    const { conversationId, inboundId } = await say('a', { conversation: { new: true, title: 'T' } });
    await vi.waitFor(async () => expect((await store.turns.ofInbound(inboundId))?.state).toBe('done'), soon);
    await say('b', { conversation: { id: conversationId } });
    await vi.waitFor(() => expect(conversations.signals).toHaveLength(3), soon);
    expect(conversations.signals[1]?.start).toEqual({ fresh: true, title: 'T', personId: 'anna' });
    expect(conversations.signals[2]?.start).toEqual({ fresh: false, title: 'T', personId: 'anna' });
  });

  it("uses the message's busy mode, else the conversation's", async () => {
    const { say, store } = await openGateway({ start: false });
    const { conversationId, inboundId } = await say('a', { busyMode: 'interrupt' });
    expect((await store.inbox.get(inboundId))?.busyMode).toBe('interrupt');
    await store.conversations.update(conversationId, { busyMode: 'queue' });
    expect((await store.inbox.get((await say('b')).inboundId))?.busyMode).toBe('queue');
  });

  it('sets the model of the conversation with the message', async () => {
    const { say, store } = await openGateway();
    const { conversationId } = await say('a', { model: 'test:large' });
    expect((await store.conversations.get(conversationId))?.model).toBe('test:large');
  });

  it('survives any text', async () => {
    const { say, store } = await openGateway({ start: false });
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 }).filter((text) => text.trim() !== ''),
        async (text) => {
          const { inboundId } = await say(text);
          expect((await store.inbox.get(inboundId))?.text).toBe(text);
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('a message while the conversation waits', () => {
  it('answers a question with whatever it says, and starts no turn', async () => {
    const { say, store, conversations } = await openGateway();
    conversations.script = async (play) => {
      const { answer } = await play.ask({ kind: 'question', title: 'Which colour?', choices: ['red', 'green'] });
      return `you said ${answer ?? 'nothing'}`;
    };
    const { inboundId, conversationId } = await say('paint it');
    await vi.waitFor(async () => expect(await waiting(store)).toHaveLength(1), soon);
    const reply = await say('something between blue and grey', { inboundId: 'in-the-reply' });
    expect(reply).toMatchObject({ created: true, conversationId, decided: expect.stringMatching(/^ask:/) as string });
    await vi.waitFor(async () => expect((await store.turns.ofInbound(inboundId))?.state).toBe('done'), soon);
    expect((await store.turns.ofInbound(inboundId))?.answer).toBe('you said something between blue and grey');
    expect(await store.inbox.get('in-the-reply')).toBeNull();
    // The same message again, long after: still the same answer, still no turn.
    const again = await say('something between blue and grey', { inboundId: 'in-the-reply' });
    expect(again).toEqual({ ...reply, created: false });
    expect((await store.turns.last(conversationId))?.turn).toBe(1);
  });

  it.each([
    ['2', 'green'],
    ['RED', 'red'],
    ['3', '3'],
  ])('takes %j as the choice %j', async (text, expected) => {
    const { say, store, conversations } = await openGateway();
    conversations.script = async (play) =>
      (await play.ask({ kind: 'question', title: 'Which?', choices: ['red', 'green'] })).answer ?? '';
    const { inboundId } = await say('paint it');
    await vi.waitFor(async () => expect(await waiting(store)).toHaveLength(1), soon);
    await say(text);
    await vi.waitFor(async () => expect((await store.turns.ofInbound(inboundId))?.answer).toBe(expected), soon);
  });

  it('decides an approval with a plain yes, and with nothing else', async () => {
    const { say, store, conversations } = await openGateway();
    conversations.script = async (play) => (await play.ask({ kind: 'approval', title: 'npm test' })).decision;
    const { inboundId } = await say('test it');
    await vi.waitFor(async () => expect(await waiting(store)).toHaveLength(1), soon);
    const other = await say('what is this about?');
    expect(other.decided).toBeNull();
    expect(await waiting(store)).toHaveLength(1);
    const yes = await say('ja, immer');
    expect(yes.decided).not.toBeNull();
    await vi.waitFor(async () => expect((await store.turns.ofInbound(inboundId))?.answer).toBe('approve'), soon);
    expect(conversations.decisions).toEqual([
      expect.objectContaining({ decision: 'approve', scope: 'always', by: `cli:${yes.inboundId}` }),
    ]);
    expect(await store.rules.list('anna')).toHaveLength(1);
  });

  it('lets one of two equal words decide and makes the other an ordinary message', async () => {
    const { say, store, conversations } = await openGateway();
    conversations.script = async (play) => {
      if (play.text !== 'test it') return 'hm?';
      return (await play.ask({ kind: 'approval', title: 'npm test' })).decision;
    };
    await say('test it');
    await vi.waitFor(async () => expect(await waiting(store)).toHaveLength(1), soon);
    const both = await Promise.all([say('yes'), say('no')]);
    expect(both.filter((result) => result.decided !== null)).toHaveLength(1);
    const other = both.find((result) => result.decided === null);
    await vi.waitFor(
      async () => expect((await store.turns.ofInbound(other?.inboundId ?? ''))?.answer).toBe('hm?'),
      soon,
    );
  });

  it('publishes the decision to whoever watches', async () => {
    const { say, store, conversations, bus } = await openGateway();
    conversations.script = async (play) => (await play.ask({ kind: 'approval', title: 'npm test' })).decision;
    const { conversationId } = await say('test it');
    await vi.waitFor(async () => expect(await waiting(store)).toHaveLength(1), soon);
    const kinds: string[] = [];
    bus.subscribe(conversationId, (event) => kinds.push(event.kind));
    await say('no');
    expect(kinds).toContain('decided');
  });
});

function waiting(store: Awaited<ReturnType<typeof openGateway>>['store']) {
  return store.approvals.list({ state: 'waiting', limit: 10 });
}

import { connect } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Snapshot } from '../../src/contracts/api.ts';
import type { StreamEvent } from '../../src/contracts/stream.ts';
import { SseParser } from '../../src/cli/client/sse.ts';
import { openApi } from '../unit/gateway/support/gateway.ts';

const soon = { timeout: 8_000, interval: 5 };

/** Watches a conversation as the command does. */
async function watch(api: Awaited<ReturnType<typeof openApi>>, idOrName: string) {
  const ended = new AbortController();
  onTestFinished(() => ended.abort());
  const response = await fetch(`${api.url}/api/conversations/${idOrName}/events`, {
    headers: { authorization: `Bearer ${api.token}` },
    signal: ended.signal,
  });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const seen: { event: string; data: unknown }[] = [];
  const parser = new SseParser(({ event, data }) => seen.push({ event, data: JSON.parse(data) as unknown }));
  const decoder = new TextDecoder();
  const reader = (response.body as ReadableStream<Uint8Array> | null)?.getReader();
  const read = async (): Promise<void> => {
    for (let piece = await reader?.read(); piece?.value !== undefined; piece = await reader?.read()) {
      parser.push(decoder.decode(piece.value, { stream: true }));
    }
  };
  const over = read().catch(() => undefined);
  const live = (): StreamEvent[] => seen.filter(({ event }) => event === 'live').map(({ data }) => data as StreamEvent);
  const snapshot = (): Snapshot => seen.find(({ event }) => event === 'snapshot')?.data as Snapshot;
  const backlog = (): StreamEvent[] => seen.find(({ event }) => event === 'backlog')?.data as StreamEvent[];
  await vi.waitFor(() => expect(backlog()).toBeDefined(), soon);
  return { seen, live, snapshot, backlog, over, leave: () => ended.abort() };
}

describe('watching a conversation', () => {
  it('shows it as it stands, then everything that happens', async () => {
    const api = await openApi();
    await api.json('POST', '/api/conversations', { name: 'watched' });
    const watcher = await watch(api, 'watched');
    expect(watcher.seen.map(({ event }) => event)).toEqual(['snapshot', 'backlog']);
    expect(watcher.snapshot()).toMatchObject({
      conversation: { name: 'watched' },
      messages: [],
      approvals: [],
      pending: [],
    });
    await api.say('hello', { conversation: { name: 'watched' } });
    await vi.waitFor(() => expect(watcher.live().at(-1)?.kind).toBe('turn-finished'), soon);
    expect(watcher.live().map(({ kind }) => kind)).toEqual(['turn-started', 'step-started', 'delta', 'turn-finished']);
  });

  it('lets one join in the middle and miss nothing', async () => {
    const api = await openApi();
    let go = (): void => undefined;
    api.conversations.script = async (play) => {
      play.publish({ kind: 'delta', step: 1, attempt: 1, seq: 0, text: 'Once ', channel: 'answer' } as never);
      play.publish({ kind: 'delta', step: 1, attempt: 1, seq: 1, text: 'upon ', channel: 'answer' } as never);
      await new Promise<void>((resolve) => (go = resolve));
      play.publish({ kind: 'delta', step: 1, attempt: 1, seq: 2, text: 'a time', channel: 'answer' } as never);
      return 'Once upon a time';
    };
    const { conversationId } = await api.say('a story');
    await vi.waitFor(() => expect(api.bus.backlog(conversationId)).toHaveLength(3), soon);
    const watcher = await watch(api, conversationId);
    expect(watcher.snapshot()).toMatchObject({ conversation: { running: true }, messages: [{ text: 'a story' }] });
    expect(watcher.backlog().at(-1)).toMatchObject({ kind: 'delta', text: 'Once upon ' });
    go();
    await vi.waitFor(() => expect(watcher.live()).toHaveLength(2), soon);
    expect(watcher.live()[0]).toMatchObject({ text: 'a time' });
  });

  it('shows what waits: messages and approvals', async () => {
    const api = await openApi();
    api.conversations.script = async (play) => (await play.ask({ kind: 'approval', title: 'npm test' })).decision;
    const { conversationId } = await api.say('test it');
    await vi.waitFor(async () => expect(await api.store.approvals.list({ limit: 1 })).toHaveLength(1), soon);
    await api.say('and then this');
    const watcher = await watch(api, conversationId);
    expect(watcher.snapshot()).toMatchObject({
      approvals: [{ title: 'npm test' }],
      pending: [{ text: 'and then this' }],
    });
    await api.say('yes');
    await vi.waitFor(() => expect(watcher.live().map(({ kind }) => kind)).toContain('decided'), soon);
  });

  it('never shows a running turn whose end was missed while the store was read', async () => {
    const api = await openApi();
    await api.json('POST', '/api/conversations', { name: 'race' });
    for (let round = 0; round < 15; round++) {
      const sent = api.say(`round ${String(round)}`, { conversation: { name: 'race' } });
      await new Promise((resolve) => setTimeout(resolve, round % 8));
      const watcher = await watch(api, 'race');
      await sent;
      await vi.waitFor(() => {
        const texts = watcher.snapshot().messages.map(({ text }) => text);
        const finished = watcher.live().some(({ kind }) => kind === 'turn-finished');
        expect(finished || texts.includes(`echo: round ${String(round)}`)).toBe(true);
      }, soon);
      watcher.leave();
    }
  });

  it('serves many at once and forgets those who leave', async () => {
    const api = await openApi();
    await api.json('POST', '/api/conversations', { name: 'popular' });
    const { id } = await api.json<{ id: string }>('GET', '/api/conversations/popular');
    let subscribed = 0;
    const subscribe = api.bus.subscribe.bind(api.bus);
    api.bus.subscribe = (conversationId, listener) => {
      subscribed += 1;
      const end = subscribe(conversationId, listener);
      let ended = false;
      return () => {
        if (!ended) subscribed -= 1;
        ended = true;
        end();
      };
    };
    const watchers = await Promise.all(Array.from({ length: 60 }, () => watch(api, 'popular')));
    expect(subscribed).toBe(60);
    api.bus.publish({ conversationId: id, turn: 1, kind: 'notice', text: 'to all' });
    await vi.waitFor(() => expect(watchers.every((watcher) => watcher.live().length === 1)).toBe(true), soon);
    for (const watcher of watchers) watcher.leave();
    await vi.waitFor(() => expect(subscribed).toBe(0), soon);
  });

  it('cuts off one that does not read, and keeps the others', async () => {
    const api = await openApi();
    const { id } = await api.json<{ id: string }>('POST', '/api/conversations', { name: 'flood' });
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    let closed = false;
    socket.on('error', () => undefined);
    socket.on('close', () => (closed = true));
    socket.pause();
    socket.write(
      `GET /api/conversations/flood/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${api.token}\r\n\r\n`,
    );
    const reader = await watch(api, 'flood');
    const text = 'x'.repeat(256 * 1024);
    for (let index = 0; index < 150; index++) {
      api.bus.publish({ conversationId: id, turn: 1, kind: 'notice', text });
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await vi.waitFor(() => expect(reader.live()).toHaveLength(150), soon);
    socket.resume();
    await vi.waitFor(() => expect(closed).toBe(true), soon);
  });

  it('ends with the service', async () => {
    const api = await openApi();
    await api.json('POST', '/api/conversations', { name: 'ending' });
    const watcher = await watch(api, 'ending');
    await api.api.close();
    await watcher.over;
  });

  it('is refused for a conversation that does not exist', async () => {
    const api = await openApi();
    await api.json('GET', '/api/conversations/nothing/events', undefined, 404);
  });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { StreamEvent } from '../../../src/contracts/stream.ts';
import { createForwardingBus, type ForwardingBus } from '../../../src/stream/http-bus.ts';
import { parseStreamEvents } from '../../../src/stream/receive.ts';

const at = { conversationId: 'c', turn: 1 };
const notice = (text: string): StreamEvent => ({ ...at, kind: 'notice', text });
const delta = (seq: number): StreamEvent => ({
  ...at,
  kind: 'delta',
  step: 1,
  attempt: 1,
  seq,
  text: `${String(seq)} `,
  channel: 'answer',
});

interface Gateway {
  readonly url: string;
  readonly batches: (readonly StreamEvent[])[];
  readonly connections: Set<unknown>;
  readonly authorizations: Set<string | undefined>;
  close(): Promise<void>;
}

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function startGateway(
  port = 0,
  answer: { status: number; delayMs: number } = { status: 204, delayMs: 0 },
): Promise<Gateway> {
  const batches: (readonly StreamEvent[])[] = [];
  const connections = new Set<unknown>();
  const authorizations = new Set<string | undefined>();
  const server: Server = createServer((request, response) => {
    connections.add(request.socket);
    authorizations.add(request.headers.authorization);
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      if (request.url === '/internal/stream') batches.push(parseStreamEvents(JSON.parse(body)));
      setTimeout(() => response.writeHead(answer.status).end(), answer.delayMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  closers.push(close);
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    batches,
    connections,
    authorizations,
    close,
  };
}

function open(...args: Parameters<typeof createForwardingBus>): ForwardingBus {
  const bus = createForwardingBus(...args);
  closers.push(() => bus.close());
  return bus;
}

const quick = { closeTimeoutMs: 300 };

describe('a forwarding bus', () => {
  it('sends the events of one tick as one request, with the token, over one connection', async () => {
    const gateway = await startGateway();
    const bus = open({ url: gateway.url, token: 'secret' }, quick);
    bus.publish(notice('a'));
    bus.publish(notice('b'));
    await expect.poll(() => gateway.batches).toEqual([[notice('a'), notice('b')]]);
    bus.publish(notice('c'));
    await expect.poll(() => gateway.batches.length).toBe(2);
    expect([...gateway.authorizations]).toEqual(['Bearer secret']);
    expect(gateway.connections.size).toBe(1);
  });

  it('gathers what comes while a request is on its way, joining deltas', async () => {
    const gateway = await startGateway(0, { status: 204, delayMs: 100 });
    const bus = open({ url: gateway.url, token: 't' }, quick);
    bus.publish(notice('first'));
    await expect.poll(() => gateway.batches.length).toBe(1);
    for (let seq = 0; seq < 50; seq += 1) bus.publish(delta(seq));
    bus.publish(notice('last'));
    await expect.poll(() => gateway.batches.length).toBe(2);
    const [joined, last] = gateway.batches[1] ?? [];
    expect(joined).toMatchObject({
      kind: 'delta',
      seq: 49,
      text: Array.from({ length: 50 }, (_, n) => `${String(n)} `).join(''),
    });
    expect(last).toEqual(notice('last'));
  });

  it('tells listeners in its own process too', () => {
    const bus = open({ url: 'http://127.0.0.1:1', token: 't' }, quick);
    const heard: StreamEvent[] = [];
    bus.subscribe('c', (event) => heard.push(event));
    bus.publish(delta(0));
    expect(heard).toEqual([delta(0)]);
    expect(bus.backlog('c')).toEqual([delta(0)]);
  });

  it('keeps the newest events for a gateway that is away, and finds it at its new address', async () => {
    const home = await mkdtemp(join(tmpdir(), 'hermes-bus-'));
    closers.push(() => rm(home, { recursive: true }));
    const runFile = join(home, 'api.json');
    const tokenFile = join(home, 'api-token');
    const bus = open({ runFile, tokenFile }, { ...quick, maxBufferedEvents: 3 });
    for (const text of ['1', '2', '3', '4', '5']) bus.publish(notice(text));
    const gateway = await startGateway();
    await writeFile(tokenFile, 'from-file\n');
    await writeFile(runFile, JSON.stringify({ url: gateway.url }));
    await expect.poll(() => gateway.batches.flat(), { timeout: 5000 }).toEqual(['3', '4', '5'].map(notice));
    expect([...gateway.authorizations]).toEqual(['Bearer from-file']);

    await gateway.close();
    const second = await startGateway();
    await writeFile(runFile, JSON.stringify({ url: second.url }));
    bus.publish(notice('6'));
    await expect.poll(() => second.batches.flat(), { timeout: 5000 }).toEqual([notice('6')]);
  });

  it('never shows twice what a failing gateway may have taken', async () => {
    const answer = { status: 500, delayMs: 0 };
    const gateway = await startGateway(0, answer);
    const bus = open({ url: gateway.url, token: 't' }, quick);
    bus.publish(notice('a'));
    await expect.poll(() => gateway.batches.length).toBe(1);
    answer.status = 204;
    bus.publish(notice('b'));
    await expect.poll(() => gateway.batches.flat()).toEqual([notice('a'), notice('b')]);
  });

  it('sends what is left when it is closed, and nothing after', async () => {
    const gateway = await startGateway();
    const bus = open({ url: gateway.url, token: 't' }, quick);
    bus.publish(notice('a'));
    await bus.close();
    bus.publish(notice('b'));
    await bus.close();
    expect(gateway.batches).toEqual([[notice('a')]]);
  });

  it('closes in time without a gateway, and with one that never answers', async () => {
    const absent = createForwardingBus({ url: 'http://127.0.0.1:1', token: 't' }, quick);
    absent.publish(notice('a'));
    await absent.close();
    const silent = await startGateway(0, { status: 204, delayMs: 60_000 });
    const bus = createForwardingBus({ url: silent.url, token: 't' }, quick);
    bus.publish(notice('a'));
    await expect.poll(() => silent.batches.length).toBe(1);
    await bus.close();
  });
});

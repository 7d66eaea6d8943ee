import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { z } from 'zod';
import * as api from '../../src/contracts/api.ts';
import { FakeAgent, type Script, type TurnRecord } from './fake-agent.ts';

type Reply = readonly [status: number, body: unknown];
interface Request {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
}

const token = 'fake-token';

/**
 * The service's HTTP API over a scripted agent. Every body it takes and gives passes the contract's own schema, so a
 * client that works here keeps to it. `kill` drops every connection at once as a SIGKILL would; `start` comes back on
 * another port while the agent has gone on.
 */
export class FakeApi {
  readonly agent: FakeAgent;
  readonly home: string;
  readonly requests: { method: string; path: string; body: unknown }[] = [];
  /** Answers the next requests to paths that begin so with this reply instead. */
  readonly overrides: { prefix: string; reply: Reply; times: number }[] = [];
  private server: Server | null = null;
  /** Messages that were taken as a decision, and the turn they decided in. */
  private readonly decided = new Map<string, TurnRecord | undefined>();
  private readonly streams = new Set<ServerResponse>();

  constructor(home: string, script: Script) {
    this.home = home;
    this.agent = new FakeAgent(script);
    mkdirSync(join(home, 'run'), { recursive: true });
    writeFileSync(join(home, 'api-token'), `${token}\n`, { mode: 0o600 });
    this.agent.listeners.add((event) => {
      for (const stream of this.streams) sendEvent(stream, 'live', event);
    });
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => void this.serve(request, response));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    this.server = server;
    const { port } = server.address() as AddressInfo;
    writeFileSync(join(this.home, 'run', 'api.json'), JSON.stringify({ url: `http://127.0.0.1:${port}` }));
  }

  async kill(): Promise<void> {
    const server = this.server;
    this.server = null;
    this.streams.clear();
    if (server === null) return;
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }

  async stop(): Promise<void> {
    for (const turn of this.agent.turns) turn.abort.abort();
    await this.kill();
    rmSync(join(this.home, 'run', 'api.json'), { force: true });
  }

  count(method: string, prefix: string): number {
    return this.requests.filter((one) => one.method === method && one.path.startsWith(prefix)).length;
  }

  private async serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '/', 'http://localhost');
    if (incoming.headers.authorization !== `Bearer ${token}`) {
      send(response, 401, { error: { code: 'unauthorized', message: 'Wrong token.' } });
      return;
    }
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(part as Buffer);
    const text = Buffer.concat(parts).toString('utf8');
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    const request = { method: incoming.method ?? 'GET', path: url.pathname, query: url.searchParams, body };
    this.requests.push({ method: request.method, path: request.path, body });
    const override = this.overrides.find((one) => one.times > 0 && url.pathname.startsWith(one.prefix));
    if (override !== undefined) {
      override.times -= 1;
      send(response, ...override.reply);
      return;
    }
    try {
      const events = /^\/api\/conversations\/([^/]+)\/events$/.exec(url.pathname);
      if (events !== null) this.stream(decodeURIComponent(events[1] ?? ''), response);
      else send(response, ...(await this.route(request, incoming)));
    } catch (error) {
      send(response, 400, { error: { code: 'invalid', message: String(error) } });
    }
  }

  private stream(id: string, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    sendEvent(response, 'snapshot', api.snapshotSchema.parse(this.agent.snapshot(id)));
    sendEvent(response, 'backlog', this.agent.backlog(id));
    this.streams.add(response);
    response.on('close', () => this.streams.delete(response));
  }

  private async route(request: Request, incoming: IncomingMessage): Promise<Reply> {
    const { method, path } = request;
    const [, , kind, id = '', action = ''] = path.split('/').map((part) => decodeURIComponent(part));
    if (kind === 'messages' && method === 'POST') return this.submit(request.body);
    if (kind === 'messages') return this.answer(id, request.query, incoming);
    if (kind === 'conversations' && id === '') return this.conversations(request);
    if (kind === 'conversations') return this.conversation(request, id, action);
    if (kind === 'approvals') return this.approvals(request, id);
    if (kind === 'status') return [200, api.statusSchema.parse(statusOf(this))];
    if (kind === 'models') return [200, modelList];
    if (kind === 'usage') return [200, { days: [usageDay] }];
    if (kind === 'prompt') return [200, { systemChars: 6, toolSchemaChars: 4, totalChars: 10, text: 'system\n{}' }];
    if (kind === 'search') return [200, { hits: [searchHit(request.query.get('q') ?? '')] }];
    return [404, { error: { code: 'not-found', message: `Nothing at ${path}.` } }];
  }

  private submit(body: unknown): Reply {
    const message = api.submitRequestSchema.parse(body);
    const wish = message.conversation ?? { id: this.agent.currentId() };
    const known = this.agent.inbound.get(message.inboundId);
    const conversationId = known?.conversationId ?? this.target(wish);
    if (message.model !== undefined) this.agent.change(conversationId, { model: message.model });
    const waiting = this.agent.snapshot(conversationId).approvals[0];
    if (waiting !== undefined && known === undefined) {
      this.decided.set(message.inboundId, this.agent.running(conversationId));
      this.agent.decide(waiting.id, { decision: 'answer', scope: 'once', answer: message.text });
      return [200, { inboundId: message.inboundId, conversationId, created: true, decided: waiting.id }];
    }
    const created = this.agent.accept(message.inboundId, conversationId, message.text, message.busyMode);
    const answer = { inboundId: message.inboundId, conversationId, created, decided: null };
    return [200, api.submitResponseSchema.parse(answer)];
  }

  private target(wish: NonNullable<z.output<typeof api.submitRequestSchema>['conversation']>): string {
    if ('id' in wish) return wish.id;
    if ('name' in wish) return (this.agent.find(wish.name) ?? this.agent.create({ name: wish.name }, false)).id;
    return this.agent.create({ title: wish.title }, false).id;
  }

  private async answer(inboundId: string, query: URLSearchParams, incoming: IncomingMessage): Promise<Reply> {
    const until = Date.now() + Number(query.get('waitMs'));
    const through = query.get('waitFor') === 'done';
    for (;;) {
      const found = this.decided.get(inboundId) ?? this.agent.turns.find((turn) => turn.inboundIds.includes(inboundId));
      const waiting = [...this.agent.approvals.values()].filter(
        (one) => one.state === 'waiting' && one.turn === found?.turn && one.conversationId === found.conversationId,
      );
      const settled = found !== undefined && (found.state !== 'running' || (waiting.length > 0 && !through));
      if (settled || Date.now() >= until || incoming.socket.destroyed) {
        return [200, api.answerSchema.parse(answerOf(found, waiting))];
      }
      await new Promise((done) => setTimeout(done, 5));
    }
  }

  private conversations(request: Request): Reply {
    if (request.method === 'POST') {
      const wish = api.createConversationRequestSchema.parse(request.body);
      return [200, api.conversationSchema.parse(this.agent.create(wish))];
    }
    const rows = [...this.agent.conversations.keys()].map((id) => this.agent.view(id)).reverse();
    return [200, api.conversationListSchema.parse({ conversations: rows })];
  }

  private conversation(request: Request, idOrName: string, action: string): Reply {
    const found = this.agent.find(idOrName);
    if (found === undefined) {
      const hint = 'hermes conversations list shows them.';
      return [404, { error: { code: 'not-found', message: `No conversation "${idOrName}".`, hint } }];
    }
    const { id } = found;
    const all = this.agent.messages.get(id) ?? [];
    const key = `${request.method} ${action}`;
    if (key === 'GET messages') return [200, api.messageListSchema.parse({ messages: page(all, request.query) })];
    if (key === 'GET export') return [200, { title: found.title, messages: all }];
    if (key === 'POST interrupt') {
      const running = this.agent.running(id);
      running?.abort.abort();
      return [200, { interrupted: running !== undefined, turn: running?.turn ?? null }];
    }
    if (key === 'POST undo')
      return [200, api.undoResponseSchema.parse({ turn: found.lastTurn, text: 'what you said' })];
    if (key === 'POST retry') {
      const inboundId = `retry-${Date.now()}-${Math.random()}`;
      this.agent.accept(inboundId, id, 'again');
      return [200, { inboundId, conversationId: id, created: true, decided: null }];
    }
    if (key === 'POST resume') {
      this.agent.setCurrent(id);
      return [200, this.agent.view(id)];
    }
    if (key === 'PATCH ') {
      const { title, name, busyMode, model } = api.configureRequestSchema.parse(request.body);
      const wish = Object.entries({ title, name, busyMode, model }).filter((pair) => pair[1] !== undefined);
      return [200, this.agent.change(id, Object.fromEntries(wish))];
    }
    if (key === 'DELETE ') {
      this.agent.conversations.delete(id);
      return [200, {}];
    }
    return [200, found];
  }

  private approvals(request: Request, id: string): Reply {
    if (request.method === 'GET') {
      const state = request.query.get('state') ?? 'waiting';
      const rows = [...this.agent.approvals.values()].filter((one) => state === 'all' || one.state === state);
      return [200, api.approvalListSchema.parse({ approvals: rows })];
    }
    const decided = this.agent.decide(id, api.decideRequestSchema.parse(request.body));
    return decided === undefined
      ? [404, { error: { code: 'not-found', message: `No approval ${id}.` } }]
      : [200, decided];
  }
}

function answerOf(found: TurnRecord | undefined, waiting: readonly api.ApprovalView[]): unknown {
  const running = waiting.length > 0 ? 'waiting' : 'pending';
  return {
    state: found === undefined || found.state === 'running' ? running : found.state,
    conversationId: found?.conversationId ?? '',
    turn: found?.turn ?? null,
    text: found?.answer ?? '',
    model: 'fake:one',
    usage: { inputTokens: 11, outputTokens: 7, costUsd: 0.0021 },
    toolCalls: found?.tools ?? [],
    durationMs: 42,
    errorCode: found?.state === 'failed' ? 'Model.Unavailable' : null,
    waitingFor: waiting.map((one) => ({ approvalId: one.id, kind: one.kind, title: one.title })),
  };
}

function page(all: readonly { id: number }[], query: URLSearchParams): unknown[] {
  const before = query.get('beforeId');
  const older = before === null ? all : all.filter((one) => one.id < Number(before));
  return older.slice(-Number(query.get('limit') ?? 50));
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function sendEvent(response: ServerResponse, event: string, data: unknown): void {
  response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

function statusOf(fake: FakeApi): unknown {
  return {
    ready: true,
    version: '0.0.0-fake',
    home: fake.home,
    api: { url: 'http://127.0.0.1', tokenFile: join(fake.home, 'api-token') },
    temporal: { address: '127.0.0.1:7233', uiUrl: null, pid: null },
    worker: { pid: 1 },
    gateway: { pid: 1 },
    model: 'fake:one',
    backend: 'local',
    openTurns: 0,
    waitingApprovals: 0,
  };
}

const modelList = {
  current: 'fake:one',
  models: [
    { id: 'fake:one', contextTokens: 128_000 },
    { id: 'fake:two', contextTokens: null },
  ],
};
const usageDay = { day: '2026-01-01', model: 'fake:one', calls: 3, inputTokens: 1200, outputTokens: 340, costUsd: 0.5 };
const searchHit = (words: string) => ({
  conversationId: 'c1',
  title: 'First',
  at: '2026-01-01T00:00:00.000Z',
  speaker: 'person',
  excerpt: `about ${words}`,
  score: 1,
});

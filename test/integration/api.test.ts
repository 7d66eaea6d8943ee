import { connect } from 'node:net';
import { request as httpRequest } from 'node:http';
import { statSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Answer, ApprovalView, ConversationView, MessageView } from '../../src/contracts/api.ts';
import { openApi } from '../unit/gateway/support/gateway.ts';

const soon = { timeout: 8_000, interval: 10 };
let counter = 0;
const send = (text: string, more: object = {}) => ({
  inboundId: `in-${String(++counter)}-${String(Date.now())}`,
  text,
  ...more,
});

type Api = Awaited<ReturnType<typeof openApi>>;

async function talk(api: Api, text: string, more: object = {}): Promise<Answer> {
  const message = send(text, more);
  await api.json('POST', '/api/messages', message);
  return api.json<Answer>('GET', `/api/messages/${message.inboundId}/answer?waitMs=10000`);
}

describe('a message and its answer over HTTP', () => {
  it('is accepted, answered and counted; a repeat changes nothing', async () => {
    const { json } = await openApi();
    const message = send('hello');
    const accepted = await json('POST', '/api/messages', message);
    expect(accepted).toMatchObject({ inboundId: message.inboundId, created: true, decided: null });
    const path = `/api/messages/${message.inboundId}/answer`;
    const answer = await json('GET', `${path}?waitMs=10000`);
    expect(answer).toMatchObject({
      state: 'done',
      conversationId: accepted['conversationId'],
      turn: 1,
      text: 'echo: hello',
      model: 'scripted',
      usage: { inputTokens: 10, outputTokens: 5, costUsd: 0.25 },
      errorCode: null,
      waitingFor: [],
    });
    expect(await json('POST', '/api/messages', message)).toEqual({ ...accepted, created: false });
    expect(await json('GET', path)).toEqual(answer);
  });

  it('is pending while the turn runs, and the answer comes the moment it ends', async () => {
    const { json, conversations } = await openApi();
    let finish = (): void => undefined;
    conversations.script = () => new Promise((resolve) => (finish = () => resolve('done now')));
    const message = send('hello');
    await json('POST', '/api/messages', message);
    const path = `/api/messages/${message.inboundId}/answer`;
    expect(await json('GET', `${path}?waitMs=150`)).toMatchObject({ state: 'pending', text: '' });
    const waiting = json('GET', `${path}?waitMs=60000`);
    await pause(1_100);
    finish();
    const before = performance.now();
    expect(await waiting).toMatchObject({ state: 'done', text: 'done now' });
    // Well before the next look into the store would be due.
    expect(performance.now() - before).toBeLessThan(700);
  });

  it('is found in the store when no event says so', async () => {
    const { json, store } = await openApi();
    await store.conversations.create({ id: 'c-remote', personId: 'anna', platform: 'cli' });
    await store.inbox.accept({
      id: 'in-remote',
      conversationId: 'c-remote',
      personId: 'anna',
      platform: 'cli',
      text: 'x',
    });
    await store.inbox.markSignalled('in-remote');
    const waiting = json('GET', '/api/messages/in-remote/answer?waitMs=20000');
    await pause(100);
    await store.turns.finalise({
      conversationId: 'c-remote',
      turn: 1,
      state: 'failed',
      inboundIds: ['in-remote'],
      notice: 'The model has no key.',
      errorCode: 'Model.Authentication',
    });
    expect(await waiting).toMatchObject({
      state: 'failed',
      text: 'The model has no key.',
      errorCode: 'Model.Authentication',
    });
  });

  it('says what it waits for, and waits on when asked to', async () => {
    const { json, conversations } = await openApi();
    conversations.script = async (play) => (await play.ask({ kind: 'approval', title: 'npm test' })).decision;
    const message = send('test it');
    await json('POST', '/api/messages', message);
    const path = `/api/messages/${message.inboundId}/answer`;
    const answer = await json<Answer>('GET', `${path}?waitMs=10000`);
    expect(answer).toMatchObject({ state: 'waiting', waitingFor: [{ kind: 'approval', title: 'npm test' }] });
    const done = json('GET', `${path}?waitMs=20000&waitFor=done`);
    const id = encodeURIComponent(at(answer.waitingFor, 0).approvalId);
    expect(await json('POST', `/api/approvals/${id}`, { decision: 'approve' })).toMatchObject({ state: 'approved' });
    expect(await done).toMatchObject({ state: 'done', text: 'approve' });
    const again = await json('POST', `/api/approvals/${id}`, { decision: 'deny' }, 409);
    expect(again).toMatchObject({
      error: { code: 'Api.Conflict', message: expect.stringContaining('was approved') as string },
    });
  });

  it('tells what became of a message that decided something', async () => {
    const { json, conversations } = await openApi();
    conversations.script = async (play) =>
      `so: ${(await play.ask({ kind: 'question', title: 'Which?' })).answer ?? ''}`;
    const first = await talkTo(json, 'choose');
    expect(first).toMatchObject({ state: 'waiting' });
    const reply = send('the second one');
    expect(await json('POST', '/api/messages', reply)).toMatchObject({ decided: at(first.waitingFor, 0).approvalId });
    expect(await json('GET', `/api/messages/${reply.inboundId}/answer?waitMs=10000`)).toMatchObject({
      state: 'done',
      turn: 1,
      text: 'so: the second one',
    });
  });

  it('is unknown when nobody sent it', async () => {
    const { json } = await openApi();
    expect(await json('GET', '/api/messages/in-nobody/answer', undefined, 404)).toMatchObject({
      error: { code: 'Api.NotFound' },
    });
  });

  it('is kept while nothing can be reached, decisions too', async () => {
    const { json, conversations, store } = await openApi();
    conversations.script = async (play) => (await play.ask({ kind: 'approval', title: 'npm test' })).decision;
    const answer = await talkTo(json, 'test it');
    conversations.down = true;
    const id = encodeURIComponent(at(answer.waitingFor, 0).approvalId);
    await json('POST', `/api/approvals/${id}`, { decision: 'deny', answer: 'not today' });
    const message = send('later', { conversation: { new: true } });
    await json('POST', '/api/messages', message);
    conversations.script = () => Promise.resolve('now');
    conversations.down = false;
    expect(await json('GET', `/api/messages/${message.inboundId}/answer?waitMs=10000`)).toMatchObject({ text: 'now' });
    await vi.waitFor(
      async () => expect(await store.turns.get(answer.conversationId, 1)).toMatchObject({ answer: 'deny' }),
      soon,
    );
    expect(conversations.decisions).toEqual([expect.objectContaining({ decision: 'deny', answer: 'not today' })]);
  });
});

describe('conversations over HTTP', () => {
  it('are made, listed in pages, found by id, name and title, changed and deleted', async () => {
    const { json, conversations } = await openApi();
    const made: ConversationView[] = [];
    for (const name of ['one', 'two', 'three']) {
      made.push(await json<ConversationView>('POST', '/api/conversations', { name, title: `About ${name}` }));
    }
    const page = await json<{ conversations: ConversationView[] }>('GET', '/api/conversations?limit=2');
    expect(page.conversations).toHaveLength(2);
    const before = at(page.conversations, 1).id;
    const rest = await json<{ conversations: ConversationView[] }>(
      'GET',
      `/api/conversations?limit=10&before=${before}`,
    );
    const seen = [...page.conversations, ...rest.conversations].map(({ name }) => name);
    expect(seen.filter((name) => name !== null).sort()).toEqual(['one', 'three', 'two']);
    for (const key of [at(made, 0).id, 'one', 'About%20one']) {
      expect(await json('GET', `/api/conversations/${key}`)).toMatchObject({ id: at(made, 0).id, running: false });
    }
    expect(
      await json('PATCH', '/api/conversations/one', { title: 'New', busyMode: 'queue', model: 'test:large' }),
    ).toMatchObject({ title: 'New', busyMode: 'queue', model: 'test:large', name: 'one' });
    expect(conversations.configured).toEqual([{ title: 'New', busyMode: 'queue' }]);
    expect(await json('PATCH', '/api/conversations/one', { busyMode: null })).toMatchObject({ busyMode: null });
    expect(conversations.configured[1]).toEqual({ title: 'New', busyMode: 'steer' });
    expect(await json('PATCH', '/api/conversations/one', { name: 'two' }, 409)).toMatchObject({
      error: { code: 'Storage.Conflict' },
    });
    await json('DELETE', '/api/conversations/one');
    await json('GET', '/api/conversations/one', undefined, 404);
  });

  it('become the current one when resumed', async () => {
    const { json } = await openApi();
    await json('POST', '/api/conversations', { name: 'main' });
    expect(await json('POST', '/api/conversations/main/resume')).toMatchObject({ name: 'main', current: true });
    const answer = await talkTo(json, 'hello');
    expect(await json('GET', '/api/conversations/main')).toMatchObject({ id: answer.conversationId, lastTurn: 1 });
  });

  it('give their messages in pages', async () => {
    const api = await openApi();
    for (const text of ['a', 'b', 'c']) await talk(api, text, { conversation: { name: 'pages' } });
    const page = await api.json<{ messages: MessageView[] }>('GET', '/api/conversations/pages/messages?limit=4');
    expect(page.messages.map(({ text }) => text)).toEqual(['b', 'echo: b', 'c', 'echo: c']);
    const path = `/api/conversations/pages/messages?beforeId=${String(at(page.messages, 0).id)}`;
    const earlier = await api.json<{ messages: MessageView[] }>('GET', path);
    expect(earlier.messages.map(({ text }) => text)).toEqual(['a', 'echo: a']);
  });

  it('are exported whole, as Markdown and as JSON', async () => {
    const api = await openApi();
    api.conversations.script = (play) => Promise.resolve(`Answer to ${play.text}\n\n\`\`\`\ncode\n\`\`\``);
    const texts = Array.from({ length: 25 }, (_, index) => `question ${String(index)}`);
    for (const text of texts) await talk(api, text, { conversation: { name: 'long' } });
    const markdown = await (await api.request('GET', '/api/conversations/long/export')).text();
    for (const text of texts) expect(markdown).toContain(`\n${text}\n`);
    expect(markdown.indexOf('question 3\n')).toBeLessThan(markdown.indexOf('question 24\n'));
    const exported = await api.json<{ conversation: { name: string }; messages: MessageView[] }>(
      'GET',
      '/api/conversations/long/export?format=json',
    );
    expect(exported.conversation.name).toBe('long');
    expect(exported.messages.filter(({ role }) => role === 'user').map(({ text }) => text)).toEqual(texts);
  });

  it('take back their last turn, but not while one runs', async () => {
    const api = await openApi();
    const conversation = { name: 'undo' };
    await talk(api, 'first', { conversation });
    await talk(api, 'second', { conversation });
    expect(await api.json('POST', '/api/conversations/undo/undo')).toEqual({ turn: 2, text: 'second' });
    expect(await api.json('POST', '/api/conversations/undo/undo')).toEqual({ turn: 1, text: 'first' });
    await api.json('POST', '/api/conversations/undo/undo', undefined, 409);
    api.conversations.script = () => new Promise(() => undefined);
    await api.json('POST', '/api/messages', send('third', { conversation }));
    await api.json('POST', '/api/conversations/undo/undo', undefined, 409);
    await api.json('DELETE', '/api/conversations/undo', undefined, 409);
  });

  it('send the last text again', async () => {
    const api = await openApi();
    const conversation = { name: 'retry' };
    await talk(api, 'try this', { conversation });
    api.conversations.script = (play) => Promise.resolve(`better: ${play.text}`);
    const again = await api.json<{ inboundId: string }>('POST', '/api/conversations/retry/retry');
    const path = `/api/messages/${again.inboundId}/answer?waitMs=10000`;
    expect(await api.json('GET', path)).toMatchObject({ text: 'better: try this', turn: 2 });
    const { messages } = await api.json<{ messages: MessageView[] }>('GET', '/api/conversations/retry/messages');
    expect(messages.map(({ text }) => text)).toEqual(['try this', 'better: try this']);
  });

  it('finish a retry that died halfway instead of taking back one turn more', async () => {
    const api = await openApi();
    const conversation = { name: 'halfway' };
    await talk(api, 'keep me', { conversation });
    const { conversationId } = await talk(api, 'try this', { conversation });
    // As the service leaves it when it dies between hiding the turn and sending its text.
    const inboundId = 'retry-of-the-second-turn';
    await api.store.idempotency.reserve({
      key: `retry:${conversationId}/2`,
      requestHash: 'retry',
      inboundId,
      conversationId,
    });
    await api.store.transcript.hideTurn(conversationId, 2);
    expect(await api.json('POST', '/api/conversations/halfway/retry')).toMatchObject({ inboundId, created: true });
    expect(await api.json('GET', `/api/messages/${inboundId}/answer?waitMs=10000`)).toMatchObject({
      text: 'echo: try this',
    });
    const { messages } = await api.json<{ messages: MessageView[] }>('GET', '/api/conversations/halfway/messages');
    expect(messages.map(({ text }) => text)).toContain('keep me');
  });

  it('stop their turn', async () => {
    const { json, conversations } = await openApi();
    conversations.script = () => new Promise(() => undefined);
    const message = send('work for ever', { conversation: { name: 'stop' } });
    await json('POST', '/api/messages', message);
    await vi.waitFor(async () => {
      expect(await json('GET', '/api/conversations/stop')).toMatchObject({ running: true });
    }, soon);
    expect(await json('POST', '/api/conversations/stop/interrupt', {})).toEqual({ interrupted: true, turn: 1 });
    expect(await json('GET', `/api/messages/${message.inboundId}/answer?waitMs=10000`)).toMatchObject({
      state: 'interrupted',
    });
    expect(await json('POST', '/api/conversations/stop/interrupt')).toEqual({ interrupted: false, turn: null });
  });

  it('are found by what was said', async () => {
    const api = await openApi();
    await talk(api, 'the heron stood in the river', { conversation: { name: 'birds' } });
    const { hits } = await api.json<{ hits: { excerpt: string }[] }>('GET', '/api/search?q=heron');
    expect(hits.length).toBeGreaterThan(0);
    expect(at(hits, 0).excerpt).toContain('heron');
  });
});

describe('the rest of the API', () => {
  it('lists approvals by state', async () => {
    const { json, conversations } = await openApi();
    conversations.script = async (play) => (await play.ask({ kind: 'approval', title: 'npm test' })).decision;
    await talkTo(json, 'test it');
    const { approvals } = await json<{ approvals: ApprovalView[] }>('GET', '/api/approvals');
    expect(approvals).toMatchObject([{ kind: 'approval', title: 'npm test', state: 'waiting' }]);
    const id = encodeURIComponent(at(approvals, 0).id);
    await json('POST', `/api/approvals/${id}`, { decision: 'answer', answer: 'x' }, 400);
    await json('POST', `/api/approvals/${id}`, { decision: 'approve', scope: 'always' });
    expect(await json('GET', '/api/approvals')).toEqual({ approvals: [] });
    expect(await json('GET', '/api/approvals?state=all')).toMatchObject({ approvals: [{ state: 'approved' }] });
    await json('POST', '/api/approvals/nothing', { decision: 'approve' }, 404);
  });

  it('tells status, usage, models, prompt and uncertain calls', async () => {
    const api = await openApi();
    await talk(api, 'hello');
    expect(await api.json('GET', '/api/status')).toMatchObject({ ready: true, backend: 'local' });
    expect(await api.json('GET', '/api/usage?days=1')).toMatchObject({
      days: [{ model: 'scripted', calls: 1, costUsd: 0.25 }],
    });
    expect(await api.json('GET', '/api/models')).toMatchObject({ current: 'test:small' });
    expect(await api.json('GET', '/api/prompt')).toMatchObject({ totalChars: 3 });
    expect(await api.json('GET', '/api/uncertain')).toEqual({ calls: [] });
  });

  it('describes itself', async () => {
    const { json } = await openApi();
    const document = await json<{ openapi: string; paths: Record<string, Record<string, unknown>> }>(
      'GET',
      '/api/openapi.json',
    );
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining(['/api/messages', '/api/approvals/{id}', '/v1/chat/completions', '/health']),
    );
    expect(JSON.stringify(document.paths['/api/messages']?.['post'])).toContain('makes a repeat harmless');
  });

  it('passes on what a worker elsewhere sends', async () => {
    const { request, bus } = await openApi();
    const seen: unknown[] = [];
    bus.subscribe('c-1', (event) => seen.push(event));
    const event = { conversationId: 'c-1', turn: 1, kind: 'notice', text: 'hello' };
    expect((await request('POST', '/internal/stream', [event])).status).toBe(204);
    expect(seen).toEqual([event]);
    expect((await request('POST', '/internal/stream', { no: 'events' })).status).toBe(400);
  });
});

describe('the door', () => {
  it('opens for the token only, which others cannot read', async () => {
    const { url, tokenFile, token } = await openApi();
    expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
    for (const path of ['/api/status', '/v1/models', '/api/nothing', '/internal/stream']) {
      for (const authorization of [undefined, 'Bearer wrong', `Basic ${token}`, `Bearer ${token}x`, 'Bearer']) {
        const response = await fetch(`${url}${path}`, {
          headers: authorization === undefined ? {} : { authorization },
        });
        expect(response.status).toBe(401);
        const { error } = (await response.json()) as { error: { code: string } };
        expect(error.code).toMatch(path.startsWith('/v1') ? 'invalid_api_key' : 'Api.Unauthorized');
      }
    }
    const health = await fetch(`${url}/health`);
    expect(await health.json()).toEqual({ status: 'ok', version: '1.2.3' });
  });

  it('answers to loopback names and configured ones only', async () => {
    const { url, token } = await openApi({ allowedHosts: ['hermes.lan'] });
    const { port } = new URL(url);
    const status = (host: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        const headers = { host, authorization: `Bearer ${token}` };
        httpRequest({ port, host: '127.0.0.1', path: '/api/status', headers }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on('error', reject)
          .end();
      });
    for (const host of [
      'localhost',
      `localhost:${port}`,
      '127.0.0.1',
      `127.0.0.1:${port}`,
      `[::1]:${port}`,
      'Hermes.LAN:80',
    ]) {
      expect([host, await status(host)]).toEqual([host, 200]);
    }
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      '10.0.0.1',
      '0.0.0.0',
    ]) {
      expect([host, await status(host)]).toEqual([host, 403]);
    }
  });

  it('gives no page of another origin a way in', async () => {
    const { url } = await openApi();
    const response = await fetch(`${url}/api/status`, {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example' },
    });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('refuses what it does not understand, with a word on what is wrong', async () => {
    const { request } = await openApi();
    const refuse = async (body: string, headers: Record<string, string> = {}) => {
      const response = await request('POST', '/api/messages', body, headers);
      return { status: response.status, ...((await response.json()) as { error: { code: string; message: string } }) };
    };
    expect(await refuse('{"inboundId":')).toMatchObject({ status: 400, error: { code: 'Api.Invalid' } });
    expect(await refuse('{}')).toMatchObject({
      status: 400,
      error: { message: expect.stringMatching(/^inboundId/) as string },
    });
    const odd = { ...send('x'), colour: 'red' };
    expect(await refuse(JSON.stringify(odd))).toMatchObject({
      status: 400,
      error: { message: expect.stringContaining('colour') as string },
    });
    const nested = send('x', { conversation: { name: 'a', colour: 'red' } });
    expect((await refuse(JSON.stringify(nested))).status).toBe(400);
    expect((await refuse('x=1', { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(415);
    expect((await refuse(JSON.stringify(send('x')), { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await request('GET', '/api/conversations?limit=-1')).status).toBe(400);
    expect((await request('GET', '/api/conversations/%E0%A4%A')).status).toBeLessThan(500);
    expect((await request('PUT', '/api/status')).status).toBe(404);
  });

  it('never fails on a strange body', async () => {
    const { request, lines } = await openApi();
    const paths = [
      '/api/messages',
      '/api/conversations',
      '/api/approvals/x',
      '/v1/chat/completions',
      '/v1/responses',
      '/internal/stream',
    ];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 3 }), async (path, body) => {
        const { status } = await request('POST', path, JSON.stringify(body));
        expect(status).toBeLessThan(500);
      }),
      { numRuns: 150 },
    );
    expect(lines.filter(({ level }) => level >= 50)).toEqual([]);
  });

  it('takes the longest message and refuses a body of 10 MB, announced or not', async () => {
    const { request, url, token, json } = await openApi();
    await json('POST', '/api/messages', send('ä'.repeat(1_000_000)));
    const big = JSON.stringify(send('x'.repeat(10 * 1024 * 1024)));
    expect((await request('POST', '/api/messages', big)).status).toBe(413);
    const piece = Buffer.alloc(64 * 1024, 'x');
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'transfer-encoding': 'chunked',
      };
      const outgoing = httpRequest(`${url}/api/messages`, { method: 'POST', headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      outgoing.on('error', reject);
      for (let sent = 0; sent < 10 * 1024 * 1024; sent += piece.length) outgoing.write(piece);
      outgoing.end();
    });
    expect(status).toBe(413);
    expect((await request('GET', '/api/status')).status).toBe(200);
  });

  it('takes a body that comes in pieces without a length', async () => {
    const { url, token } = await openApi();
    const body = JSON.stringify(send('in pieces'));
    const answer = await new Promise<string>((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'transfer-encoding': 'chunked',
      };
      const outgoing = httpRequest(`${url}/api/messages`, { method: 'POST', headers }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve(text));
      });
      outgoing.on('error', reject);
      outgoing.write(body.slice(0, 10));
      setTimeout(() => outgoing.end(body.slice(10)), 30);
    });
    expect(JSON.parse(answer)).toMatchObject({ created: true });
  });

  it('is not held up by clients that send half a request', async () => {
    const { url, request } = await openApi();
    const port = Number(new URL(url).port);
    const sockets = Array.from({ length: 50 }, () => connect(port, '127.0.0.1'));
    onTestFinished(() => sockets.forEach((socket) => socket.destroy()));
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      socket.write('POST /api/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n');
    }
    expect((await request('GET', '/api/status')).status).toBe(200);
  });

  it('closes in time although clients wait, and tells them how things stand', async () => {
    const { json, conversations, api } = await openApi();
    conversations.script = () => new Promise(() => undefined);
    const message = send('work for ever');
    await json('POST', '/api/messages', message);
    const waiting = json('GET', `/api/messages/${message.inboundId}/answer?waitMs=60000`);
    await pause(100);
    const before = performance.now();
    await api.close();
    expect(performance.now() - before).toBeLessThan(3_000);
    expect(await waiting).toMatchObject({ state: 'pending' });
  });

  it('says when its port is taken', async () => {
    const { api, url } = await openApi();
    const other = await openApi();
    await other.api.close();
    await expect(other.api.listen({ host: '127.0.0.1', port: Number(new URL(url).port) })).rejects.toMatchObject({
      code: 'Config.Invalid',
      message: expect.stringContaining('something else listens there') as string,
    });
    await api.close();
  });
});

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new Error(`there is no item ${String(index)}`);
  return item;
}

async function talkTo(json: Api['json'], text: string): Promise<Answer> {
  const message = send(text);
  await json('POST', '/api/messages', message);
  return json<Answer>('GET', `/api/messages/${message.inboundId}/answer?waitMs=10000`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

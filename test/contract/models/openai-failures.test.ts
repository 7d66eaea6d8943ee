import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  cutMidToken,
  drip,
  empty,
  endsEarly,
  events,
  finishEvent,
  hang,
  hangAfter,
  openStream,
  raw,
  startModelServer,
  status,
  textEvent,
  wrongJson,
  type Answer,
  type ModelServer,
} from '../../support/model-server.ts';
import { ask, delta, failure, key, prompt } from './ask.ts';

let server: ModelServer;
beforeEach(async () => {
  server = await startModelServer();
});
afterEach(() => server.stop());

const here = () => ({ baseUrl: server.baseUrl });

describe('a peer that misbehaves', () => {
  const rows: [string, Answer, string, boolean][] = [
    ['an empty answer', empty(), 'Model.BadAnswer', true],
    ['reasoning without an answer', events(delta({ reasoning: 'hm' }, 'length'), '[DONE]'), 'Model.BadAnswer', true],
    ['a stream cut in mid-token', cutMidToken('Once upon'), 'Model.Unavailable', true],
    ['a stream that just ends', endsEarly('Once upon'), 'Model.Unavailable', true],
    [
      'a connection closed before any byte',
      raw((_asked, response) => void response.destroy()),
      'Model.Unavailable',
      true,
    ],
    ['broken JSON', wrongJson(), 'Model.BadAnswer', true],
    ['a web page', raw((_asked, response) => void response.end('<html>Welcome</html>')), 'Model.BadAnswer', true],
    ['a content filter', events(delta({}, 'content_filter'), '[DONE]'), 'Model.Refused', false],
    [
      'an error in the stream',
      events(delta({ content: 'On' }), { error: { code: 502, message: 'upstream' } }),
      'Model.Unavailable',
      true,
    ],
    ['a rate limit in the stream', events({ error: { code: 429, message: 'slow down' } }), 'Model.RateLimited', true],
    [
      'an error with status 200',
      raw((_asked, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end('{"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}');
      }),
      'Model.QuotaExceeded',
      false,
    ],
    ['500', status(500), 'Model.Unavailable', true],
    ['503', status(503), 'Model.Overloaded', true],
    ['401', status(401, { message: `Incorrect API key provided: ${key}` }), 'Model.Authentication', false],
  ];
  it.each(rows)('%s', async (_title, answer, code, retryable) => {
    server.next(answer);
    const error = await failure(here());
    expect([error.code, error.retryable]).toEqual([code, retryable]);
    expect(server.requests).toHaveLength(1);
  });

  it('says when it may be asked again', async () => {
    server.next(status(429, {}, { 'retry-after': '7' }));
    expect(await failure(here())).toMatchObject({ code: 'Model.RateLimited', retryAfterMs: 7000 });
  });

  it('is given up after the time allowed for silence, before and between bytes', async () => {
    server.next(hang(), hangAfter('Once'));
    expect((await failure({ ...here(), stallTimeoutMs: 150 })).code).toBe('Model.Stalled');
    expect((await failure({ ...here(), stallTimeoutMs: 150 })).code).toBe('Model.Stalled');
    await expect.poll(() => server.requests.every((asked) => asked.aborted)).toBe(true);
  });

  it('may be slow as long as it is not silent', async () => {
    server.next(drip(['a', 'b', 'c', 'd', 'e', 'f'], 120));
    expect((await ask({ ...here(), stallTimeoutMs: 500 })).answer.text).toBe('abcdef');
  });

  it('keeps a stream alive by comments alone', async () => {
    server.next(
      raw(async (asked, response) => {
        openStream(response);
        for (let round = 0; round < 6; round += 1) {
          response.write(': PROCESSING\n\n');
          await sleep(120);
        }
        response.end(textEvent(asked, 'late') + finishEvent(asked));
      }),
    );
    expect((await ask({ ...here(), stallTimeoutMs: 500 })).answer.text).toBe('late');
  });

  it('is given up after the time allowed for the whole request', async () => {
    server.next(drip(Array<string>(50).fill('x'), 50));
    expect((await failure({ ...here(), requestTimeoutMs: 300 })).code).toBe('Model.Timeout');
    await expect.poll(() => server.requests[0]?.aborted).toBe(true);
  });

  it('is hung up on once it has sent an error', async () => {
    server.next(
      raw((_asked, response) => {
        openStream(response);
        response.write('data: {"error":{"message":"no"}}\n\n');
      }),
    );
    await failure(here());
    await expect.poll(() => server.requests[0]?.aborted).toBe(true);
  });
});

describe('aborting', () => {
  it.each([
    ['before the first byte', () => hang()],
    ['in the middle', () => drip(Array<string>(100).fill('word '), 30)],
  ])('%s closes the connection and rejects with the reason', async (_title, answer) => {
    server.next(answer());
    const controller = new AbortController();
    const asking = ask(here(), {}, controller.signal);
    const settled = asking.catch((error: unknown) => error);
    await server.received(1);
    await sleep(100);
    const reason = new Error('the person has had enough');
    controller.abort(reason);
    expect(await settled).toBe(reason);
    await expect.poll(() => server.requests[0]?.aborted).toBe(true);
  });

  it('beforehand sends nothing', async () => {
    const reason = new Error('never mind');
    await expect(ask(here(), {}, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(server.requests).toHaveLength(0);
  });
});

describe('what an error tells', () => {
  const answers: Answer[] = [
    status(400, { message: `Invalid message: '${prompt}' (key ${key})`, param: prompt }),
    status(400, { message: `bad ${JSON.stringify({ content: prompt })}`, code: prompt }),
    status(422, { message: prompt.slice(3, 40) }),
    status(401, { message: `Incorrect API key provided: ${key}` }),
    status(500, { message: prompt }),
    events({ error: { message: `cannot process: ${prompt}` } }),
    events(`{"broken": "${prompt}`, '[DONE]'),
  ];
  it.each(answers.map((answer, index) => [index, answer] as const))(
    'never is the key or the prompt (%i)',
    async (_i, answer) => {
      server.next(answer);
      const error = await failure(here());
      const told = inspect(error, { depth: 10 }) + JSON.stringify([error.message, error.details, error.stack]);
      expect(told).not.toContain(key);
      expect(told).not.toContain('Ebenezer');
      expect(told).not.toContain('landlord');
    },
  );

  it('is what the vendor said, where that helps', async () => {
    server.next(
      status(400, { message: "Unsupported value: 'temperature' must be 1 for this model.", code: 'unsupported_value' }),
    );
    const error = await failure(here());
    expect(error.message).toContain("'temperature' must be 1");
    expect(error.details).toMatchObject({ status: 400, vendorCode: 'unsupported_value', model: 'test-model' });
  });

  it('is the base URL, where nothing listens', async () => {
    const { baseUrl } = server;
    await server.stop();
    const error = await failure({ baseUrl: `${baseUrl.replace('//', '//user:secret@')}/?token=hidden` });
    expect(error).toMatchObject({ code: 'Model.Unavailable', retryable: true });
    expect(error.message).toContain(baseUrl);
    expect(inspect(error)).not.toMatch(/secret|hidden/);
  });

  it('is that there is no such host, no TLS, no URL', async () => {
    expect((await failure({ baseUrl: 'http://no-such-host.invalid/v1' })).message).toContain(
      'http://no-such-host.invalid/v1',
    );
    const tls = await failure({ baseUrl: server.baseUrl.replace('http:', 'https:') });
    expect([tls.code, tls.message]).toEqual(['Model.Unavailable', expect.stringContaining('TLS')]);
    expect((await failure({ baseUrl: 'not a url' })).code).toBe('Model.InvalidRequest');
  });
});

describe('error bodies in shapes of their own', () => {
  let other: Server;
  let body = '';
  let code = 400;
  beforeEach(async () => {
    other = createServer((_request, response) => {
      response.writeHead(code, { 'content-type': 'application/json' });
      response.end(body);
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => {
    other.closeAllConnections();
    other.close();
  });

  it.each([
    ['an error that is a string', 404, '{"error":"model \'x\' not found, try pulling it first"}', 'model-not-found'],
    [
      'an error at the top',
      400,
      '{"object":"error","message":"The model `x` does not exist.","code":404}',
      'model-not-found',
    ],
    ['a list', 404, '[{"error":{"code":404,"message":"models/x is not found for API version v1"}}]', 'model-not-found'],
    ['a page', 404, '<html><h1>404 Not Found</h1></html>', 'endpoint-not-found'],
    ['detail', 400, '{"detail":"registry.ollama.ai/library/x does not support tools"}', 'tools-unsupported'],
  ])('%s', async (_title, status_, text_, reason) => {
    code = status_;
    body = text_;
    const error = await failure({ baseUrl: `http://127.0.0.1:${String((other.address() as AddressInfo).port)}/v1` });
    expect(error.code).toBe('Model.InvalidRequest');
    expect(error.details['reason']).toBe(reason);
  });
});

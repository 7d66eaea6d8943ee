import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { LLMock, type FixtureResponse } from '@copilotkit/aimock';

/**
 * The scripted model server of all tests: an OpenAI-compatible endpoint on a free loopback port, spoken by
 * `@copilotkit/aimock`, with raw answers beside it for peers that misbehave on the wire.
 *
 *     const server = await startModelServer();
 *     server.turn(/list my files/, calls({ name: 'run_command', args: { command: 'ls' } }), text('Two files.'));
 *     server.next(status(500), text('back again'));   // used once each, before every rule
 *     server.otherwise(text('ok'));                    // whatever nothing else matches
 *     … baseUrl: server.baseUrl …
 *     expect(server.requests).toHaveLength(2);
 *     await server.stop();
 *
 * `turn` is safe under retries and kills: the answer depends on the request alone (its newest user message and how many
 * assistant messages follow it), so a repeated request gets the same answer, and `requests` tells that it was repeated.
 */
export interface ModelServer {
  /** `http://127.0.0.1:<port>/v1`, for `baseUrl`. */
  readonly baseUrl: string;
  readonly port: number;
  /** Every chat request received, oldest first, also those that were cut or never answered. */
  readonly requests: readonly RecordedRequest[];
  /** Answers for the steps of a turn whose newest user message matches: the first step gets the first one. */
  turn(user: string | RegExp, ...steps: Answer[]): void;
  /** Answers whatever `match` accepts, at most `times` times. Rules are asked newest first. */
  when(match: (request: RecordedRequest) => boolean, answer: Answer | AnswerMaker, times?: number): void;
  /** Answers the next requests in order, each once, whatever they say. */
  next(...answers: Answer[]): void;
  /** Answer where nothing matches; `ok` unless set. */
  otherwise(answer: Answer | AnswerMaker): void;
  /** Resolves once `count` requests have been received. */
  received(count: number): Promise<void>;
  /** Forgets rules, queue and requests. */
  reset(): void;
  /** Closes the port and every connection. Idempotent. */
  stop(): Promise<void>;
}

export interface ModelServerOptions {
  readonly port?: number;
  /** Before each answer of aimock. */
  readonly latencyMs?: number;
  /** Characters per streamed delta. */
  readonly chunkChars?: number;
}

export interface ChatMessage {
  readonly role: string;
  readonly content?: string | null | readonly { readonly type: string; readonly text?: string }[];
  readonly tool_calls?: readonly { id: string; function: { name: string; arguments: string } }[];
  readonly tool_call_id?: string;
}

export interface RecordedRequest {
  readonly at: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readonly<Record<string, unknown>> & {
    readonly model: string;
    readonly messages: readonly ChatMessage[];
  };
  /** Text of the newest user message. */
  readonly user: string;
  /** Assistant messages after it: 0 for a turn's first step. */
  readonly step: number;
  /** Text of the last message, e.g. a tool's result. */
  readonly last: string;
  /** True as soon as the client has closed the connection before the answer's end. */
  readonly aborted: boolean;
}

/** Writes the response itself. It may never end: `stop` closes the connection. */
export type RawAnswer = (request: RecordedRequest, response: ServerResponse) => void | Promise<void>;
export type Answer =
  | { readonly kind: 'scripted'; readonly response: FixtureResponse; readonly delayMs: number }
  | { readonly kind: 'raw'; readonly write: RawAnswer };
export type AnswerMaker = (request: RecordedRequest) => Answer;

interface AnswerOptions {
  readonly delayMs?: number;
  readonly reasoning?: string;
  readonly usage?: { prompt_tokens?: number; completion_tokens?: number; cost?: number };
  readonly finishReason?: string;
}

const scripted = (response: FixtureResponse, delayMs = 0): Answer => ({ kind: 'scripted', response, delayMs });

export function text(content: string, { delayMs, ...rest }: AnswerOptions = {}): Answer {
  return scripted({ content, ...rest }, delayMs);
}

export interface ScriptedCall {
  readonly name: string;
  /** A string is sent as it is, valid JSON or not. */
  readonly args?: unknown;
  readonly id?: string;
}

/** Tool calls, with text before them where `content` is given last. */
export function calls(...parts: (ScriptedCall | string)[]): Answer {
  const toolCalls = parts
    .filter((part) => typeof part !== 'string')
    .map(({ name, args = {}, id }) => ({
      name,
      arguments: typeof args === 'string' ? args : JSON.stringify(args),
      ...(id === undefined ? {} : { id }),
    }));
  const content = parts.filter((part) => typeof part === 'string').join('');
  return scripted(content === '' ? { toolCalls } : { content, toolCalls });
}

/** An error answer in OpenAI's shape. `headers` may carry `retry-after`. */
export function status(
  code: number,
  error: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Answer {
  return raw((_request, response) => {
    response.writeHead(code, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify({ error: { message: `Status ${String(code)}`, type: 'error', code: null, ...error } }));
  });
}

export function raw(write: RawAnswer): Answer {
  return { kind: 'raw', write };
}

/** Accepts the request and never sends a byte. */
export const hang = (): Answer => raw(() => undefined);

/** An answer that is given as soon as the test releases it. */
export function held(content: string): { readonly answer: Answer; release(): void } {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const answer = raw(async (request, response) => {
    await released;
    openStream(response);
    response.write(textEvent(request, content));
    response.end(finishEvent(request));
  });
  return { answer, release: () => release() };
}

/** Sends the head and `deltas`, then nothing more. */
export const hangAfter = (...deltas: string[]): Answer =>
  raw((request, response) => {
    openStream(response);
    for (const delta of deltas) response.write(textEvent(request, delta));
  });

/** Sends `deltas`, begins another event and cuts the connection in the middle of it. */
export const cutMidToken = (...deltas: string[]): Answer =>
  raw(async (request, response) => {
    openStream(response);
    for (const delta of deltas) response.write(textEvent(request, delta));
    const half = textEvent(request, 'never to be completed');
    response.write(half.slice(0, Math.floor(half.length / 2)));
    await sleep(20);
    response.destroy();
  });

/** Ends the stream in good order, but without finish reason and `[DONE]`. */
export const endsEarly = (...deltas: string[]): Answer =>
  raw((request, response) => {
    openStream(response);
    for (const delta of deltas) response.write(textEvent(request, delta));
    response.end();
  });

/** A stream with an event that is no JSON. */
export const wrongJson = (): Answer => events('{"choices":[{"delta":{"content":"half', '[DONE]');

/** A well-formed stream that says nothing. */
export const empty = (): Answer => events({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }, '[DONE]');

/** An answer of `sizeBytes` characters, in pieces of 16 KiB. */
export const huge = (sizeBytes: number): Answer =>
  raw(async (request, response) => {
    openStream(response);
    const piece = 'lorem ipsum dolor sit amet, '.repeat(600).slice(0, 16_384);
    function* pieces() {
      for (let sent = 0; sent < sizeBytes; sent += piece.length) {
        yield textEvent(request, piece.slice(0, Math.min(piece.length, sizeBytes - sent)));
      }
      yield finishEvent(request);
    }
    await pipeline(pieces, response).catch((error: unknown) => {
      if (!response.destroyed) throw error; // the client has left
    });
  });

/** One delta every `everyMs`. */
export const drip = (deltas: readonly string[], everyMs: number): Answer =>
  raw(async (request, response) => {
    openStream(response);
    for (const delta of deltas) {
      if (response.destroyed) return;
      response.write(textEvent(request, delta));
      await sleep(everyMs);
    }
    response.end(finishEvent(request));
  });

/** A stream of exactly these events: strings as they are, all else as JSON. */
export const events = (...list: unknown[]): Answer =>
  raw((_request, response) => {
    openStream(response);
    for (const event of list) response.write(`data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`);
    response.end();
  });

/** Event with one text delta, for raw answers. */
export function textEvent(request: RecordedRequest, content: string): string {
  return event(request, { delta: { content }, finish_reason: null });
}

/** The finish reason, usage and `[DONE]`, for raw answers. */
export function finishEvent(request: RecordedRequest, finishReason = 'stop'): string {
  return `${event(request, { delta: {}, finish_reason: finishReason })}data: [DONE]\n\n`;
}

function event(request: RecordedRequest, choice: Record<string, unknown>): string {
  const chunk = { id: 'raw', object: 'chat.completion.chunk', created: 0, model: request.body.model };
  return `data: ${JSON.stringify({ ...chunk, choices: [{ index: 0, ...choice }] })}\n\n`;
}

/** Head of a server-sent event stream, for raw answers. */
export function openStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  response.flushHeaders();
}

interface Rule {
  readonly match: (request: RecordedRequest) => boolean;
  readonly answer: AnswerMaker;
  left: number;
}

const maker = (answer: Answer | AnswerMaker): AnswerMaker => (typeof answer === 'function' ? answer : () => answer);

class Script {
  readonly requests: RecordedRequest[] = [];
  readonly queue: Answer[] = [];
  readonly rules: Rule[] = [];
  fallback: AnswerMaker = () => text('ok');
  #waiting: { count: number; resolve: () => void }[] = [];

  take(request: RecordedRequest): Answer {
    this.requests.push(request);
    for (const entry of this.#waiting) if (this.requests.length >= entry.count) entry.resolve();
    this.#waiting = this.#waiting.filter((entry) => this.requests.length < entry.count);
    const queued = this.queue.shift();
    if (queued) return queued;
    const rule = this.rules.findLast((candidate) => candidate.left > 0 && candidate.match(request));
    if (!rule) return this.fallback(request);
    rule.left -= 1;
    return rule.answer(request);
  }

  received(count: number): Promise<void> {
    if (this.requests.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }
}

export async function startModelServer(options: ModelServerOptions = {}): Promise<ModelServer> {
  const script = new Script();
  const chosen = new Map<string, Extract<Answer, { kind: 'scripted' }>>();
  const mock = new LLMock({
    port: options.port ?? 0,
    host: '127.0.0.1',
    latency: options.latencyMs ?? 0,
    chunkSize: options.chunkChars ?? 20,
    journalMaxEntries: 1,
  });

  // Asked before aimock itself: it records the request, writes raw answers, and hands the rest on with its choice.
  mock.mount('/v1', {
    async handleRequest(request, response, path) {
      if (request.method !== 'POST' || path !== '/chat/completions') return false;
      const bytes = await readBody(request);
      if (bytes === null) return true;
      const body = JSON.parse(bytes.toString('utf8')) as RecordedRequest['body'];
      const recorded = record(request, body, response);
      const answer = script.take(recorded);
      if (answer.kind === 'raw') {
        await answer.write(recorded, response);
        return true;
      }
      const key = String(script.requests.length);
      chosen.set(key, answer);
      request.unshift(Buffer.from(JSON.stringify({ ...body, scriptedAnswer: key })));
      return false;
    },
  });
  mock.on({}, async (request) => {
    const key = String(request['scriptedAnswer']);
    const answer = chosen.get(key);
    chosen.delete(key);
    if (!answer) throw new Error('The request did not pass the script.');
    if (answer.delayMs > 0) await sleep(answer.delayMs);
    return answer.response;
  });
  await mock.start();

  let stopped: Promise<void> | undefined;
  return {
    baseUrl: `http://127.0.0.1:${String(mock.port)}/v1`,
    port: mock.port,
    requests: script.requests,
    turn(user, ...steps) {
      const matches = (request: RecordedRequest) =>
        typeof user === 'string' ? request.user.includes(user) : user.test(request.user);
      script.rules.push({
        match: (request) => request.step < steps.length && matches(request),
        answer: (request) => steps[request.step] ?? text('ok'),
        left: Number.POSITIVE_INFINITY,
      });
    },
    when(match, answer, times = Number.POSITIVE_INFINITY) {
      script.rules.push({ match, answer: maker(answer), left: times });
    },
    next: (...answers) => void script.queue.push(...answers),
    otherwise: (answer) => void (script.fallback = maker(answer)),
    received: (count) => script.received(count),
    reset() {
      script.requests.length = script.queue.length = script.rules.length = 0;
      script.fallback = () => text('ok');
    },
    stop() {
      stopped ??= stopListening(mock);
      return stopped;
    },
  };
}

async function stopListening(mock: LLMock): Promise<void> {
  // aimock waits for its clients to leave, and a client may keep a connection in reserve for seconds.
  const { server } = mock['serverInstance'] as { server: Server };
  const closed = mock.stop();
  server.closeAllConnections();
  await closed;
}

/** Reads the body but leaves the stream before its end, so that aimock can read what is put back. Null: client gone. */
async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let missing = Number(request.headers['content-length'] ?? Number.NaN);
  if (Number.isNaN(missing)) throw new Error('The request has no content-length.');
  while (missing > 0) {
    const chunk = request.read() as Buffer | null;
    if (chunk !== null) {
      chunks.push(chunk);
      missing -= chunk.length;
    } else if (request.destroyed) {
      return null;
    } else {
      await new Promise<void>((resolve) => {
        const go = () => {
          request.off('readable', go).off('close', go);
          resolve();
        };
        request.on('readable', go).on('close', go);
      });
    }
  }
  return Buffer.concat(chunks);
}

function record(request: IncomingMessage, body: RecordedRequest['body'], response: ServerResponse): RecordedRequest {
  const messages = body.messages;
  const userIndex = messages.findLastIndex((message) => message.role === 'user');
  const recorded = {
    at: Date.now(),
    headers: request.headers,
    body,
    user: contentText(messages[userIndex]),
    step: messages.slice(userIndex + 1).filter((message) => message.role === 'assistant').length,
    last: contentText(messages.at(-1)),
    aborted: false,
  };
  response.once('close', () => {
    recorded.aborted = !response.writableFinished;
  });
  return recorded;
}

function contentText(message: ChatMessage | undefined): string {
  const content = message?.content ?? '';
  return typeof content === 'string' ? content : content.map((part) => part.text ?? '').join('');
}

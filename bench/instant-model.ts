import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A model that answers at once: what is measured is then ours. A user message that contains `run:` is answered by one
 * shell command first, one that contains `slowly:` by text that grows for about eight seconds; anything else by two
 * deltas of text.
 */
export interface InstantModel {
  readonly baseUrl: string;
  /** When the first delta of the newest answer was written, by `performance.now()`. */
  firstDeltaAt(): number;
  requests(): number;
  /** What the newest request asked, when it had come in whole, and when the last byte of its answer was written. */
  newest(): { readonly asked: string; readonly askedAt: number; readonly answeredAt: number | null };
  stop(): Promise<void>;
}

const slowDeltas = 80;
const slowEveryMs = 100;

export async function startInstantModel(): Promise<InstantModel> {
  let firstDeltaAt = 0;
  let requests = 0;
  let newest: { asked: string; askedAt: number; answeredAt: number | null } = {
    asked: '',
    askedAt: 0,
    answeredAt: null,
  };
  const server: Server = createServer((request, response) => {
    void readBody(request).then((body) => {
      if (request.method === 'GET') {
        response.end(JSON.stringify({ object: 'list', data: [{ id: 'instant', object: 'model' }] }));
        return;
      }
      requests += 1;
      const askedAt = performance.now();
      const messages = (JSON.parse(body) as { messages: { role: string; content: string }[] }).messages;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      firstDeltaAt = performance.now();
      const last = messages.at(-1);
      const asked = last?.role === 'user' ? last.content : '';
      const entry: typeof newest = { asked, askedAt, answeredAt: null };
      newest = entry;
      void answer(asked, response).then(() => {
        entry.answeredAt = performance.now();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    baseUrl: `http://127.0.0.1:${String(port)}/v1`,
    firstDeltaAt: () => firstDeltaAt,
    requests: () => requests,
    newest: () => newest,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

async function answer(asked: string, response: ServerResponse): Promise<void> {
  if (asked.includes('run:')) answerWithTool(response);
  else if (asked.includes('slowly:')) await answerSlowly(response);
  else answerWithText(response);
}

function answerWithText(response: ServerResponse): void {
  chunk(response, { delta: { role: 'assistant', content: 'All ' }, finish_reason: null });
  chunk(response, { delta: { content: 'done.' }, finish_reason: null });
  finish(response, 'stop');
}

async function answerSlowly(response: ServerResponse): Promise<void> {
  for (let index = 0; index < slowDeltas; index += 1) {
    chunk(response, { delta: { content: `This is sentence ${String(index)} of the answer. ` }, finish_reason: null });
    await sleep(slowEveryMs);
  }
  finish(response, 'stop');
}

function answerWithTool(response: ServerResponse): void {
  const call = {
    index: 0,
    id: 'call_1',
    type: 'function',
    function: { name: 'run_command', arguments: '{"command":"true"}' },
  };
  chunk(response, { delta: { role: 'assistant', tool_calls: [call] }, finish_reason: null });
  finish(response, 'tool_calls');
}

function finish(response: ServerResponse, reason: string): void {
  chunk(response, { delta: {}, finish_reason: reason });
  const usage = { prompt_tokens: 100, completion_tokens: 5, total_tokens: 105 };
  response.write(
    `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', model: 'instant', choices: [], usage })}\n\n`,
  );
  response.end('data: [DONE]\n\n');
}

function chunk(response: ServerResponse, choice: object): void {
  const body = {
    id: 'x',
    object: 'chat.completion.chunk',
    created: 0,
    model: 'instant',
    choices: [{ index: 0, ...choice }],
  };
  response.write(`data: ${JSON.stringify(body)}\n\n`);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const part of request) chunks.push(part as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

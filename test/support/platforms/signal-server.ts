import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readJson, sendJson } from '../daytona/http.ts';
import type {
  PlatformFault,
  PlatformServer,
  SaidMessage,
  SeenMessage,
  TestChat,
  TestFile,
  TestPerson,
} from './platform-server.ts';

type Params = Readonly<Record<string, unknown>>;

interface SendParams {
  readonly message?: string;
  readonly attachments?: readonly string[];
  readonly editTimestamp?: number;
  readonly quoteTimestamp?: number;
  readonly quoteAuthor?: string;
}

interface Kept {
  readonly seq: number;
  readonly data: string;
}

interface Shown {
  readonly chat: string;
  readonly seen: SeenMessage;
}

/** As an error answer of the daemon's JSON-RPC. */
export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

export interface SignalServer extends PlatformServer {
  /** Sends what the daemon would send for this envelope. */
  envelope(envelope: Params): void;
  /** The next call of the method is answered with this error. */
  refuse(method: string, error: RpcError): void;
  /** The next requests are answered with this status, as a proxy before the daemon would. */
  answerWith(status: number, headers?: Readonly<Record<string, string>>): void;
  /** Calls received, oldest first. */
  readonly calls: readonly { readonly method: string; readonly params: Params }[];
  /** The account has kept all up to this event. Nobody tells the daemon; it is what the account would not ask for again. */
  keptUpTo(id: string): void;
}

export interface SignalServerOptions {
  /** Daemons before the one that remembers its events give no ids and repeat nothing. */
  readonly ids?: boolean;
}

export const signalAccount = { number: '+4915150000001', uuid: '5c0ffee0-0000-4000-8000-000000000001' } as const;

/** signal-cli's `daemon --http --receive-mode on-connection`, and Signal behind it, for one account. */
export function createSignalServer({ ids = true }: SignalServerOptions = {}): SignalServer {
  return new LocalSignal(ids);
}

class LocalSignal implements SignalServer {
  readonly calls: { readonly method: string; readonly params: Params }[] = [];
  private readonly ids: boolean;
  private server: Server | null = null;
  private port = 0;
  private run = 0;
  private seq = 0;
  private stamp = Date.now();
  /** At Signal, until the daemon fetches them because somebody listens. */
  private waiting: string[] = [];
  /** What the daemon remembers. */
  private remembered: Kept[] = [];
  private clients: ServerResponse[] = [];
  private keptSeq = 0;
  private last: string | null = null;
  private swapped: string[] | null = null;
  private wedged = false;
  private held: (() => void)[] = [];
  private faults: PlatformFault[] = [];
  private refusals: { method: string; error: RpcError }[] = [];
  private statuses: { status: number; headers: Readonly<Record<string, string>> }[] = [];
  private readonly shown: Shown[] = [];
  private readonly typed: string[] = [];
  private readonly files = new Map<string, Buffer>();
  private readonly texts = new Map<string, { author: string; text: string }>();

  constructor(ids: boolean) {
    this.ids = ids;
  }

  settings(): ReturnType<PlatformServer['settings']> {
    return { url: `http://127.0.0.1:${this.port}`, account: signalAccount.number };
  }

  secrets(): readonly string[] {
    return [];
  }

  async start(): Promise<void> {
    this.run += 1;
    const server = createServer((request, response) => {
      void this.handle(request, response).catch(() => response.destroy());
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const { server } = this;
    this.server = null;
    this.clients = [];
    this.remembered = [];
    this.keptSeq = 0;
    this.seq = 0;
    if (server === null) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  says(message: SaidMessage): Promise<string> {
    const { from, chat, edits, text } = message;
    const timestamp = this.nextStamp();
    const id = `${from.id}:${edits === undefined ? timestamp : stampOf(edits)}`;
    this.texts.set(id, { author: from.id, text });
    const dataMessage = {
      timestamp,
      message: message.mention === true ? `\ufffc ${text}` : text === '' ? null : text,
      expiresInSeconds: 0,
      viewOnce: false,
      ...(message.mention === true
        ? { mentions: [{ name: signalAccount.number, ...signalAccount, start: 0, length: 1 }] }
        : {}),
      ...(message.replyTo === undefined ? {} : { quote: this.quote(message.replyTo) }),
      ...(message.files === undefined ? {} : { attachments: message.files.map((file) => this.keepFile(file)) }),
      ...groupOf(chat),
    };
    const body =
      edits === undefined ? { dataMessage } : { editMessage: { targetSentTimestamp: stampOf(edits), dataMessage } };
    this.envelope({ ...sourceOf(from), timestamp, serverReceivedTimestamp: timestamp, ...body });
    return Promise.resolve(id);
  }

  async command({ chat, from, name, args }: Parameters<PlatformServer['command']>[0]): Promise<void> {
    await this.says({ chat, from, text: args === '' ? `/${name}` : `/${name} ${args}` });
  }

  presses(): Promise<void> {
    return Promise.reject(new Error('There are no buttons.'));
  }

  repeatLast(): Promise<void> {
    if (this.last !== null) this.arrive(this.last);
    return Promise.resolve();
  }

  swapNext(): void {
    this.swapped = [];
  }

  malformed(payload: unknown): Promise<void> {
    this.arrive(JSON.stringify(payload));
    return Promise.resolve();
  }

  envelope(envelope: Params): void {
    const data = JSON.stringify({ envelope, account: signalAccount.number });
    this.last = data;
    if (this.swapped === null) {
      this.arrive(data);
      return;
    }
    this.swapped.unshift(data);
    if (this.swapped.length < 2) return;
    const both = this.swapped;
    this.swapped = null;
    for (const one of both) this.arrive(one);
  }

  messages(chat: TestChat): readonly SeenMessage[] {
    return this.shown.filter((one) => one.chat === chat.id).map(({ seen }) => seen);
  }

  typings(chat: TestChat): number {
    return this.typed.filter((one) => one === chat.id).length;
  }

  commands(): null {
    return null;
  }

  pressAnswers(): readonly string[] {
    return [];
  }

  fail(fault: PlatformFault, times = 1): void {
    for (let time = 0; time < times; time += 1) this.faults.push(fault);
  }

  refuse(method: string, error: RpcError): void {
    this.refusals.push({ method, error });
  }

  answerWith(status: number, headers: Readonly<Record<string, string>> = {}): void {
    this.statuses.push({ status, headers });
  }

  cutConnections(): void {
    for (const client of this.clients.splice(0)) client.destroy();
  }

  wedge(on: boolean): void {
    this.wedged = on;
    if (on) return;
    for (const go of this.held.splice(0)) go();
    this.deliver();
  }

  unacknowledged(): number {
    return this.waiting.length + this.remembered.filter(({ seq }) => seq > this.keptSeq).length;
  }

  keptUpTo(id: string): void {
    this.keptSeq = Math.max(this.keptSeq, this.seqOf(id));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.wedged) await new Promise<void>((resolve) => this.held.push(resolve));
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const status = this.statuses.shift();
    if (status !== undefined) {
      response.writeHead(status.status, status.headers).end();
    } else if (url.pathname === '/api/v1/check') {
      response.writeHead(200).end();
    } else if (url.pathname === '/api/v1/events') {
      this.openEvents(request, response, url.searchParams.get('account'));
    } else if (url.pathname !== '/api/v1/rpc') {
      response.writeHead(404).end();
    } else if (request.method !== 'POST') {
      response.writeHead(405).end();
    } else if (request.headers['content-type']?.startsWith('application/json') !== true) {
      response.writeHead(415).end();
    } else {
      await this.answerCall(request, response);
    }
  }

  private openEvents(request: IncomingMessage, response: ServerResponse, account: string | null): void {
    if (account !== null && account !== signalAccount.number) {
      response.writeHead(400).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
    // A comment is the sign of life.
    response.write(':\n');
    const after = request.headers['last-event-id'];
    if (this.ids && typeof after === 'string') {
      const seq = this.seqOf(after);
      for (const one of this.remembered) if (one.seq > seq) this.write(response, one);
    }
    this.clients.push(response);
    response.on('close', () => {
      this.clients = this.clients.filter((one) => one !== response);
    });
    this.deliver();
  }

  private arrive(data: string): void {
    this.waiting.push(data);
    this.deliver();
  }

  /** The daemon fetches from Signal while somebody listens. */
  private deliver(): void {
    if (this.wedged || this.clients.length === 0) return;
    for (const data of this.waiting.splice(0)) {
      const one = { seq: (this.seq += 1), data };
      if (this.ids) this.remembered.push(one);
      for (const client of this.clients) this.write(client, one);
    }
  }

  private write(client: ServerResponse, { seq, data }: Kept): void {
    client.write(`${this.ids ? `id:${this.run}-${seq}\n` : ''}event:receive\ndata:${data}\n\n`);
  }

  private seqOf(id: string): number {
    const [run, seq] = id.split('-').map(Number);
    return run === this.run && seq !== undefined && Number.isSafeInteger(seq) ? seq : 0;
  }

  private async answerCall(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { id, method, params } = (await readJson(request)) as { id: unknown; method: string; params: Params };
    this.calls.push({ method, params });
    const fail = (error: RpcError): void =>
      sendJson(response, 200, { jsonrpc: '2.0', error: { data: null, ...error }, id });
    const refusal = this.refusals.findIndex((one) => one.method === method);
    const [refused] = refusal === -1 ? [] : this.refusals.splice(refusal, 1);
    const fault = method === 'send' ? this.faults.shift() : undefined;
    if (params['account'] !== signalAccount.number) {
      fail({ code: -32602, message: 'Specified account does not exist' });
    } else if (refused !== undefined) {
      fail(refused.error);
    } else if (fault?.kind === 'cut') {
      request.socket.destroy();
    } else if (fault !== undefined && fault.kind !== 'accepted-then-cut' && fault.kind !== 'hang') {
      fail(errorOf(fault));
    } else {
      const result = this.call(method, params);
      if (fault?.kind === 'accepted-then-cut') request.socket.destroy();
      else if (fault?.kind !== 'hang') {
        if ('error' in result) fail(result.error);
        else sendJson(response, 200, { jsonrpc: '2.0', result: result.result, id });
      }
    }
  }

  private call(method: string, params: Params): { readonly result: unknown } | { readonly error: RpcError } {
    switch (method) {
      case 'send':
        return this.send(params);
      case 'sendTyping':
        this.typed.push(chatOf(params));
        return { result: {} };
      case 'getUserStatus':
        return { result: [{ recipient: signalAccount.number, ...signalAccount, isRegistered: true }] };
      case 'getAttachment': {
        const bytes = this.files.get(String(params['id']));
        return bytes === undefined
          ? { error: { code: -1, message: 'Could not find attachment with ID: gone' } }
          : { result: { data: bytes.toString('base64') } };
      }
      default:
        return { error: { code: -32601, message: 'Method not implemented' } };
    }
  }

  private send(params: Params): { readonly result: unknown } | { readonly error: RpcError } {
    const { message, attachments, editTimestamp, quoteTimestamp, quoteAuthor } = params as SendParams;
    const text = message ?? '';
    if (text === '' && (attachments ?? []).length === 0) {
      return { error: { code: -1, message: 'Sending empty message is not allowed' } };
    }
    const timestamp = this.nextStamp();
    const at = this.shown.findIndex(({ seen }) => seen.id === String(editTimestamp));
    const before = this.shown[at];
    if (before !== undefined) {
      this.shown[at] = { ...before, seen: { ...before.seen, text, edits: before.seen.edits + 1 } };
    } else if (editTimestamp !== undefined) {
      return { error: { code: -1, message: 'Invalid edit' } };
    } else {
      const author = quoteAuthor === signalAccount.number ? '' : `${quoteAuthor ?? ''}:`;
      const seen: SeenMessage = {
        id: String(timestamp),
        text,
        edits: 0,
        buttons: [],
        files: (attachments ?? []).map(fileOf),
        ...(quoteTimestamp === undefined ? {} : { replyTo: `${author}${quoteTimestamp}` }),
      };
      this.shown.push({ chat: chatOf(params), seen });
      this.texts.set(seen.id, { author: signalAccount.uuid, text });
    }
    return { result: { timestamp, results: [{ recipientAddress: {}, type: 'SUCCESS' }] } };
  }

  private quote(replyTo: string): Params {
    const { author, text } = this.texts.get(replyTo) ?? { author: signalAccount.uuid, text: '' };
    return { id: stampOf(replyTo), author, authorNumber: null, authorUuid: author, text, attachments: [] };
  }

  private keepFile({ kind, name, mediaType, bytes }: TestFile): Params {
    const id = `file${this.files.size + 1}.bin`;
    this.files.set(id, bytes);
    return {
      contentType: mediaType,
      filename: kind === 'voice' ? null : name,
      id,
      size: bytes.length,
      width: null,
      height: null,
    };
  }

  private nextStamp(): number {
    this.stamp = Math.max(this.stamp + 1, Date.now());
    return this.stamp;
  }
}

/** The daemon's own way with data URIs: parameters up to the last equals sign, the value URL-encoded. */
function fileOf(uri: string): SeenMessage['files'][number] {
  const [, mediaType = '', parameters = '', data = ''] = /^data:(.+?\/.+?)(;.+?)?;base64,(.+)$/s.exec(uri) ?? [];
  const name = /^;filename=(.+)$/.exec(parameters)?.[1] ?? '';
  return { name: decodeURIComponent(name), mediaType, bytes: Buffer.from(data, 'base64') };
}

function errorOf(fault: PlatformFault): RpcError {
  const failed = (type: string, further: Params = {}): unknown => ({
    response: { timestamp: 1, results: [{ recipientAddress: {}, type, ...further }] },
  });
  switch (fault.kind) {
    case 'rate-limit': {
      const retryAfterSeconds = Math.ceil(fault.retryAfterMs / 1000);
      const data = failed('RATE_LIMIT_FAILURE', { token: 'challenge', retryAfterSeconds });
      return { code: -5, message: 'Failed to send message due to rate limiting', data };
    }
    case 'recipient-gone':
      return { code: -1, message: 'Failed to send message', data: failed('UNREGISTERED_FAILURE') };
    case 'rejected':
      return { code: -1, message: 'Invalid style: LOUD' };
    case 'refused-token':
      return {
        code: -32603,
        message: 'Failed to send message: [401] Authorization failed! (AuthorizationFailedException)',
      };
    default:
      return { code: -3, message: 'Failed to send message: connection closed (IOException)' };
  }
}

function sourceOf(person: TestPerson): Params {
  return { source: person.id, sourceNumber: null, sourceUuid: person.id, sourceName: person.name, sourceDevice: 1 };
}

function groupOf(chat: TestChat): Params {
  if (chat.kind === 'direct') return {};
  return { groupInfo: { groupId: chat.id, groupName: chat.title ?? 'Group', revision: 3, type: 'DELIVER' } };
}

function chatOf(params: Params): string {
  if (params['noteToSelf'] === true) return signalAccount.number;
  const [recipient] = (params['recipient'] as string[] | undefined) ?? [];
  return recipient ?? String(params['groupId']);
}

function stampOf(messageId: string): number {
  return Number(messageId.slice(messageId.lastIndexOf(':') + 1));
}

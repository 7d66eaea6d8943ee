import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type {
  PlatformFault,
  PlatformServer,
  SaidMessage,
  SeenMessage,
  TestChat,
  TestPerson,
} from './platform-server.ts';
import { ApiError } from './telegram-api-error.ts';
import { TelegramChats, telegramBot, type Fields } from './telegram-chats.ts';
import { readFields } from './telegram-request.ts';
import { TelegramUpdates } from './telegram-updates.ts';

const token = '7700000001:AAH-telegram_conformance-token_0123';
/** What sends, edits or uploads; faults wait for these. */
const effects = /^(send(?!ChatAction)|editMessage)/;

/** The Bot API on loopback: updates by getUpdates with confirmation by offset, messages, buttons, files, faults. */
export class TelegramServer implements PlatformServer {
  private readonly http: Server;
  private readonly sockets = new Set<Socket>();
  private readonly updates = new TelegramUpdates();
  private readonly chats = new TelegramChats();
  private readonly faults: PlatformFault[] = [];
  private readonly wedged: (() => void)[] = [];
  private isWedged = false;
  private port = 0;

  constructor() {
    this.http = createServer((request, response) => {
      this.handle(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    this.http.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  settings(): { readonly token: string; readonly apiRoot: string } {
    return { token, apiRoot: `http://127.0.0.1:${this.port}` };
  }

  secrets(): readonly string[] {
    return [token];
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.http.listen(this.port, '127.0.0.1', resolve));
    this.port = (this.http.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.wedge(false);
    this.updates.release();
    if (!this.http.listening) return;
    const closed = new Promise((resolve) => this.http.close(resolve));
    this.cutConnections();
    await closed;
  }

  says(message: SaidMessage): Promise<string> {
    const { messageId, update } = this.chats.said(message);
    this.updates.add(update);
    return Promise.resolve(messageId);
  }

  async command(command: { chat: TestChat; from: TestPerson; name: string; args: string }): Promise<void> {
    const { chat, from, name, args } = command;
    const word = `/${name}${chat.kind === 'group' ? `@${telegramBot.username}` : ''}`;
    await this.says({ chat, from, text: args === '' ? word : `${word} ${args}` });
  }

  presses(press: { chat: TestChat; from: TestPerson; messageId: string; data: string }): Promise<void> {
    this.updates.add(this.chats.pressed(press));
    return Promise.resolve();
  }

  /** The person blocks the agent, or takes it out of the group. */
  blocks(chat: TestChat, from: TestPerson): void {
    this.updates.add(this.chats.blocked(chat, from));
  }

  /** The group becomes a supergroup under another id. */
  migrates(chat: TestChat, from: TestPerson, to: string): void {
    this.updates.add(this.chats.migrated(chat, from, to));
  }

  repeatLast(): Promise<void> {
    this.updates.repeatLast();
    return Promise.resolve();
  }

  swapNext(): void {
    this.updates.swapNext();
  }

  malformed(payload: unknown): Promise<void> {
    this.updates.addRaw(payload);
    return Promise.resolve();
  }

  /** Another receiver polls with this token so often. */
  intrude(times: number): void {
    this.updates.intrude(times);
  }

  /** From now on no picture is shown as one. */
  refusePhotos(): void {
    this.chats.refusePhotos();
  }

  /** The last asked offset; null before the first one that was given. */
  askedOffset(): number | null {
    return this.updates.askedOffset;
  }

  messages(chat: TestChat): readonly SeenMessage[] {
    return this.chats.seen(chat);
  }

  typings(chat: TestChat): number {
    return this.chats.typings.get(chat.id) ?? 0;
  }

  commands(): readonly string[] {
    return this.chats.commands;
  }

  pressAnswers(): readonly string[] {
    return this.chats.pressAnswers;
  }

  fail(fault: PlatformFault, times = 1): void {
    for (let index = 0; index < times; index += 1) this.faults.push(fault);
  }

  cutConnections(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  wedge(on: boolean): void {
    this.isWedged = on;
    if (!on) for (const go of this.wedged.splice(0)) go();
  }

  unacknowledged(): number {
    return this.updates.waiting();
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.isWedged) await new Promise<void>((resolve) => this.wedged.push(resolve));
    const path = decodeURI(request.url ?? '');
    if (path.startsWith(`/file/bot${token}/`)) {
      this.download(path.slice(`/file/bot${token}/`.length), response);
      return;
    }
    const [, given, method] = /^\/bot([^/]*)\/(\w+)$/.exec(path) ?? [];
    if (given === undefined || method === undefined) {
      answer(response, 404, 'Not Found');
      return;
    }
    if (given !== token) {
      answer(response, /^\d+:[\w-]{30,}$/.test(given) ? 401 : 404, 'Unauthorized');
      return;
    }
    const fault = effects.test(method) ? this.faults.shift() : undefined;
    if (fault?.kind === 'cut') return void request.socket.destroy();
    const fields = await readFields(request);
    if (fault !== undefined && this.failed(fault, response)) return;
    await this.call(method, fields, response, fault);
  }

  private async call(method: string, fields: Fields, response: ServerResponse, fault?: PlatformFault): Promise<void> {
    try {
      const result =
        method === 'getUpdates' ? await this.updates.poll(fields, response) : this.chats.call(method, fields);
      if (fault?.kind === 'accepted-then-cut') return void response.socket?.destroy();
      if (fault?.kind === 'hang') return;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ ok: true, result }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      answer(response, error.code, error.message, error.parameters);
    }
  }

  /** @returns whether that was the answer. */
  private failed(fault: PlatformFault, response: ServerResponse): boolean {
    switch (fault.kind) {
      case 'rate-limit': {
        const seconds = Math.ceil(fault.retryAfterMs / 1_000);
        answer(response, 429, `Too Many Requests: retry after ${seconds}`, { retry_after: seconds });
        return true;
      }
      case 'server-error':
        response.statusCode = 502;
        response.end('<html><head><title>502 Bad Gateway</title></head></html>');
        return true;
      case 'refused-token':
        answer(response, 401, 'Unauthorized');
        return true;
      case 'recipient-gone':
        answer(response, 403, 'Forbidden: bot was blocked by the user');
        return true;
      case 'rejected':
        answer(response, 400, 'Bad Request: can\'t parse entities: Unsupported start tag "x" at byte offset 0');
        return true;
      default:
        return false;
    }
  }

  private download(path: string, response: ServerResponse): void {
    const file = this.chats.fileAt(path);
    if (file === undefined) {
      answer(response, 404, 'Not Found: file not found');
      return;
    }
    response.setHeader('content-type', 'application/octet-stream');
    response.setHeader('content-length', file.bytes.length);
    response.end(file.bytes);
  }
}

function answer(response: ServerResponse, code: number, description: string, parameters?: object): void {
  response.statusCode = code;
  response.setHeader('content-type', 'application/json');
  const body = { ok: false, error_code: code, description, ...(parameters === undefined ? {} : { parameters }) };
  response.end(JSON.stringify(body));
}

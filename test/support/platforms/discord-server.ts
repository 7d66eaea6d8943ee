import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  InteractionType,
  type APIAttachment,
  type APIInteraction,
  type APIMessage,
  type RESTPostAPIChannelMessageJSONBody,
} from 'discord-api-types/v10';
import { DiscordGateway } from './discord-gateway.ts';
import {
  applicationId,
  attachmentOf,
  botUser,
  buttonsOf,
  channelObject,
  channelOf,
  commandInteraction,
  overGateway,
  messageOf,
  pressInteraction,
  snowflake,
  userOf,
} from './discord-objects.ts';
import { readBody, type SentBody } from './discord-body.ts';
import type {
  PlatformFault,
  PlatformServer,
  SaidMessage,
  SeenMessage,
  TestChat,
  TestPerson,
} from './platform-server.ts';

interface Kept {
  message: APIMessage;
  edits: number;
}
type Answer = readonly [status: number, body: unknown, headers?: Readonly<Record<string, string>>];
type Handler = (parts: readonly string[], body: SentBody, url: URL) => Answer;

const token = 'MTAwMDAwMDAwMDAwMDAwMDAx.Gabcde.a-secret-of-the-discord-bot-0123456789';
const nothing: Answer = [204, null];
const unauthorized: Answer = [401, { message: '401: Unauthorized', code: 0 }];
const unknownMessage: Answer = [404, { message: 'Unknown Message', code: 10008 }];

/** Discord on loopback: the REST API v10 and the gateway of one bot. */
export class DiscordServer implements PlatformServer {
  readonly gateway: DiscordGateway;
  /** Bodies of messages as they were sent. */
  readonly posted: RESTPostAPIChannelMessageJSONBody[] = [];
  /** Method and path of every call of the REST API. */
  readonly requests: string[] = [];
  /** Callbacks of interactions, and when after the interaction they came. */
  readonly callbacks: { readonly type: number; readonly flags: number; readonly afterMs: number }[] = [];
  private readonly http: Server;
  private port = 0;
  private readonly kept = new Map<string, Kept[]>();
  private readonly chats = new Map<string, TestChat>();
  private readonly bytes = new Map<string, Buffer>();
  private readonly nonces = new Map<string, APIMessage>();
  private readonly hidden = new Set<string>();
  private readonly typed: string[] = [];
  private readonly answers: string[] = [];
  private readonly interactions = new Map<
    string,
    { readonly isPress: boolean; readonly at: number; answered: boolean }
  >();
  private registered: string[] = [];
  private faults: PlatformFault[] = [];
  private exhaustMs: number | null = null;
  private wedged: Promise<void> | null = null;
  private unwedge: () => void = () => undefined;

  /** `chats` are those of the bot's server that the gateway tells about. */
  constructor(chats: readonly TestChat[] = []) {
    for (const chat of chats) this.chats.set(channelOf(chat), chat);
    this.gateway = new DiscordGateway(token, () => [...this.chats.values()]);
    this.http = createServer((request, response) => void this.serve(request, response));
    this.http.on('upgrade', (request, socket, head) => this.gateway.upgrade(request, socket, head, this.address()));
  }

  settings() {
    return { token, apiUrl: `${this.origin()}/api` };
  }

  secrets(): readonly string[] {
    return [token, ...this.interactions.keys()];
  }

  async start(): Promise<void> {
    this.http.listen(this.port, '127.0.0.1');
    await once(this.http, 'listening');
    this.port = (this.http.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    if (!this.http.listening) return;
    this.wedge(false);
    const closed = once(this.http, 'close');
    this.http.close();
    this.gateway.cut();
    this.http.closeAllConnections();
    await closed;
    // The other side of the connections, in the same process, hears of it too.
    await sleep(20);
  }

  says(said: SaidMessage): Promise<string> {
    const { chat, from, text, edits } = said;
    this.chats.set(channelOf(chat), chat);
    if (edits !== undefined) {
      const one = this.find(channelOf(chat), edits);
      if (one === undefined) throw new Error('no such message to edit');
      one.message = { ...one.message, content: text, edited_timestamp: new Date().toISOString() };
      this.gateway.dispatch('MESSAGE_UPDATE', overGateway(chat, one.message));
      return Promise.resolve(edits);
    }
    const message = messageOf({
      channel: channelOf(chat),
      author: userOf(from),
      content: said.mention === true ? `<@${botUser.id}> ${text}` : text,
      mentions: said.mention === true ? [botUser] : [],
      attachments: (said.files ?? []).map((file) => this.store(file)),
      voice: said.files?.[0]?.kind === 'voice',
      answered: said.replyTo === undefined ? undefined : this.find(channelOf(chat), said.replyTo)?.message,
    });
    this.keep(message);
    this.gateway.dispatch('MESSAGE_CREATE', overGateway(chat, message));
    return Promise.resolve(message.id);
  }

  command({ chat, from, name, args }: { chat: TestChat; from: TestPerson; name: string; args: string }): Promise<void> {
    this.interact(commandInteraction(chat, from, name, args));
    return Promise.resolve();
  }

  presses(press: { chat: TestChat; from: TestPerson; messageId: string; data: string }): Promise<void> {
    const one = this.find(channelOf(press.chat), press.messageId);
    if (one === undefined) throw new Error('no such message to press on');
    this.interact(pressInteraction(press.chat, press.from, one.message, press.data));
    return Promise.resolve();
  }

  repeatLast(): Promise<void> {
    this.gateway.repeatLast();
    return Promise.resolve();
  }
  swapNext(): void {
    this.gateway.swapNext();
  }

  /** Discord frames and counts what it sends; only what is within can be nonsense. */
  malformed(payload: unknown): Promise<void> {
    const { t, d } = (typeof payload === 'object' && payload !== null ? payload : {}) as { t?: unknown; d?: unknown };
    this.gateway.dispatch(typeof t === 'string' ? t : 'MESSAGE_CREATE', d === undefined ? payload : d);
    return Promise.resolve();
  }

  messages(chat: TestChat): readonly SeenMessage[] {
    return (this.kept.get(channelOf(chat)) ?? [])
      .filter(({ message }) => message.author.id === botUser.id)
      .map(({ message, edits }) => ({
        id: message.id,
        text: message.content,
        edits,
        buttons: buttonsOf(message),
        files: message.attachments.map((file) => ({
          name: shownName(file),
          mediaType: file.content_type ?? '',
          bytes: this.bytes.get(file.id) ?? Buffer.alloc(0),
        })),
        ...(chat.thread === undefined ? {} : { thread: chat.thread }),
        ...(message.message_reference?.message_id === undefined
          ? {}
          : { replyTo: message.message_reference.message_id }),
      }));
  }

  typings(chat: TestChat): number {
    return this.typed.filter((channel) => channel === channelOf(chat)).length;
  }
  commands(): readonly string[] {
    return this.registered;
  }
  pressAnswers(): readonly string[] {
    return this.answers;
  }
  fail(fault: PlatformFault, times = 1): void {
    this.faults.push(...Array.from({ length: times }, () => fault));
  }
  cutConnections(): void {
    this.gateway.cut();
  }
  wedge(on: boolean): void {
    this.gateway.wedge(on);
    if (on) this.wedged ??= new Promise((resolve) => (this.unwedge = resolve));
    else {
      this.wedged = null;
      this.unwedge();
    }
  }
  unacknowledged(): number {
    return this.gateway.unacknowledged();
  }

  /** The next message is the last one that its channel takes for so long. */
  exhaustNext(ms: number): void {
    this.exhaustMs = ms;
  }
  /** The bot is no longer let into the channel. */
  hide(chat: TestChat): void {
    this.hidden.add(channelOf(chat));
  }
  gatewayUrl(): string {
    return this.address();
  }

  private origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }
  private address(): string {
    return `ws://127.0.0.1:${this.port}/gateway`;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    await this.wedged;
    const url = new URL(request.url ?? '/', this.origin());
    const parts = url.pathname.split('/').slice(1).map(decodeURIComponent);
    if (parts[0] === 'attachments') {
      const bytes = this.bytes.get(parts[1] ?? '');
      response.writeHead(bytes === undefined ? 404 : 200, { 'content-length': String(bytes?.length ?? 0) }).end(bytes);
      return;
    }
    this.requests.push(`${request.method} ${url.pathname}`);
    const path = parts.slice(2);
    const writes = /^(POST|PATCH) channels \S+ messages/.test(`${request.method} ${path.join(' ')}`);
    const fault = writes ? this.faults.shift() : undefined;
    if (fault?.kind === 'cut') {
      request.socket.destroy();
      return;
    }
    const body = await readBody(request);
    const refused = fault === undefined ? null : refusalOf(fault);
    const answer = refused ?? this.answer(request, path, body, url);
    if (fault?.kind === 'accepted-then-cut') request.socket.destroy();
    else if (fault?.kind !== 'hang') this.respond(response, answer);
  }

  private respond(response: ServerResponse, [status, json, headers = {}]: Answer): void {
    // An answer without content calls itself HTML there.
    const mediaType = json === null ? 'text/html; charset=utf-8' : 'application/json';
    response.writeHead(status, { 'content-type': mediaType, ...headers });
    response.end(json === null ? undefined : JSON.stringify(json));
  }

  private answer(request: IncomingMessage, parts: readonly string[], body: SentBody, url: URL): Answer {
    if (parts[0] === 'interactions') return this.callBack(parts[2] ?? '', body);
    if (parts[0] === 'webhooks') return this.followUp(parts[2] ?? '', body);
    if (request.headers.authorization !== `Bot ${token}`) return unauthorized;
    if (parts[0] === 'channels' && this.hidden.has(parts[1] ?? '')) {
      return [403, { message: 'Missing Access', code: 50001 }];
    }
    const route = `${request.method} ${parts.map((part, at) => (at % 2 === 1 && !part.startsWith('@') ? '*' : part)).join('/')}`;
    const handler = this.routes[route];
    return handler === undefined ? [404, { message: '404: Not Found', code: 0 }] : handler(parts, body, url);
  }

  private readonly routes: Readonly<Record<string, Handler>> = {
    'GET users/@me': () => [200, botUser],
    'GET applications/@me': () => [200, { id: applicationId, name: 'hermes', flags: 0 }],
    'GET gateway/*': () => [
      200,
      {
        url: this.gateway.named ?? this.address(),
        shards: 1,
        session_start_limit: { total: 1000, remaining: 999, reset_after: 60_000, max_concurrency: 1 },
      },
    ],
    'GET channels/*': ([, id = '']) => {
      const chat = this.chats.get(id);
      return chat === undefined ? [404, { message: 'Unknown Channel', code: 10003 }] : [200, channelObject(chat)];
    },
    'GET channels/*/messages': ([, id = ''], _body, url) => {
      const after = BigInt(url.searchParams.get('after') ?? '0');
      const limit = Number(url.searchParams.get('limit') ?? '50');
      const later = (this.kept.get(id) ?? []).map(({ message }) => message).filter((one) => BigInt(one.id) > after);
      return [200, later.slice(0, limit).reverse()];
    },
    'GET channels/*/messages/*': ([, id = '', , message = '']) => {
      const one = this.find(id, message);
      return one === undefined ? unknownMessage : [200, one.message];
    },
    'POST channels/*/messages': ([, id = ''], body) => this.post(id, body),
    'PATCH channels/*/messages/*': ([, id = '', , message = ''], { json }) => {
      const one = this.find(id, message);
      if (one === undefined) return unknownMessage;
      const { content = one.message.content, components = one.message.components ?? [] } = json;
      one.message = { ...one.message, content, components };
      one.edits += 1;
      return [200, one.message];
    },
    'POST channels/*/typing': ([, id = '']) => {
      this.typed.push(id);
      return nothing;
    },
    'PUT applications/*/commands': (_parts, { json }) => {
      const commands = json as unknown as { name: string; description: string }[];
      const wrong = commands.some(({ name, description }) => !/^[\w-]{1,32}$/.test(name) || description === '');
      if (wrong) return invalid('name', 'APPLICATION_COMMAND_INVALID_NAME');
      this.registered = commands.map(({ name }) => name);
      return [200, json];
    },
  };

  private callBack(token: string, { json }: SentBody): Answer {
    const interaction = this.interactions.get(token);
    const afterMs = Date.now() - (interaction?.at ?? 0);
    if (interaction === undefined || afterMs > 3_000) return [404, { message: 'Unknown interaction', code: 10062 }];
    if (interaction.answered) {
      return [400, { message: 'Interaction has already been acknowledged.', code: 40060 }];
    }
    interaction.answered = true;
    const { type, data } = json as unknown as { type: number; data?: { flags?: number } };
    this.callbacks.push({ type, flags: data?.flags ?? 0, afterMs });
    return nothing;
  }

  private followUp(token: string, { json }: SentBody): Answer {
    const interaction = this.interactions.get(token);
    if (interaction?.answered !== true) return [404, { message: 'Unknown Webhook', code: 10015 }];
    if (interaction.isPress) this.answers.push(json.content ?? '');
    return [200, { id: snowflake() }];
  }

  private post(channel: string, { json, files }: SentBody): Answer {
    this.posted.push(json);
    const { content = '', nonce = '', components = [] } = json;
    const refused = refusalOfContent(json, files.length);
    if (refused !== null) return refused;
    const key = `${channel}/${nonce}`;
    const before = json.enforce_nonce === true ? this.nonces.get(key) : undefined;
    if (before !== undefined) return [200, before];
    const answered = json.message_reference?.message_id;
    const message: APIMessage = {
      ...messageOf({
        channel,
        author: botUser,
        content,
        attachments: files.map((file, at) => this.store({ ...file, ...titled(json, at) })),
        answered: answered === undefined ? undefined : this.find(channel, answered)?.message,
      }),
      ...(components.length === 0 ? {} : { components }),
      nonce,
      ...(json.flags === undefined ? {} : { flags: json.flags }),
    };
    this.nonces.set(key, message);
    this.keep(message);
    const chat = this.chats.get(channel);
    this.gateway.dispatch('MESSAGE_CREATE', chat === undefined ? message : overGateway(chat, message));
    const resetMs = this.exhaustMs;
    this.exhaustMs = null;
    if (resetMs === null) return [200, message];
    const headers = {
      'x-ratelimit-limit': '5',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset-after': String(resetMs / 1000),
      'x-ratelimit-bucket': 'a-bucket',
    };
    return [200, message, headers];
  }

  private interact(interaction: APIInteraction): void {
    this.interactions.set(interaction.token, {
      isPress: interaction.type === InteractionType.MessageComponent,
      at: Date.now(),
      answered: false,
    });
    this.gateway.dispatch('INTERACTION_CREATE', interaction);
  }

  private store(file: { readonly name: string; readonly mediaType: string; readonly bytes: Buffer }): APIAttachment {
    const attachment = attachmentOf(this.origin(), file);
    this.bytes.set(attachment.id, file.bytes);
    return attachment;
  }

  private keep(message: APIMessage): void {
    const channel = this.kept.get(message.channel_id) ?? [];
    channel.push({ message, edits: 0 });
    this.kept.set(message.channel_id, channel);
  }

  private find(channel: string, id: string): Kept | undefined {
    return this.kept.get(channel)?.find(({ message }) => message.id === id);
  }
}

function titled(json: RESTPostAPIChannelMessageJSONBody, at: number): { name?: string } {
  const one = json.attachments?.find(({ id }) => Number(id) === at);
  return one?.filename === undefined ? {} : { name: one.filename };
}

function refusalOfContent(json: RESTPostAPIChannelMessageJSONBody, files: number): Answer | null {
  const { content = '', nonce = '', components = [] } = json;
  // The stricter of the two ways in which Discord's limit can be read.
  if (content.length > 2000) return invalid('content', 'BASE_TYPE_MAX_LENGTH');
  if (content === '' && files === 0) return [400, { message: 'Cannot send an empty message', code: 50006 }];
  if (String(nonce).length > 25) return invalid('nonce', 'NONCE_TYPE_TOO_LONG');
  return components.length > 5 ? invalid('components', 'BASE_TYPE_BAD_LENGTH') : null;
}

function shownName({ filename, title }: APIAttachment): string {
  return title === undefined ? filename : `${title}${filename.slice(filename.lastIndexOf('.'))}`;
}

function invalid(field: string, code: string): Answer {
  const errors = { [field]: { _errors: [{ code, message: 'Not as it should be.' }] } };
  return [400, { message: 'Invalid Form Body', code: 50035, errors }];
}

/** What a fault is answered with; null where the call is carried out. */
function refusalOf(fault: PlatformFault): Answer | null {
  switch (fault.kind) {
    case 'rate-limit': {
      const seconds = fault.retryAfterMs / 1000;
      const headers = { 'retry-after': String(seconds), 'x-ratelimit-scope': 'shared' };
      return [429, { message: 'You are being rate limited.', retry_after: seconds, global: false }, headers];
    }
    case 'server-error':
      return [500, { message: '500: Internal Server Error', code: 0 }];
    case 'refused-token':
      return unauthorized;
    case 'recipient-gone':
      return [403, { message: 'Cannot send messages to this user', code: 50007 }];
    case 'rejected':
      return invalid('content', 'BASE_TYPE_BAD_STRING');
    default:
      return null;
  }
}

import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { WebSocketServer, type WebSocket } from 'ws';
import type { WebhookRequest, WebhookResponse } from '../../../src/gateway/platforms/platform.ts';
import type {
  PlatformFault,
  PlatformServer,
  SaidMessage,
  SeenMessage,
  TestChat,
  TestPerson,
} from './platform-server.ts';
import { botUser, SlackWorkspace, type Json, type SlackMessage } from './slack-workspace.ts';

type Caller = (request: WebhookRequest) => Promise<WebhookResponse>;

interface Envelope {
  readonly id: string;
  readonly type: 'events_api' | 'interactive' | 'slash_commands';
  readonly payload: Json;
  attempts: number;
}

/** Also a word of Slack's own as the answer. */
type SlackFault = PlatformFault | { readonly kind: 'says'; readonly error: string };

/** Slack waits three seconds for an acknowledgement; here less. */
const redeliverMs = 900;
const teamId = 'T1';
const faulty = ['chat.postMessage', 'chat.update', 'files.getUploadURLExternal', 'files.completeUploadExternal'];

/** A workspace with Web API, Socket Mode and signed calls; `mode` says which way events take. */
export class SlackServer implements PlatformServer {
  readonly space = new SlackWorkspace();
  readonly signingSecret = 'abcdef0123456789abcdef0123456789';
  private readonly botToken = 'xoxb-1111111111-2222222222-conformanceBotToken';
  private readonly appToken = 'xapp-1-A1111111111-3333333333-conformanceAppToken';
  private readonly mode: 'socket' | 'http';
  private readonly tickets = new Set<string>();
  private readonly sockets = new Set<WebSocket>();
  private readonly waiting: Envelope[] = [];
  private readonly faults: PlatformFault[] = [];
  private readonly methodFaults = new Map<string, SlackFault>();
  private readonly called: { readonly method: string; readonly body: URLSearchParams }[] = [];
  private http: Server | null = null;
  private port = 0;
  private caller: Caller | null = null;
  private calling = false;
  private last: Envelope | null = null;
  private swapping: 'no' | 'next' | Envelope = 'no';
  private timer: NodeJS.Timeout | null = null;
  private gate: Promise<void> | null = null;
  private openGate: () => void = () => undefined;

  constructor(mode: 'socket' | 'http' = 'socket') {
    this.mode = mode;
  }

  settings() {
    return {
      botToken: this.botToken,
      appToken: this.appToken,
      signingSecret: this.signingSecret,
      mode: this.mode,
      apiUrl: `${this.space.base}api/`,
    };
  }

  secrets(): readonly string[] {
    return [this.botToken, this.appToken, this.signingSecret];
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => void this.answer(request, response));
    const upgrades = new WebSocketServer({ noServer: true });
    server.on('upgrade', (request, socket, head) => {
      const ticket = new URL(request.url ?? '/', 'http://x').searchParams.get('ticket') ?? '';
      if (!this.tickets.delete(ticket)) return void socket.destroy();
      upgrades.handleUpgrade(request, socket, head, (one) => void this.greet(one));
    });
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
    this.space.base = `http://127.0.0.1:${this.port}/`;
    this.http = server;
    this.timer = setInterval(() => this.deliverAll(true), redeliverMs);
  }

  async stop(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    this.wedge(false);
    this.cutConnections();
    const { http } = this;
    this.http = null;
    if (http === null) return;
    const closed = once(http, 'close');
    http.close();
    http.closeAllConnections();
    await closed;
  }

  says(said: SaidMessage): Promise<string> {
    const { chat, from, edits } = said;
    this.meet(chat, from);
    if (edits !== undefined) return Promise.resolve(this.saysAgain(said, edits));
    const files = (said.files ?? []).map((file) =>
      this.space.addFile(file.name, file.mediaType, file.bytes, file.kind === 'voice' ? 'slack_audio' : undefined),
    );
    const thread = said.replyTo ?? chat.thread;
    const message: SlackMessage = {
      channel: chat.id,
      ts: this.space.ts(),
      user: from.id,
      bot: false,
      ...written(said.text, said.mention === true),
      edits: 0,
      attachments: [],
      files,
      ...(thread === undefined ? {} : { thread }),
    };
    this.space.messages.push(message);
    const parent = thread === undefined ? undefined : this.space.find(chat.id, thread);
    const event = {
      ...this.space.messageJson(message, false),
      ...(files.length === 0 ? {} : { subtype: 'file_share' }),
      ...(parent === undefined ? {} : { parent_user_id: parent.user }),
      client_msg_id: randomUUID(),
      channel: chat.id,
      event_ts: message.ts,
    };
    this.event({ ...event, channel_type: chat.kind === 'direct' ? 'im' : 'channel' });
    // A mention is told twice.
    if (said.mention === true && chat.kind === 'group') this.event({ ...event, type: 'app_mention' });
    return Promise.resolve(message.ts);
  }

  command(command: {
    readonly chat: TestChat;
    readonly from: TestPerson;
    readonly name: string;
    readonly args: string;
  }) {
    const { chat, from, name, args } = command;
    this.meet(chat, from);
    this.push('slash_commands', {
      command: `/${name}`,
      text: args,
      user_id: from.id,
      user_name: from.name.toLowerCase(),
      channel_id: chat.id,
      channel_name: chat.kind === 'direct' ? 'directmessage' : 'general',
      team_id: teamId,
      trigger_id: `111.222.${randomUUID().replaceAll('-', '')}`,
      response_url: `${this.space.base}response/1`,
    });
    return Promise.resolve();
  }

  presses(press: {
    readonly chat: TestChat;
    readonly from: TestPerson;
    readonly messageId: string;
    readonly data: string;
  }) {
    const message = this.space.find(press.chat.id, press.messageId);
    const button = message === undefined ? undefined : buttonsOf(message).find(({ value }) => value === press.data);
    if (message === undefined || button === undefined) throw new Error('There is no such button to press.');
    this.push('interactive', {
      type: 'block_actions',
      user: { id: press.from.id, username: press.from.name.toLowerCase(), team_id: teamId },
      channel: { id: press.chat.id, name: 'directmessage' },
      container: { type: 'message', message_ts: message.ts, channel_id: press.chat.id, is_ephemeral: false },
      message: this.space.messageJson(message, false),
      actions: [{ ...button, block_id: 'x1', action_ts: this.space.ts() }],
      trigger_id: `333.444.${randomUUID().replaceAll('-', '')}`,
    });
    return Promise.resolve();
  }

  repeatLast(): Promise<void> {
    if (this.last === null) throw new Error('Nothing was delivered yet.');
    this.queue({ ...this.last, id: randomUUID(), attempts: 1 });
    return Promise.resolve();
  }

  swapNext(): void {
    this.swapping = 'next';
  }

  async malformed(payload: unknown): Promise<void> {
    if (this.mode === 'http') {
      await this.caller?.(this.signed(JSON.stringify(payload), 'application/json'));
      return;
    }
    for (const socket of this.sockets) {
      socket.send(JSON.stringify(payload));
      socket.send(JSON.stringify({ type: 'events_api', envelope_id: randomUUID(), payload }));
    }
  }

  messages(chat: TestChat): readonly SeenMessage[] {
    return this.space.messages
      .filter(
        ({ bot, channel, thread }) =>
          bot && channel === chat.id && (chat.thread === undefined || thread === chat.thread),
      )
      .map((message) => ({
        id: message.ts,
        text: message.text,
        edits: message.edits,
        buttons: buttonsOf(message).map((button) => ({
          label: String((button['text'] as Json)['text']),
          data: String(button['value']),
        })),
        files: message.files.map(({ name, mediaType, bytes }) => ({ name, mediaType, bytes })),
        ...(message.thread === undefined ? {} : { thread: message.thread }),
      }));
  }

  typings(): number {
    return 0;
  }

  commands(): null {
    return null;
  }

  pressAnswers(): readonly string[] {
    return [];
  }

  fail(fault: PlatformFault, times = 1): void {
    for (let index = 0; index < times; index += 1) this.faults.push(fault);
  }

  /** The next call of one method, or the next `upload`, ends so. */
  failMethod(method: string, fault: SlackFault): void {
    this.methodFaults.set(method, fault);
  }

  /** What a method was called with, in order. */
  calls(method: string): readonly URLSearchParams[] {
    return this.called.filter((one) => one.method === method).map(({ body }) => body);
  }

  /** Slack gives up what was not acknowledged, as it does after an hour. */
  forget(): void {
    this.waiting.splice(0);
  }

  cutConnections(): void {
    for (const socket of this.sockets) socket.terminate();
    this.sockets.clear();
  }

  wedge(on: boolean): void {
    if (on === (this.gate !== null)) return;
    if (on) {
      this.gate = new Promise((resolve) => {
        this.openGate = resolve;
      });
      for (const socket of this.sockets) socket.pause();
      return;
    }
    this.gate = null;
    this.openGate();
    for (const socket of this.sockets) socket.resume();
  }

  unacknowledged(): number {
    return this.waiting.length;
  }

  webhook(to: Caller | null): void {
    this.caller = to;
    this.deliverAll(false);
  }

  /** A request as Slack signs it. */
  signed(body: string, contentType: string, at = Math.floor(Date.now() / 1000)): WebhookRequest {
    const hash = createHmac('sha256', this.signingSecret).update(`v0:${at}:${body}`).digest('hex');
    return {
      method: 'POST',
      path: '/slack',
      query: {},
      headers: {
        'content-type': contentType,
        'x-slack-request-timestamp': String(at),
        'x-slack-signature': `v0=${hash}`,
      },
      body: Buffer.from(body),
    };
  }

  /** Any event of the Events API. */
  event(event: Json): void {
    this.push('events_api', callbackOf(event));
  }

  /** Slack asks for the connection to be renewed. */
  askToRenew(): void {
    for (const socket of this.sockets) socket.send(JSON.stringify({ type: 'disconnect', reason: 'refresh_requested' }));
  }

  private saysAgain({ chat, from, text, mention }: SaidMessage, ts: string): string {
    const message = this.space.find(chat.id, ts);
    if (message === undefined) throw new Error('There is no such message to edit.');
    const before = this.space.messageJson(message, false);
    Object.assign(message, written(text, mention === true));
    const editedAt = this.space.ts();
    this.event({
      type: 'message',
      subtype: 'message_changed',
      channel: chat.id,
      channel_type: chat.kind === 'direct' ? 'im' : 'channel',
      ts: editedAt,
      message: { ...this.space.messageJson(message, false), edited: { user: from.id, ts: editedAt } },
      previous_message: before,
    });
    return ts;
  }

  private meet(chat: TestChat, person: TestPerson): void {
    this.space.people.set(person.id, person.name);
    this.space.channels.add(chat.id);
    if (chat.kind === 'direct') this.space.rooms.set(person.id, chat.id);
  }

  private push(type: Envelope['type'], payload: Json): void {
    const envelope: Envelope = { id: randomUUID(), type, payload, attempts: 0 };
    if (this.swapping === 'next') {
      this.swapping = envelope;
      return;
    }
    const held = this.swapping;
    this.swapping = 'no';
    this.queue(envelope);
    if (held !== 'no') this.queue(held);
  }

  private queue(envelope: Envelope): void {
    this.last = envelope;
    this.waiting.push(envelope);
    if (this.mode === 'http') this.deliverAll(false);
    else this.send(envelope);
  }

  private deliverAll(again: boolean): void {
    if (this.mode === 'http') void this.callAll();
    else for (const envelope of this.waiting) if (again || envelope.attempts === 0) this.send(envelope);
  }

  private send(envelope: Envelope): void {
    const socket = [...this.sockets].at(-1);
    if (socket === undefined || this.gate !== null) return;
    const { id, type, payload, attempts } = envelope;
    envelope.attempts += 1;
    const retry = attempts === 0 ? {} : { retry_attempt: attempts, retry_reason: 'timeout' };
    socket.send(JSON.stringify({ envelope_id: id, type, payload, accepts_response_payload: false, ...retry }));
  }

  /** One call after the other, in order; what is refused is called again later. */
  private async callAll(): Promise<void> {
    if (this.calling) return;
    this.calling = true;
    try {
      for (;;) {
        const [envelope] = this.waiting;
        if (envelope === undefined || this.caller === null) return;
        const { status } = await this.caller(this.requestOf(envelope));
        if (status !== 200) return;
        this.waiting.splice(this.waiting.indexOf(envelope), 1);
      }
    } finally {
      this.calling = false;
    }
  }

  private requestOf({ type, payload }: Envelope): WebhookRequest {
    const form = 'application/x-www-form-urlencoded';
    if (type === 'events_api') return this.signed(JSON.stringify(payload), 'application/json');
    if (type === 'interactive') {
      return this.signed(new URLSearchParams({ payload: JSON.stringify(payload) }).toString(), form);
    }
    return this.signed(new URLSearchParams(payload as Record<string, string>).toString(), form);
  }

  private async greet(socket: WebSocket): Promise<void> {
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
    await this.gate;
    if (socket.readyState !== socket.OPEN) return;
    this.sockets.add(socket);
    socket.on('message', (data) => {
      const { envelope_id: id } = JSON.parse((data as Buffer).toString('utf8')) as { envelope_id?: string };
      const index = this.waiting.findIndex((envelope) => envelope.id === id);
      if (index >= 0) this.waiting.splice(index, 1);
    });
    socket.send(JSON.stringify({ type: 'hello', num_connections: this.sockets.size }));
    this.deliverAll(true);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = new URL(request.url ?? '/', this.space.base);
      const [room, name = ''] = url.pathname.slice(1).split('/');
      if (this.faults[0]?.kind === 'cut' && (room === 'upload' || faulty.includes(name))) {
        this.faults.shift();
        request.socket.destroy();
        return;
      }
      const body = await buffer(request);
      await this.gate;
      if (room === 'api') this.api(name, request, body, response);
      else if (room === 'upload') this.upload(name, url, body, response);
      else if (room === 'files-pri') this.download(name.replace(/^T1-/, ''), request, response);
      else response.writeHead(404).end();
    } catch {
      // The client went away while it was sending.
      request.socket.destroy();
    }
  }

  private api(method: string, request: IncomingMessage, body: Buffer, response: ServerResponse): void {
    const token = request.headers.authorization?.replace('Bearer ', '');
    const opens = method === 'apps.connections.open';
    if (token !== (opens ? this.appToken : this.botToken)) {
      json(response, { ok: false, error: 'invalid_auth' });
      return;
    }
    if (opens) {
      const ticket = randomUUID();
      this.tickets.add(ticket);
      json(response, { ok: true, url: `ws://127.0.0.1:${this.port}/link?ticket=${ticket}` });
      return;
    }
    const form = new URLSearchParams(body.toString('utf8'));
    this.called.push({ method, body: form });
    const fault = faulty.includes(method) || this.methodFaults.has(method) ? this.nextFault(method) : undefined;
    this.withFault(
      fault,
      response,
      () => json(response, this.space.call(method, form)),
      () => void this.space.call(method, form),
    );
  }

  private upload(id: string, url: URL, body: Buffer, response: ServerResponse): void {
    const file = this.space.files.get(id);
    const take = (): void => {
      if (file === undefined || body.length !== Number(url.searchParams.get('size')))
        return void response.writeHead(400).end();
      file.bytes = body;
      response.end(`OK - ${body.length}`);
    };
    this.withFault(this.nextFault('upload'), response, take, () => undefined);
  }

  private nextFault(method: string): SlackFault | undefined {
    const own = this.methodFaults.get(method);
    this.methodFaults.delete(method);
    return own ?? this.faults.shift();
  }

  private withFault(
    fault: SlackFault | undefined,
    response: ServerResponse,
    answer: () => void,
    act: () => void,
  ): void {
    const errors = {
      'refused-token': 'invalid_auth',
      'recipient-gone': 'channel_not_found',
      rejected: 'invalid_blocks',
    };
    if (fault === undefined) {
      answer();
      return;
    }
    switch (fault.kind) {
      case 'rate-limit':
        return void response.writeHead(429, { 'retry-after': String(Math.ceil(fault.retryAfterMs / 1000)) }).end();
      case 'server-error':
        return void response.writeHead(500).end('<html>oops</html>');
      case 'hang': {
        act();
        return;
      }
      case 'accepted-then-cut':
        act();
        return void response.destroy();
      case 'says':
        json(response, { ok: false, error: fault.error });
        return;
      case 'cut':
        return void response.destroy();
      default: {
        json(response, { ok: false, error: errors[fault.kind] });
        return;
      }
    }
  }

  private download(id: string, request: IncomingMessage, response: ServerResponse): void {
    const file = this.space.files.get(id);
    // Without the token Slack leads to its sign-in page.
    if (request.headers.authorization !== `Bearer ${this.botToken}`)
      response.writeHead(302, { location: '/signin' }).end();
    else if (file === undefined) response.writeHead(404).end();
    else
      response.writeHead(200, { 'content-type': file.mediaType, 'content-length': file.bytes.length }).end(file.bytes);
  }
}

/** An event in the wrapping of the Events API. */
export function callbackOf(event: Json): Json {
  return {
    type: 'event_callback',
    team_id: teamId,
    api_app_id: 'A1',
    event_id: `Ev${randomUUID().replaceAll('-', '').slice(0, 12).toUpperCase()}`,
    event_time: Math.floor(Date.now() / 1000),
    event,
    authorizations: [{ team_id: teamId, user_id: botUser, is_bot: true }],
  };
}

/** A text as Slack keeps what was typed: escaped, and once more with its formatting apart. */
function written(text: string, mention: boolean): { text: string; blocks: readonly Json[] } {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const words = text === '' ? [] : [{ type: 'text', text: mention ? ` ${text}` : text }];
  const elements = [...(mention ? [{ type: 'user', user_id: botUser }] : []), ...words];
  return {
    text: mention ? `<@${botUser}> ${escaped}` : escaped,
    blocks:
      elements.length === 0
        ? []
        : [{ type: 'rich_text', block_id: 'b1', elements: [{ type: 'rich_text_section', elements }] }],
  };
}

function buttonsOf(message: SlackMessage): readonly Json[] {
  return [...message.blocks, ...message.attachments.flatMap((one) => one['blocks'] as readonly Json[])]
    .filter((block) => block['type'] === 'actions')
    .flatMap((block) => block['elements'] as readonly Json[]);
}

function json(response: ServerResponse, body: Json): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

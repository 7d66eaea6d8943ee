import { createHmac, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { WebhookRequest, WebhookResponse } from '../../../src/gateway/platforms/platform.ts';
import { sendJson } from '../daytona/http.ts';
import type {
  PlatformFault,
  PlatformServer,
  SaidMessage,
  SeenMessage,
  TestChat,
  TestFile,
  TestPerson,
} from './platform-server.ts';

type Fields = Readonly<Record<string, unknown>>;
type Webhook = (request: WebhookRequest) => Promise<WebhookResponse>;

interface Shown {
  readonly chat: string;
  readonly seen: SeenMessage;
}

/** An error of the Graph API. */
export interface GraphError {
  readonly code: number;
  readonly message?: string;
  readonly error_subcode?: number;
  readonly error_data?: { readonly details: string };
}

export interface WhatsAppServer extends PlatformServer {
  /** Calls the webhook until it answers with 200, as WhatsApp does. */
  deliver(value: Fields): void;
  /** Calls the webhook once, as anybody could. */
  call(request: Partial<WebhookRequest>): Promise<WebhookResponse>;
  /** The next message is refused so. */
  refuse(error: GraphError, status?: number): void;
  /** The next request is answered with this and no error of the API. */
  answerWith(status: number): void;
  /** Whether messages that are taken are told of by a status. */
  statuses: boolean;
  /** Bodies of the messages sent, oldest first. */
  readonly sent: readonly Fields[];
}

export const phoneNumberId = '106540352242922';

/** Graph API and webhooks of one WhatsApp business number. */
export function createWhatsAppServer(): WhatsAppServer {
  return new LocalWhatsApp();
}

class LocalWhatsApp implements WhatsAppServer {
  statuses = true;
  readonly sent: Fields[] = [];
  private readonly token = `EAAG${randomBytes(20).toString('hex')}`;
  private readonly appSecret = randomBytes(16).toString('hex');
  private readonly verifyToken = `verify-${randomBytes(8).toString('hex')}`;
  private server: Server | null = null;
  private port = 0;
  private ids = 0;
  private to: Webhook | null = null;
  private waiting: Buffer[] = [];
  private delivering = false;
  private timer: NodeJS.Timeout | null = null;
  private last: Fields | null = null;
  private swapped: Fields[] | null = null;
  private faults: PlatformFault[] = [];
  private refusals: { error: GraphError; status: number }[] = [];
  private statusesOfProxy: number[] = [];
  private readonly shown: Shown[] = [];
  private readonly typed: string[] = [];
  private readonly authors = new Map<string, string>();
  private readonly media = new Map<string, TestFile>();

  settings(): ReturnType<PlatformServer['settings']> {
    const { token: accessToken, appSecret, verifyToken } = this;
    return { accessToken, phoneNumberId, appSecret, verifyToken, apiUrl: `${this.origin()}/v23.0` };
  }

  secrets(): readonly string[] {
    return [this.token, this.appSecret, this.verifyToken];
  }

  async start(): Promise<void> {
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
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    if (server === null) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  webhook(to: Webhook | null): void {
    this.to = to;
    this.pump();
  }

  says(message: SaidMessage): Promise<string> {
    const { from, text, replyTo, files = [] } = message;
    const id = this.nextId(from.id);
    const [file] = files;
    const content = file === undefined ? { type: 'text', text: { body: text } } : this.fileMessage(file, text);
    const context = replyTo === undefined ? {} : { context: { from: '15550001111', id: replyTo } };
    this.deliverFrom(from, { id, ...content, ...context });
    return Promise.resolve(id);
  }

  async command({ chat, from, name, args }: Parameters<PlatformServer['command']>[0]): Promise<void> {
    await this.says({ chat, from, text: args === '' ? `/${name}` : `/${name} ${args}` });
  }

  presses({ from, messageId, data }: Parameters<PlatformServer['presses']>[0]): Promise<void> {
    const seen = this.shown.find((one) => one.seen.id === messageId)?.seen;
    const title = seen?.buttons.find((button) => button.data === data)?.label ?? '';
    const kind = (seen?.buttons.length ?? 0) > 3 ? 'list_reply' : 'button_reply';
    const interactive = { type: kind, [kind]: { id: data, title } };
    this.deliverFrom(from, {
      id: this.nextId(from.id),
      type: 'interactive',
      interactive,
      context: { from: '15550001111', id: messageId },
    });
    return Promise.resolve();
  }

  repeatLast(): Promise<void> {
    if (this.last !== null) this.enqueue(this.last);
    return Promise.resolve();
  }

  swapNext(): void {
    this.swapped = [];
  }

  malformed(payload: unknown): Promise<void> {
    this.enqueue(payload);
    return Promise.resolve();
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

  refuse(error: GraphError, status = 400): void {
    this.refusals.push({ error, status });
  }

  answerWith(status: number): void {
    this.statusesOfProxy.push(status);
  }

  cutConnections(): void {
    this.server?.closeAllConnections();
  }

  wedge(): void {
    throw new Error('There is no connection over which events come.');
  }

  unacknowledged(): number {
    return this.waiting.length;
  }

  deliver(value: Fields): void {
    const payload = payloadOf(value);
    this.last = payload;
    if (this.swapped === null) {
      this.enqueue(payload);
      return;
    }
    this.swapped.unshift(payload);
    if (this.swapped.length < 2) return;
    const both = this.swapped;
    this.swapped = null;
    for (const one of both) this.enqueue(one);
  }

  call(request: Partial<WebhookRequest>): Promise<WebhookResponse> {
    if (this.to === null) return Promise.reject(new Error('Nobody is there.'));
    return this.to({ method: 'POST', path: '/', query: {}, headers: {}, body: Buffer.alloc(0), ...request });
  }

  private deliverFrom(from: TestPerson, message: Fields): void {
    this.deliver({
      contacts: [{ wa_id: from.id, profile: { name: from.name } }],
      messages: [{ from: from.id, timestamp: String(Math.floor(Date.now() / 1000)), ...message }],
    });
  }

  private enqueue(payload: unknown): void {
    this.waiting.push(Buffer.from(JSON.stringify(payload)));
    this.pump();
  }

  /** One call after another; what is not answered with 200 is called again. */
  private pump(): void {
    const [body] = this.waiting;
    if (body === undefined || this.to === null || this.delivering || this.timer !== null) return;
    this.delivering = true;
    const signature = createHmac('sha256', this.appSecret).update(body).digest('hex');
    const headers = { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${signature}` };
    void this.call({ headers, body })
      .then(
        ({ status }) => status === 200,
        () => false,
      )
      .then((isTaken) => {
        this.delivering = false;
        if (isTaken) {
          this.waiting.shift();
          this.pump();
        } else {
          this.timer = setTimeout(() => {
            this.timer = null;
            this.pump();
          }, 30);
        }
      });
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.origin());
    const refuse: Refuse = (error, status = 400, headers = {}) => {
      for (const [key, value] of Object.entries(headers)) response.setHeader(key, value);
      sendJson(response, status, { error: { message: 'said', type: 'OAuthException', fbtrace_id: 'A1', ...error } });
    };
    const [, , first = '', second = ''] = url.pathname.split('/');
    if (request.headers.authorization !== `Bearer ${this.token}`) {
      // The API repeats a token that it cannot read.
      const token = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
      refuse({ code: 190, message: `Malformed access token ${token}` }, 401);
    } else if (url.pathname.startsWith('/download/')) {
      this.download(url.pathname.slice('/download/'.length), response);
    } else if (request.method === 'GET') {
      this.describe(first, response, refuse);
    } else if (first !== phoneNumberId) {
      refuse({ code: 100, error_subcode: 33, message: 'Unsupported post request.' });
    } else if (second === 'media') {
      await this.upload(request, response);
    } else {
      await this.message(request, response, refuse);
    }
  }

  private describe(id: string, response: ServerResponse, refuse: Refuse): void {
    const file = this.media.get(id);
    if (id === phoneNumberId) {
      sendJson(response, 200, { id, display_phone_number: '+1 555 000 1111', verified_name: 'Hermes' });
    } else if (file === undefined) {
      refuse({ code: 100, error_subcode: 33, message: 'Unsupported get request.' });
    } else {
      const url = `${this.origin()}/download/${id}`;
      sendJson(response, 200, { id, url, mime_type: file.mediaType, file_size: file.bytes.length });
    }
  }

  private download(id: string, response: ServerResponse): void {
    const file = this.media.get(id);
    if (file === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': file.mediaType }).end(file.bytes);
  }

  private async upload(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = await buffer(request);
    const parts = partsOf(bytes, request.headers['content-type'] ?? '');
    const file = parts.get('file');
    if (parts.get('messaging_product')?.content.toString() !== 'whatsapp' || file === undefined) {
      sendJson(response, 400, { error: { code: 100, message: 'Invalid parameter' } });
      return;
    }
    const id = String(900_000 + this.media.size);
    this.media.set(id, { kind: 'document', name: file.name, mediaType: file.mediaType, bytes: file.content });
    sendJson(response, 200, { id });
  }

  private async message(request: IncomingMessage, response: ServerResponse, refuse: Refuse): Promise<void> {
    const body = JSON.parse((await buffer(request)).toString()) as Fields;
    if (body['status'] === 'read') {
      const chat = this.authors.get(body['message_id'] as string);
      if (chat !== undefined && body['typing_indicator'] !== undefined) this.typed.push(chat);
      if (chat === undefined) refuse({ code: 131009, message: 'Parameter value is not valid' });
      else sendJson(response, 200, { success: true });
      return;
    }
    const proxy = this.statusesOfProxy.shift();
    const refusal = this.refusals.shift();
    const fault = this.faults.shift();
    const why = this.faultOf(body);
    if (proxy !== undefined) response.writeHead(proxy).end('<html>');
    else if (refusal !== undefined) refuse(refusal.error, refusal.status);
    else if (fault?.kind === 'cut') request.socket.destroy();
    else if (fault !== undefined && fault.kind !== 'accepted-then-cut' && fault.kind !== 'hang')
      refuseBy(fault, refuse);
    else if (why !== null) refuse({ code: 100, message: why });
    else {
      const id = this.show(body);
      if (fault?.kind === 'accepted-then-cut') request.socket.destroy();
      else if (fault?.kind !== 'hang') sendJson(response, 200, { messaging_product: 'whatsapp', messages: [{ id }] });
    }
  }

  /** The limits of the API's reference. */
  private faultOf(body: Fields): string | null {
    const { body: text } = (body['text'] ?? {}) as { body?: string };
    if (text !== undefined && (text === '' || text.length > 4096))
      return 'Param text.body must be 1 to 4096 characters';
    const interactive = body['interactive'] as Interactive | undefined;
    if (interactive === undefined) return null;
    const { buttons, sections } = interactive.action;
    const titles =
      buttons?.map(({ reply }) => reply.title) ?? sections?.flatMap(({ rows }) => rows).map(({ title }) => title);
    const isList = interactive.type === 'list';
    if (interactive.body.text.length > (isList ? 4096 : 1024)) return 'Param interactive.body.text is too long';
    if ((titles?.length ?? 0) > (isList ? 10 : 3)) return 'Too many choices';
    if (titles?.some((title) => title === '' || title.length > (isList ? 24 : 20)) !== false)
      return 'A title is too long';
    return new Set(titles).size === titles.length ? null : 'Two titles are the same';
  }

  private show(body: Fields): string {
    this.sent.push(body);
    const chat = body['to'] as string;
    const id = this.nextId(chat);
    const content = body[body['type'] as string] as Content;
    const interactive = body['interactive'] as Interactive | undefined;
    const buttons = interactive?.action.buttons?.map(({ reply }) => reply);
    const rows = interactive?.action.sections?.flatMap((section) => section.rows);
    const file = content.id === undefined ? undefined : this.media.get(content.id);
    const context = body['context'] as { message_id: string } | undefined;
    const seen: SeenMessage = {
      id,
      text: interactive?.body.text ?? content.caption ?? (typeof content.body === 'string' ? content.body : ''),
      edits: 0,
      buttons: (buttons ?? rows ?? []).map(({ id: data, title }) => ({ label: title, data })),
      files: file === undefined ? [] : [{ ...file, name: content.filename ?? file.name }],
      ...(context === undefined ? {} : { replyTo: context.message_id }),
    };
    this.shown.push({ chat, seen });
    if (this.statuses) {
      const status = { id, status: 'sent', timestamp: String(Math.floor(Date.now() / 1000)), recipient_id: chat };
      const { biz_opaque_callback_data } = body;
      this.enqueue(payloadOf({ statuses: [{ ...status, biz_opaque_callback_data }] }));
    }
    return id;
  }

  private fileMessage(file: TestFile, caption: string): Fields {
    const { kind, name, mediaType } = file;
    const id = String(100_000 + this.media.size);
    this.media.set(id, file);
    // A sound has no caption: with one a person sends it as a document.
    const isSound = kind === 'voice' || (kind === 'audio' && caption === '');
    const type = isSound ? 'audio' : kind === 'audio' ? 'document' : kind;
    const content = {
      id,
      mime_type: kind === 'voice' ? `${mediaType}; codecs=opus` : mediaType,
      sha256: 'x',
      ...(isSound ? { voice: kind === 'voice' } : { caption }),
      ...(type === 'document' ? { filename: name } : {}),
    };
    return { type, [type]: content };
  }

  private nextId(person: string): string {
    const id = `wamid.${Buffer.from(`${person}/${(this.ids += 1)}`).toString('base64')}`;
    this.authors.set(id, person);
    return id;
  }

  private origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }
}

type Refuse = (error: GraphError, status?: number, headers?: Readonly<Record<string, string>>) => void;

function refuseBy(fault: PlatformFault, refuse: Refuse): void {
  switch (fault.kind) {
    case 'rate-limit':
      refuse({ code: 131056 }, 400, { 'retry-after': String(fault.retryAfterMs / 1000) });
      break;
    case 'refused-token':
      refuse({ code: 190, message: 'Error validating access token: Session has expired' }, 401);
      break;
    case 'recipient-gone':
      refuse({ code: 131026, message: 'Message undeliverable' });
      break;
    case 'rejected':
      refuse({ code: 131009, message: 'Parameter value is not valid' });
      break;
    default:
      refuse({ code: 131000, message: 'Something went wrong' }, 500);
  }
}

interface Part {
  readonly name: string;
  readonly mediaType: string;
  readonly content: Buffer;
}

/** The parts of a multipart body by the name of their field. */
function partsOf(body: Buffer, contentType: string): ReadonlyMap<string, Part> {
  const boundary = `--${/boundary=(.+)$/.exec(contentType)?.[1] ?? ''}`;
  const parts = new Map<string, Part>();
  for (let from = body.indexOf(boundary); from !== -1;) {
    const to = body.indexOf(boundary, from + boundary.length);
    if (to === -1) break;
    const part = body.subarray(from + boundary.length + 2, to - 2);
    const end = part.indexOf('\r\n\r\n');
    const head = part.subarray(0, end).toString();
    parts.set(/ name="([^"]*)"/.exec(head)?.[1] ?? '', {
      name: /filename="([^"]*)"/.exec(head)?.[1] ?? '',
      mediaType: /content-type: (.+)/i.exec(head)?.[1] ?? '',
      content: part.subarray(end + 4),
    });
    from = to;
  }
  return parts;
}

interface Interactive {
  readonly type: 'button' | 'list';
  readonly body: { readonly text: string };
  readonly action: {
    readonly buttons?: readonly { readonly reply: { readonly id: string; readonly title: string } }[];
    readonly sections?: readonly { readonly rows: readonly { readonly id: string; readonly title: string }[] }[];
  };
}

interface Content {
  readonly id?: string;
  readonly caption?: string;
  readonly filename?: string;
  readonly body?: unknown;
}

function payloadOf(value: Fields): Fields {
  const metadata = { display_phone_number: '15550001111', phone_number_id: phoneNumberId };
  const change = { field: 'messages', value: { messaging_product: 'whatsapp', metadata, ...value } };
  return { object: 'whatsapp_business_account', entry: [{ id: '102290129340398', changes: [change] }] };
}

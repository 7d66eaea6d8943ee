import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeWAMessage, getBinaryNodeChildren, proto, type BinaryNode } from 'baileys';
import { WebSocketServer } from 'ws';
import type {
  PlatformFault,
  PlatformServer,
  SaidMessage,
  SeenMessage,
  TestChat,
  TestPerson,
} from './platform-server.ts';
import { answerTo, type DeviceKeys } from './whatsapp-web-answers.ts';
import { MediaHost } from './whatsapp-web-media.ts';
import { NoiseConnection } from './whatsapp-web-noise.ts';
import { Peer, type Bundle } from './whatsapp-web-peer.ts';
import { Phone, scan } from './whatsapp-web-phone.ts';

interface Undelivered {
  readonly id: string;
  readonly node: BinaryNode;
}
interface Sent {
  readonly id: string;
  text: string;
  edits: number;
  readonly files: SeenMessage['files'];
  readonly replyTo: string | undefined;
}

const server = 's.whatsapp.net';
const ownNumber = '4915550000';

/** What the tests of WhatsApp Web can do beside what every platform's server can. */
export interface WhatsAppWebServer extends PlatformServer {
  /** The phone looks at what the gateway shows; pairs when it is a code. */
  phoneSees(shown: string): void;
  /** Ends the connection of the device with a stream error, as WhatsApp does for 440 (replaced) or 401 (logged out). */
  streamError(code: number): void;
  /** How often a device was paired. */
  pairings(): number;
  /** A receiver says that it could not decrypt, as phones do; the message must come once more. */
  asksAgain(chat: TestChat, messageId: string): void;
  /** How often the message came over the wire. */
  arrivals(messageId: string): number;
  /** An administrator takes the agent out of the group. */
  removesFrom(chat: TestChat): void;
  /** How the next messages are addressed: by the hidden id, as is usual now, or by number. */
  addressBy(way: 'lid' | 'number'): void;
}

/** WhatsApp's server for one number: the Noise and Signal parts are real, the rest is as little as a linked device needs. */
export function createWhatsAppWebServer(): WhatsAppWebServer {
  return new FakeWhatsApp();
}

class FakeWhatsApp implements WhatsAppWebServer {
  private readonly phone = new Phone(ownNumber, `88${ownNumber}`);
  private readonly media = new MediaHost();
  private readonly peers = new Map<string, Peer>();
  private readonly groups = new Map<string, string>();
  private readonly keys: DeviceKeys = {
    registrationId: 0,
    identityKey: Buffer.alloc(0),
    signedPreKey: null,
    preKeys: [],
  };
  private readonly waiting: Undelivered[] = [];
  private readonly shown = new Map<string, Sent[]>();
  private readonly seen = new Map<string, number>();
  private readonly composing = new Map<string, number>();
  private readonly connections = new Set<NoiseConnection>();
  private readonly faults: PlatformFault[] = [];
  private http: Server | null = null;
  private port = 0;
  private active: NoiseConnection | null = null;
  private pairing: NoiseConnection | null = null;
  private device: Buffer | null = null;
  private paired = 0;
  private swapped: Undelivered[] | null = null;
  private last: Undelivered | null = null;
  private isWedged = false;
  private byNumber = false;
  private ids = 0;
  private saying: Promise<unknown> = Promise.resolve();
  private taking: Promise<unknown> = Promise.resolve();

  settings() {
    return { url: `http://127.0.0.1:${this.port}/ws/chat`, mediaUrl: `http://127.0.0.1:${this.port}` };
  }
  secrets(): readonly string[] {
    return ['an upload token'];
  }

  async start(): Promise<void> {
    const http = createServer((request, response) => void this.media.handle(request, response));
    const sockets = new WebSocketServer({ server: http });
    sockets.on('connection', (socket) => {
      const connection: NoiseConnection = new NoiseConnection(socket, {
        login: (payload, noiseKey) => this.login(connection, payload, Buffer.from(noiseKey)),
        node: (node) => this.receive(connection, node),
        closed: () => this.closed(connection),
      });
      this.connections.add(connection);
      if (this.isWedged) connection.wedge(true);
    });
    await new Promise<void>((resolve) => http.listen(this.port, '127.0.0.1', resolve));
    this.port = (http.address() as AddressInfo).port;
    this.http = http;
  }

  async stop(): Promise<void> {
    const { http } = this;
    this.http = null;
    if (http === null) return;
    this.cutConnections();
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
    // Long enough for the other side of loopback to have noticed.
    await sleep(30);
  }

  phoneSees(shown: string): void {
    const code = scan(shown);
    if (code === null || this.pairing === null) return;
    this.device = code.noiseKey;
    this.keys.identityKey = code.identityKey;
    this.keys.preKeys.length = 0;
    this.paired += 1;
    this.pairing.send(set('pairing', [this.phone.pair(code)]));
  }

  streamError(code: number): void {
    const { active } = this;
    if (code === 401) this.device = null;
    active?.send({ tag: 'stream:error', attrs: { code: String(code) }, content: [{ tag: 'conflict', attrs: {} }] });
  }
  pairings(): number {
    return this.paired;
  }
  addressBy(way: 'lid' | 'number'): void {
    this.byNumber = way === 'number';
  }
  arrivals(messageId: string): number {
    return this.seen.get(messageId) ?? 0;
  }
  asksAgain(chat: TestChat, messageId: string): void {
    const peer = this.peer(chat.id);
    this.active?.send({
      tag: 'receipt',
      attrs: { id: messageId, from: peer.lidJid, type: 'retry', t: now() },
      content: [{ tag: 'retry', attrs: { count: '1', id: messageId, t: now(), v: '1' } }],
    });
  }

  removesFrom(chat: TestChat): void {
    const gone = { tag: 'participant', attrs: { jid: `${this.phone.lid}@lid` } };
    this.active?.send({
      tag: 'notification',
      attrs: { id: this.newId(), from: chat.id, type: 'w:gp2', participant: '774915550001@lid', t: now() },
      content: [{ tag: 'remove', attrs: {}, content: [gone] }],
    });
  }

  says(message: SaidMessage): Promise<string> {
    const id = `3A${randomBytes(8).toString('hex').toUpperCase()}`;
    return this.inOrder(async () => {
      const content = await this.contentOf(message);
      await this.deliver(id, message.chat, message.from, encodeWAMessage(content), message.edits !== undefined);
      return message.edits ?? id;
    });
  }
  async command({ chat, from, name, args }: Parameters<PlatformServer['command']>[0]): Promise<void> {
    await this.says({ chat, from, text: `/${name} ${args}`.trim() });
  }
  presses(): Promise<void> {
    return Promise.reject(new Error('a linked device has no buttons'));
  }
  repeatLast(): Promise<void> {
    if (this.last !== null) this.push(this.last);
    return Promise.resolve();
  }
  swapNext(): void {
    this.swapped = [];
  }
  async malformed(payload: unknown): Promise<void> {
    const from = { id: '4915550009', name: 'Nobody' };
    await this.inOrder(() => this.deliver(this.newId(), { id: from.id, kind: 'direct' }, from, bent(payload), false));
  }

  messages(chat: TestChat): readonly SeenMessage[] {
    return (this.shown.get(chat.id) ?? []).map(({ id, text, edits, files, replyTo }) => ({
      id,
      text,
      edits,
      files,
      buttons: [],
      ...(replyTo === undefined ? {} : { replyTo }),
    }));
  }
  typings(chat: TestChat): number {
    return this.composing.get(chat.id) ?? 0;
  }
  commands(): null {
    return null;
  }
  pressAnswers(): readonly string[] {
    return [];
  }
  fail(fault: PlatformFault, times = 1): void {
    for (let count = 0; count < times; count += 1) this.faults.push(fault);
  }
  cutConnections(): void {
    for (const connection of this.connections) connection.cut();
  }
  wedge(on: boolean): void {
    this.isWedged = on;
    for (const connection of this.connections) connection.wedge(on);
  }
  unacknowledged(): number {
    return this.waiting.length;
  }

  private login(connection: NoiseConnection, payload: proto.ClientPayload, noiseKey: Buffer): void {
    if (payload.devicePairingData) {
      this.pairing = connection;
      const registration = payload.devicePairingData;
      this.keys.registrationId = Buffer.from(registration.eRegid ?? []).readUInt32BE(0);
      const refs = Array.from({ length: 6 }, () => ({
        tag: 'ref',
        attrs: {},
        content: randomBytes(60).toString('base64'),
      }));
      connection.send(set('ref', [{ tag: 'pair-device', attrs: {}, content: refs }]));
      return;
    }
    if (this.device === null || !noiseKey.equals(this.device)) {
      connection.send({ tag: 'failure', attrs: { reason: '401' } });
      return;
    }
    connection.send({ tag: 'success', attrs: { t: now(), lid: this.phone.deviceLid } });
  }

  private receive(connection: NoiseConnection, node: BinaryNode): void {
    const { tag, attrs } = node;
    const [child] = Array.isArray(node.content) ? node.content : [];
    if (tag === 'iq') {
      this.query(connection, node, child?.tag);
    } else if (tag === 'message') {
      this.taking = this.taking.then(() => this.take(connection, node)).catch(() => connection.cut());
    } else if (tag === 'chatstate' && child?.tag === 'composing') {
      const chat = chatOf(attrs['to'] ?? '');
      this.composing.set(chat, (this.composing.get(chat) ?? 0) + 1);
    } else if (isAcknowledgement(node)) {
      const list = getBinaryNodeChildren(getBinaryNodeChildren(node, 'list')[0], 'item');
      for (const id of [attrs['id'], ...list.map((item) => item.attrs['id'])]) this.acknowledge(id ?? '');
    }
  }

  private query(connection: NoiseConnection, node: BinaryNode, what: string | undefined): void {
    const { id = '', to = server, type } = node.attrs;
    if (type !== 'result')
      connection.send({ tag: 'iq', attrs: { id, type: 'result', from: to }, content: this.answer(node) });
    // The device has confirmed its pairing: it has to come again, now with its name.
    if (what === 'pair-device-sign') connection.send({ tag: 'stream:error', attrs: { code: '515' }, content: [] });
    if (what === 'active') this.activate(connection);
  }

  private answer(query: BinaryNode): BinaryNode[] {
    return answerTo(query, {
      phone: this.phone,
      keys: this.keys,
      peer: (jid) => this.peers.get(numberOf(jid)),
      members: (group) => {
        const title = this.groups.get(group);
        return title === undefined ? undefined : { title, peers: [...this.peers.values()] };
      },
    });
  }

  private activate(connection: NoiseConnection): void {
    this.active = connection;
    for (const { node } of this.waiting) connection.send({ ...node, attrs: { ...node.attrs, offline: '1' } });
    connection.send({
      tag: 'ib',
      attrs: { from: server },
      content: [{ tag: 'offline', attrs: { count: String(this.waiting.length) } }],
    });
  }

  private closed(connection: NoiseConnection): void {
    this.connections.delete(connection);
    if (this.active === connection) this.active = null;
    if (this.pairing === connection) this.pairing = null;
  }

  private acknowledge(id: string): void {
    const index = this.waiting.findIndex((one) => one.id === id);
    if (index >= 0) this.waiting.splice(index, 1);
  }

  /** A message of the device: shown once for each id, however often it comes. */
  private async take(connection: NoiseConnection, stanza: BinaryNode): Promise<void> {
    const { id = '', to = '', type = 'text' } = stanza.attrs;
    const fault = this.faults.shift();
    if (fault?.kind === 'cut') {
      connection.cut();
      return;
    }
    const refused = fault === undefined ? null : refusalOf(fault);
    if (refused !== null) {
      connection.send({ tag: 'ack', attrs: { class: 'message', id, from: to, t: now(), ...refused } });
      return;
    }
    if (fault?.kind === 'refused-token') {
      this.device = null;
      connection.send({
        tag: 'stream:error',
        attrs: { code: '401' },
        content: [{ tag: 'conflict', attrs: { type: 'device_removed' } }],
      });
      return;
    }
    this.seen.set(id, (this.seen.get(id) ?? 0) + 1);
    const message = await this.open(to, stanza);
    if (this.seen.get(id) === 1) await this.show(id, to, message);
    if (fault?.kind === 'accepted-then-cut') {
      connection.cut();
      return;
    }
    if (fault?.kind === 'hang') return;
    connection.send({ tag: 'ack', attrs: { class: 'message', id, from: to, t: now(), type } });
  }

  /** As the receiver's phone does; a repeat must be readable too. */
  private async open(to: string, stanza: BinaryNode): Promise<proto.Message> {
    const isGroup = to.endsWith('@g.us');
    const peer = isGroup ? [...this.peers.values()][0] : this.peers.get(numberOf(to));
    const author = isGroup ? this.phone.deviceLid : this.phone.deviceJid;
    const message = (await peer?.open(stanza, author)) ?? null;
    if (message === null) throw new Error('nothing in it is for the person');
    return message;
  }

  private async show(id: string, to: string, message: proto.Message): Promise<void> {
    const all = this.shown.get(chatOf(to)) ?? [];
    this.shown.set(chatOf(to), all);
    const edit = message.protocolMessage;
    if (edit?.editedMessage) {
      const target = all.find((one) => one.id === edit.key?.id);
      if (target === undefined) return;
      target.text = textOf(edit.editedMessage);
      target.edits += 1;
      return;
    }
    const replyTo = message.extendedTextMessage?.contextInfo?.stanzaId ?? undefined;
    all.push({ id, text: textOf(message), edits: 0, files: await this.media.read(message), replyTo });
  }

  private async contentOf({ chat, text, mention, replyTo, files, edits }: SaidMessage): Promise<proto.IMessage> {
    if (edits !== undefined) {
      const key = { remoteJid: `${this.phone.number}@${server}`, fromMe: true, id: edits };
      const type = proto.Message.ProtocolMessage.Type.MESSAGE_EDIT;
      return { protocolMessage: { key, type, editedMessage: { conversation: text }, timestampMs: Date.now() } };
    }
    const [file] = files ?? [];
    if (file !== undefined) return this.media.keep(file, text);
    const quoted = this.shown.get(chat.id)?.find(({ id }) => id === replyTo);
    if (mention !== true && quoted === undefined) return { conversation: text };
    return {
      extendedTextMessage: {
        text: mention === true ? `@${this.phone.lid} ${text}` : text,
        contextInfo: {
          ...(mention === true ? { mentionedJid: [`${this.phone.lid}@lid`] } : {}),
          ...(quoted === undefined
            ? {}
            : {
                stanzaId: quoted.id,
                participant: `${this.phone.lid}@lid`,
                quotedMessage: { conversation: quoted.text },
              }),
        },
      },
    };
  }

  private async deliver(id: string, chat: TestChat, from: TestPerson, plain: Uint8Array, edit: boolean): Promise<void> {
    const peer = this.peer(from.id);
    const isGroup = chat.kind === 'group';
    if (isGroup) {
      this.groups.set(chat.id, chat.title ?? 'A group');
      // All people of the tests are in every group.
      for (const one of ['4915550001', '4915550002']) this.peer(one);
    }
    const device = this.phone.deviceLid;
    const bundle = (): Bundle => this.bundle();
    const content = isGroup
      ? await peer.sealForGroup(chat.id, device, bundle, plain)
      : [await peer.seal(device, bundle, plain)];
    const attrs = {
      id,
      t: now(),
      type: 'text',
      notify: from.name,
      ...(edit ? { edit: '1' } : {}),
      ...this.sender(peer, isGroup ? chat.id : null),
    };
    const one = { id, node: { tag: 'message', attrs, content } };
    if (this.swapped === null) {
      this.push(one);
      return;
    }
    this.swapped.unshift(one);
    if (this.swapped.length < 2) return;
    const both = this.swapped;
    this.swapped = null;
    for (const next of both) this.push(next);
  }

  private sender(peer: Peer, group: string | null): Record<string, string> {
    const [own, other] = this.byNumber ? [peer.jid, peer.lidJid] : [peer.lidJid, peer.jid];
    const mode = this.byNumber ? 'pn' : 'lid';
    const otherName = this.byNumber ? 'lid' : 'pn';
    return group === null
      ? { from: own, addressing_mode: mode, [`sender_${otherName}`]: other }
      : { from: group, participant: own, addressing_mode: mode, [`participant_${otherName}`]: other };
  }

  private push(one: Undelivered): void {
    this.last = one;
    this.waiting.push(one);
    this.active?.send(one.node);
  }

  private bundle(): Bundle {
    const { registrationId, identityKey, signedPreKey, preKeys } = this.keys;
    if (signedPreKey === null) throw new Error('the device has left no keys');
    const preKey = preKeys.shift();
    return {
      registrationId,
      identityKey: Buffer.concat([Buffer.from([5]), identityKey]),
      signedPreKey,
      ...(preKey === undefined ? {} : { preKey }),
    };
  }

  private peer(number: string): Peer {
    const peer = this.peers.get(number) ?? new Peer(number);
    this.peers.set(number, peer);
    return peer;
  }

  private newId(): string {
    this.ids += 1;
    return `3AFF${String(this.ids).padStart(8, '0')}`;
  }

  private inOrder<T>(work: () => Promise<T>): Promise<T> {
    const done = this.saying.then(work);
    this.saying = done.catch(() => undefined);
    return done;
  }
}

/** A delivery receipt, or a refusal; a request to encrypt once more is neither. */
function isAcknowledgement({ tag, attrs }: BinaryNode): boolean {
  return (tag === 'receipt' && attrs['type'] !== 'retry') || (tag === 'ack' && attrs['class'] === 'message');
}

function refusalOf(fault: PlatformFault): Record<string, string> | null {
  switch (fault.kind) {
    case 'rate-limit':
      return { error: '429', backoff: String(fault.retryAfterMs / 1000) };
    case 'server-error':
      return { error: '503' };
    case 'recipient-gone':
      return { error: '404' };
    case 'rejected':
      return { error: '479' };
    default:
      return null;
  }
}

function set(id: string, content: BinaryNode[]): BinaryNode {
  return { tag: 'iq', attrs: { from: server, type: 'set', id, xmlns: 'md' }, content };
}

function textOf(message: proto.IMessage): string {
  return (
    message.conversation ??
    message.extendedTextMessage?.text ??
    message.imageMessage?.caption ??
    message.videoMessage?.caption ??
    message.documentMessage?.caption ??
    ''
  );
}

/** The person behind a jid: the number, also of a hidden id. */
function numberOf(jid: string): string {
  const user = jid.split(/[:@]/)[0] ?? '';
  return jid.endsWith('@lid') ? user.slice(2) : user;
}

function chatOf(jid: string): string {
  return jid.endsWith('@g.us') ? jid : numberOf(jid);
}

/** As a message where it can be one, else as the bytes it is. */
function bent(payload: unknown): Uint8Array {
  const message = (payload as { message?: Record<string, unknown> } | null)?.message ?? payload;
  try {
    return encodeWAMessage(proto.Message.fromObject(message as Record<string, unknown>));
  } catch {
    return Buffer.from(`${JSON.stringify(payload)}\x01`);
  }
}

function now(): string {
  return String(Math.floor(Date.now() / 1000));
}

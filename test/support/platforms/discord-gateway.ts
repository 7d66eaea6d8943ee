import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { applicationId, botUser, guildId, guildWith } from './discord-objects.ts';
import type { TestChat } from './platform-server.ts';

interface Sent {
  readonly s: number;
  readonly t: string;
  readonly d: unknown;
}

interface Session {
  readonly id: string;
  readonly events: Sent[];
  /** Sequence the client has told, by a heartbeat or a resume. */
  told: number;
}

/** Short enough that what the client has heard is known soon. */
const heartbeatMs = 300;

/** The gateway of one bot: sessions, sequences, heartbeats and resumes. */
export class DiscordGateway {
  /** Closes with this code instead of taking an identify or resume. */
  closeWith: number | null = null;
  /** The address that clients are told, in place of the true one. */
  named: string | null = null;
  readonly identifies: unknown[] = [];
  readonly resumes: unknown[] = [];
  readonly closes: number[] = [];
  private readonly server = new WebSocketServer({ noServer: true });
  private readonly token: string;
  private readonly chats: () => readonly TestChat[];
  private session: Session | null = null;
  private socket: WebSocket | null = null;
  /** The socket that has identified itself or resumed; events go to no other. */
  private listener: WebSocket | null = null;
  private readonly sockets = new Set<WebSocket>();
  private wedged = false;
  private unsent: string[] = [];
  private readonly held: (() => void)[] = [];
  private swapped: { t: string; d: unknown } | 'next' | null = null;
  private sessions = 0;

  constructor(token: string, chats: () => readonly TestChat[]) {
    this.token = token;
    this.chats = chats;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, address: string): void {
    const go = () => this.server.handleUpgrade(request, socket, head, (one) => this.greet(one, address));
    if (this.wedged) this.held.push(go);
    else go();
  }

  dispatch(t: string, d: unknown): void {
    if (this.swapped === 'next') {
      this.swapped = { t, d };
      return;
    }
    this.put(t, d);
    if (this.swapped === null) return;
    const earlier = this.swapped;
    this.swapped = null;
    this.put(earlier.t, earlier.d);
  }

  swapNext(): void {
    this.swapped = 'next';
  }

  repeatLast(): void {
    const last = this.session?.events.at(-1);
    if (last !== undefined) this.send({ op: 0, ...last });
  }

  lastSequence(): number {
    return this.session?.events.length ?? 0;
  }

  unacknowledged(): number {
    return this.session?.events.filter(({ s, t }) => isEvent(t) && s > (this.session?.told ?? 0)).length ?? 0;
  }

  /** From here on the session cannot be resumed. */
  dropSession(): void {
    this.session = null;
  }

  /** Asks the client to come again. */
  askToReconnect(): void {
    this.send({ op: 7, d: null });
  }

  cut(): void {
    for (const one of this.sockets) one.terminate();
    this.unsent = [];
  }

  wedge(on: boolean): void {
    this.wedged = on;
    for (const one of this.sockets) {
      if (on) one.pause();
      else one.resume();
    }
    if (on) return;
    for (const text of this.unsent.splice(0)) this.socket?.send(text);
    for (const go of this.held.splice(0)) go();
  }

  private greet(socket: WebSocket, address: string): void {
    this.sockets.add(socket);
    this.socket = socket;
    socket.on('message', (data: Buffer) => this.hear(socket, JSON.parse(data.toString()) as Payload, address));
    socket.on('error', () => undefined);
    socket.on('close', (code) => {
      this.closes.push(code);
      this.sockets.delete(socket);
      if (this.socket === socket) this.socket = null;
      // As Discord has it: these two end the session with the connection.
      if (code === 1000 || code === 1001) this.session = null;
    });
    this.send({ op: 10, d: { heartbeat_interval: heartbeatMs } });
  }

  private hear(socket: WebSocket, { op, d }: Payload, address: string): void {
    const data = (d ?? {}) as Record<string, unknown>;
    if (op === 1) {
      const session = this.session;
      if (session !== null && typeof d === 'number') session.told = Math.max(session.told, d);
      this.send({ op: 11 });
      return;
    }
    if (op !== 2 && op !== 6) return;
    const refusal = data['token'] === this.token ? this.closeWith : 4004;
    if (refusal !== null) socket.close(refusal);
    else {
      this.listener = socket;
      if (op === 6) this.resume(data);
      else this.identify(data, address);
    }
  }

  private identify(data: unknown, address: string): void {
    this.identifies.push(data);
    this.session = { id: `session-${(this.sessions += 1)}`, events: [], told: 0 };
    this.put('READY', {
      v: 10,
      user: botUser,
      guilds: [{ id: guildId, unavailable: true }],
      session_id: this.session.id,
      resume_gateway_url: this.named ?? address,
      application: { id: applicationId, flags: 0 },
    });
    this.put('GUILD_CREATE', guildWith(this.chats()));
  }

  private resume({ session_id: id, seq }: Record<string, unknown>): void {
    this.resumes.push({ id, seq });
    const { session } = this;
    if (session === null || session.id !== id || typeof seq !== 'number' || seq > session.events.length) {
      this.send({ op: 9, d: false });
      return;
    }
    session.told = Math.max(session.told, seq);
    for (const event of session.events.filter(({ s }) => s > seq)) this.send({ op: 0, ...event });
    this.put('RESUMED', {});
  }

  private put(t: string, d: unknown): void {
    // Without a session nobody is there, and nothing is kept for later.
    if (this.session === null) return;
    const event = { s: this.session.events.length + 1, t, d };
    this.session.events.push(event);
    if (this.listener === this.socket) this.send({ op: 0, ...event });
  }

  private send(payload: object): void {
    const text = JSON.stringify(payload);
    if (this.wedged) this.unsent.push(text);
    else this.socket?.send(text);
  }
}

interface Payload {
  readonly op: number;
  readonly d?: unknown;
}

function isEvent(t: string): boolean {
  return t.startsWith('MESSAGE_') || t.startsWith('INTERACTION_');
}

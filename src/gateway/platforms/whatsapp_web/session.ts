import {
  DEFAULT_CONNECTION_CONFIG,
  makeWASocket,
  proto,
  type BinaryNode,
  type GroupMetadata,
  type SocketConfig,
  type WASocket,
} from 'baileys';
import { PortError } from '../../../lib/port-error.ts';
import type { PlatformLog, SettingValues } from '../platform.ts';
import { Arrivals, type Arrived } from './arrivals.ts';
import type { StoredAuth } from './auth-state.ts';
import type { WhatsAppWebSettings } from './descriptor.ts';
import { quietLogger } from './quiet.ts';
import type { SentMessages } from './sent-messages.ts';

export interface SessionDeps {
  readonly settings: SettingValues<WhatsAppWebSettings>;
  readonly log: PlatformLog;
  readonly auth: StoredAuth;
  readonly sent: SentMessages;
  /** Resolves once the message is kept; else it ends with `deliverAgain`. */
  readonly keep: (message: Arrived, deliverAgain: () => Promise<never>) => Promise<void>;
  /** A code to pair with; again every 20 to 60 seconds until it is used. */
  showCode(code: string): void;
  opened(): void;
  readonly removed: (group: string) => void;
}

const { INITIAL_BOOTSTRAP, PUSH_NAME } = proto.HistorySync.HistorySyncType;
const pairingTypes: readonly unknown[] = [INITIAL_BOOTSTRAP, PUSH_NAME];
const groupCacheMs = 300_000;

/** One socket, from its opening to its end. */
export interface Session {
  readonly socket: WASocket;
  /** Ready to send. */
  isOpen(): boolean;
  /** A code is shown and waits for the phone. */
  isPairing(): boolean;
  /** Resolves with what ended it, in whatever way. */
  readonly ended: Promise<unknown>;
  /** The server's answer to a message with this id; ask before it is sent. */
  answerTo(id: string): { readonly came: Promise<Readonly<Record<string, string>>>; forget(): void };
  groupTitle(jid: string): string | undefined;
  end(reason?: Error): void;
}

export function openSession(deps: SessionDeps): Session {
  const { auth, log } = deps;
  const groups = new Groups((jid) => socket.groupMetadata(jid));
  const arrivals = new Arrivals({
    auth,
    keep: (message) => deps.keep(message, deliverAgain),
    unreadable: (reason) => log.warn({ reason }, 'WhatsApp delivered what is no message'),
  });
  const socket = makeWASocket({
    ...options(deps),
    makeSignalRepository: arrivals.makeRepository,
    cachedGroupMetadata: (jid) => groups.of(jid),
  });
  const deliverAgain = (): Promise<never> => {
    end(new Error('not kept'));
    return new Promise<never>(() => undefined);
  };
  socket.ws.prependListener('CB:message', arrivals.announce);

  let open = false;
  let pairing = false;
  const ended = new Promise<unknown>((resolve) => {
    socket.ev.on('connection.update', ({ connection, qr, lastDisconnect }) => {
      if (qr !== undefined) {
        pairing = true;
        deps.showCode(qr);
      }
      if (connection === 'open') {
        open = true;
        pairing = false;
        deps.opened();
      }
      if (connection === 'close') {
        open = false;
        pairing = false;
        resolve(lastDisconnect?.error);
      }
    });
  });
  const end = (reason?: Error): void => {
    void socket.end(reason);
    // A closing handshake with a server that answers nothing would take half a minute.
    (socket.ws as unknown as { readonly socket: { terminate(): void } | null }).socket?.terminate();
  };
  auth.onFailure(() => end(new Error('the store failed')));
  listen(socket, groups, deps);

  return {
    socket,
    isOpen: () => open,
    isPairing: () => pairing,
    ended,
    answerTo: (id) => {
      const name = `TAG:${id}`;
      let listener: (node: BinaryNode) => void = () => undefined;
      const came = new Promise<Readonly<Record<string, string>>>((resolve) => {
        listener = ({ attrs }) => resolve(attrs);
        socket.ws.on(name, listener);
      });
      return { came, forget: () => void socket.ws.off(name, listener) };
    },
    groupTitle: (jid) => {
      // Known from the next message on; a message does not wait for it.
      groups.of(jid).catch(() => log.debug({}, 'a group could not be looked at'));
      return groups.title(jid);
    },
    end,
  };
}

/** What Baileys tells beside messages and the connection. */
function listen(socket: WASocket, groups: Groups, { auth, log, removed }: SessionDeps): void {
  socket.ev.on('creds.update', () => auth.touch());
  socket.ev.on('groups.update', (all) => {
    for (const { id } of all) groups.forget(id ?? '');
  });
  socket.ev.on('group-participants.update', ({ id, participants, action }) => {
    groups.forget(id);
    const me = auth.creds.me;
    const own = [me?.id, me?.lid].map((jid) => jid?.split(/[:@]/)[0]);
    if (action === 'remove' && participants.some((one) => own.includes(one.id.split(/[:@]/)[0]))) removed(id);
  });
  socket.ev.on('messages.upsert', ({ messages }) => {
    for (const { key, messageStubType } of messages) {
      if (messageStubType !== proto.WebMessageInfo.StubType.CIPHERTEXT) continue;
      log.warn({ id: key.id ?? '' }, 'a message could not be decrypted yet; its sender was asked to send it again');
    }
  });
}

/** Members are needed for every message to a group; a look at it is kept for a while. */
class Groups {
  private readonly look: (jid: string) => Promise<GroupMetadata>;
  private readonly known = new Map<string, { readonly at: number; readonly metadata: Promise<GroupMetadata> }>();
  private readonly titles = new Map<string, string>();

  constructor(look: (jid: string) => Promise<GroupMetadata>) {
    this.look = look;
  }

  of(jid: string): Promise<GroupMetadata> {
    const known = this.known.get(jid);
    if (known !== undefined && Date.now() - known.at < groupCacheMs) return known.metadata;
    const metadata = this.look(jid);
    this.known.set(jid, { at: Date.now(), metadata });
    metadata.then(
      ({ subject }) => this.titles.set(jid, subject),
      () => this.forget(jid),
    );
    return metadata;
  }

  title(jid: string): string | undefined {
    return this.titles.get(jid);
  }

  forget(jid: string): void {
    this.known.delete(jid);
  }
}

function options({ settings, log, auth, sent }: SessionDeps): Partial<SocketConfig> & { auth: SocketConfig['auth'] } {
  return {
    auth: { creds: auth.creds, keys: auth.keys },
    version: versionOf(settings.version),
    logger: quietLogger(log),
    ...(settings.url === null ? {} : { waWebSocketUrl: settings.url.replace(/^http/, 'ws') }),
    browser: [settings.deviceName, 'Chrome', '1.0'],
    connectTimeoutMs: 20_000,
    keepAliveIntervalMs: 20_000,
    // Without an answer Baileys would go on as if there was one; the calls have their own limit and end the socket.
    defaultQueryTimeoutMs: undefined,
    transactionOpts: { maxCommitRetries: 3, delayBetweenTriesMs: 200 },
    emitOwnEvents: false,
    markOnlineOnConnect: false,
    syncFullHistory: false,
    // Only what tells which number belongs to which LID; the talk from before the pairing is not the agent's.
    shouldSyncHistoryMessage: ({ syncType }) => pairingTypes.includes(syncType),
    shouldIgnoreJid: (jid) => jid.endsWith('@broadcast') || jid.endsWith('@newsletter'),
    generateHighQualityLinkPreview: false,
    getMessage: ({ id }) => sent.load(id ?? ''),
  };
}

/** Always a version from here: none is looked up on the network. */
export function versionOf(text: string | null): [number, number, number] {
  if (text === null) return DEFAULT_CONNECTION_CONFIG.version;
  const [first, second, third, ...more] = text.split('.').map(Number);
  const parts = [first, second, third];
  if (more.length > 0 || !parts.every((part) => Number.isSafeInteger(part))) {
    throw new PortError('Config.Invalid', 'gateway.whatsapp_web.version is three numbers, as 2.3000.1043857760.');
  }
  return parts as [number, number, number];
}

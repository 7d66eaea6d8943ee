import { setTimeout as sleep } from 'node:timers/promises';
import { renderUnicodeCompact } from 'uqr';
import { PortError } from '../../../lib/port-error.ts';
import type { JsonValue } from '../../../contracts/json.ts';
import type { PlatformAccount, PlatformConnection, PlatformInbox, PlatformOutbound } from '../platform.ts';
import type { Arrived } from './arrivals.ts';
import { loadAuth, type StoredAuth } from './auth-state.ts';
import type { WhatsAppWebSettings } from './descriptor.ts';
import { endingOf } from './failures.ts';
import { fetchMedia } from './media.ts';
import { createOutbound, type Sender } from './outbound.ts';
import { chatName, type Self } from './people.ts';
import { silenceSignal } from './quiet.ts';
import { readEvent } from './read-event.ts';
import { loadSentMessages, type SentMessages } from './sent-messages.ts';
import { openSession, versionOf, type Session } from './session.ts';

const firstPauseMs = 100;
const longestPauseMs = 30_000;
/** A send waits this long for a connection that is being made. */
const readyMs = 10_000;
const probeMs = 10_000;
const remembered = 1_000;

/** @throws PortError Config.Invalid for a version that is none. */
export function openWhatsAppWeb(account: PlatformAccount<WhatsAppWebSettings>): PlatformConnection {
  versionOf(account.settings.version);
  silenceSignal();
  return new WhatsAppWeb(account);
}

interface Running {
  readonly inbox: PlatformInbox;
  readonly auth: StoredAuth;
  readonly sent: SentMessages;
}

/** A linked device. Baileys' own part is one socket; coming back, keeping and naming are done here. */
class WhatsAppWeb implements PlatformConnection {
  readonly outbound: PlatformOutbound;
  private readonly account: PlatformAccount<WhatsAppWebSettings>;
  private readonly closing = new AbortController();
  private readonly waiting = new Set<() => void>();
  private readonly authors = new Map<string, { participant: string; text: string }>();
  private running: Running | null = null;
  private session: Session | null = null;
  private failure: PortError | null = null;

  constructor(account: PlatformAccount<WhatsAppWebSettings>) {
    this.account = account;
    this.outbound = createOutbound({
      sender: (signal) => this.sender(signal),
      mediaUrl: account.settings.mediaUrl,
      log: account.log,
    });
  }

  async run(inbox: PlatformInbox, signal: AbortSignal): Promise<void> {
    const over = AbortSignal.any([signal, this.closing.signal]);
    const auth = await loadAuth(inbox);
    this.running = { inbox, auth, sent: await loadSentMessages(inbox) };
    let pauseMs = firstPauseMs;
    while (!over.aborted) {
      inbox.state('connecting');
      const began = Date.now();
      const ending = endingOf(await this.live(this.running, over));
      if (isOver(over)) return;
      if (ending.kind === 'fatal') {
        if (ending.forget) await auth.forget();
        this.failure = ending.error;
        for (const go of this.waiting) go();
        inbox.state('failed', ending.error.message);
        throw ending.error;
      }
      if (ending.kind === 'again') inbox.state('waiting', ending.why);
      if (ending.kind === 'restart' || Date.now() - began > longestPauseMs) pauseMs = firstPauseMs;
      await sleep(pauseMs, undefined, { signal: over }).catch(() => undefined);
      if (ending.kind === 'again') pauseMs = Math.min(longestPauseMs, pauseMs * 2);
    }
  }

  async probe(): Promise<void> {
    const { session } = this;
    // Before it is paired the server answers nothing; a code that is shown is its sign of life.
    if (session?.isPairing() === true) return;
    if (session?.isOpen() !== true) throw new PortError('Platform.Unavailable', 'WhatsApp is not connected.');
    const ping = {
      tag: 'iq',
      attrs: { to: '@s.whatsapp.net', type: 'get', xmlns: 'w:p' },
      content: [{ tag: 'ping', attrs: {} }],
    };
    const answer: unknown = await session.socket.query(ping, probeMs).catch(() => undefined);
    if (answer === undefined) throw new PortError('Platform.Unavailable', 'WhatsApp gives no sign of life.');
  }

  /** Pairing needs a person, so a device that is not connected yet cannot be asked. */
  async identify(): Promise<{ id: string; name: string }> {
    await this.sender(AbortSignal.timeout(readyMs));
    const { id } = this.self();
    const number = chatName(id);
    return { id: number, name: this.running?.auth.creds.me?.name ?? `+${number}` };
  }

  async fetchFile(reference: JsonValue, signal: AbortSignal): ReturnType<PlatformConnection['fetchFile']> {
    const { mediaUrl } = this.account.settings;
    return { stream: await fetchMedia(reference, signal, { mediaUrl, log: this.account.log }), sizeBytes: null };
  }

  close(): Promise<void> {
    this.closing.abort();
    return Promise.resolve();
  }

  /** One socket until it ends; tells why it did. */
  private async live(running: Running, over: AbortSignal): Promise<unknown> {
    const { inbox, auth, sent } = running;
    const session = openSession({
      settings: this.account.settings,
      log: this.account.log,
      auth,
      sent,
      keep: (message, deliverAgain) => this.keep(message, { ...running, deliverAgain }),
      showCode: (code) => {
        inbox.state('waiting', 'scan the QR code with WhatsApp on the phone: Settings, Linked devices, Link a device');
        inbox.show(renderUnicodeCompact(code, { border: 2 }));
      },
      opened: () => {
        this.session = session;
        inbox.state('connected');
        for (const go of this.waiting) go();
      },
      removed: (group) => void this.gone(inbox, group),
    });
    this.session = session;
    const end = (): void => session.end();
    over.addEventListener('abort', end, { once: true });
    if (over.aborted) end();
    try {
      return await session.ended;
    } finally {
      over.removeEventListener('abort', end);
      this.session = null;
    }
  }

  /** Never rejects: what cannot be kept ends the connection unacknowledged, so that it is delivered again. */
  private async keep(message: Arrived, on: Running & { deliverAgain(): Promise<never> }): Promise<void> {
    const event = readEvent(message, this.self());
    if (event === null) return;
    if (PortError.is(event)) {
      this.account.log.warn({ reason: event.message }, 'a message was left out');
      return;
    }
    try {
      await on.auth.flush();
      await on.inbox.accept(event);
    } catch {
      this.account.log.warn({ key: event.key }, 'a message could not be kept; it will be delivered again');
      await on.deliverAgain();
    }
    const { key } = message;
    if (event.kind !== 'message' || !key.id) return;
    this.authors.set(key.id, { participant: key.participant ?? key.remoteJid ?? '', text: event.text });
    const [oldest] = this.authors.keys();
    if (this.authors.size > remembered && oldest !== undefined) this.authors.delete(oldest);
  }

  private async gone(inbox: PlatformInbox, group: string): Promise<void> {
    const at = new Date().toISOString();
    const chat = { id: group, kind: 'group' as const };
    const sender = { id: group, name: group };
    await inbox
      .accept({ kind: 'gone', key: `gone/${group}/${at}`, chat, sender, at, reason: 'removed from the group' })
      .catch(() => this.account.log.warn({ group }, 'that the agent was removed could not be kept'));
  }

  private self(): Self {
    const me = this.running?.auth.creds.me;
    return {
      id: me?.id ?? '',
      lid: me?.lid ?? null,
      selfChat: this.account.settings.selfChat,
      groupTitle: (jid) => this.session?.groupTitle(jid),
    };
  }

  private async sender(signal: AbortSignal): Promise<Sender> {
    const limit = AbortSignal.any([signal, this.closing.signal, AbortSignal.timeout(readyMs)]);
    for (;;) {
      const { session, running } = this;
      if (this.failure !== null) throw this.failure;
      if (limit.aborted) throw new PortError('Platform.Unavailable', 'Nothing was sent: WhatsApp is not connected.');
      if (session?.isOpen() === true && running !== null) {
        return {
          session,
          sent: running.sent,
          quoted: (id) => this.authors.get(id) ?? null,
        };
      }
      await new Promise<void>((resolve) => {
        const go = (): void => {
          this.waiting.delete(go);
          limit.removeEventListener('abort', go);
          resolve();
        };
        this.waiting.add(go);
        limit.addEventListener('abort', go, { once: true });
      });
    }
  }
}

/** A function, as the compiler takes a signal for unchanged across an await. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

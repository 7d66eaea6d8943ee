import { setTimeout as sleep } from 'node:timers/promises';
import type { Readable } from 'node:stream';
import type { JsonValue } from '../../../contracts/json.ts';
import { PortError } from '../../../lib/port-error.ts';
import { fields, name, parsed, whole, words } from '../json-fields.ts';
import type {
  PlatformAccount,
  PlatformConnection,
  PlatformInbox,
  WebhookRequest,
  WebhookResponse,
} from '../platform.ts';
import { Deliveries } from './deliveries.ts';
import type { WhatsAppSettings } from './descriptor.ts';
import { fromGraphError } from './errors.ts';
import { callbackDataOf, Graph } from './graph.ts';
import { whatsAppOutbound } from './outbound.ts';
import { readEvents, readStatuses, type DeliveryStatus } from './read-webhook.ts';
import { isSame, isSigned } from './signature.ts';

const askMs = 8_000;
const longestPauseMs = 60_000;
const mostChats = 2_000;

/** One business number. WhatsApp calls the webhook; `run` only proves the token and holds the account open. */
export function openWhatsApp(account: PlatformAccount<WhatsAppSettings>): Promise<PlatformConnection> {
  return Promise.resolve().then(() => new WhatsAppConnection(account));
}

class WhatsAppConnection implements PlatformConnection {
  readonly outbound: PlatformConnection['outbound'];
  private readonly account: PlatformAccount<WhatsAppSettings>;
  private readonly graph: Graph;
  private readonly phoneNumberId: string;
  private readonly appSecret: string;
  private readonly verifyToken: string;
  private readonly deliveries = new Deliveries();
  private readonly lastMessages = new Map<string, string>();
  private readonly closing = new AbortController();
  private inbox: PlatformInbox | null = null;

  constructor(account: PlatformAccount<WhatsAppSettings>) {
    const { apiUrl } = account.settings;
    const set = (key: 'accessToken' | 'phoneNumberId' | 'appSecret' | 'verifyToken'): string => {
      const value = account.settings[key];
      if (value !== null && value !== '') return value;
      throw new PortError('Config.Invalid', `gateway.whatsapp.${key} is not set.`);
    };
    this.account = account;
    this.phoneNumberId = set('phoneNumberId');
    this.appSecret = set('appSecret');
    this.verifyToken = set('verifyToken');
    this.graph = new Graph(apiUrl, set('accessToken'));
    this.outbound = whatsAppOutbound({
      graph: this.graph,
      phoneNumberId: this.phoneNumberId,
      lastFrom: (chat) => this.lastMessages.get(chat),
      settled: (callbackData) => this.deliveries.settle(callbackData),
      reconcile: (_to, key) => this.reconcile(key),
    });
  }

  async run(inbox: PlatformInbox, signal: AbortSignal): Promise<void> {
    const over = AbortSignal.any([signal, this.closing.signal]);
    this.inbox = inbox;
    inbox.state('connecting');
    for (let pauseMs = 500; !isOver(over); pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
      try {
        await this.identify(over);
        inbox.state('connected');
        await aborted(over);
      } catch (error) {
        if (isOver(over)) return;
        if (PortError.is(error) && !error.retryable) throw error;
        inbox.state('waiting', PortError.is(error) ? error.message : 'WhatsApp cannot be asked');
        await sleep(pauseMs, undefined, { signal: over }).catch(() => undefined);
      }
    }
  }

  async probe(): Promise<void> {
    await this.identify();
  }

  async identify(signal?: AbortSignal): Promise<{ readonly id: string; readonly name: string }> {
    const path = `${encodeURIComponent(this.phoneNumberId)}?fields=display_phone_number,verified_name`;
    const call = { limitMs: askMs, repeatable: true, ...(signal === undefined ? {} : { signal }) };
    const answer = await this.graph.get(path, call);
    const number = words(answer['display_phone_number']);
    const verified = words(answer['verified_name']);
    const called = [verified, number].filter((one) => one !== null).join(' ');
    return { id: this.phoneNumberId, name: called === '' ? this.phoneNumberId : called };
  }

  async webhook(request: WebhookRequest, inbox: PlatformInbox): Promise<WebhookResponse> {
    this.inbox = inbox;
    if (request.method === 'GET') return this.verify(request);
    if (request.method !== 'POST') return { status: 405 };
    const signature = Object.entries(request.headers).find(([key]) => key.toLowerCase() === 'x-hub-signature-256');
    if (!isSigned(request.body, signature?.[1], this.appSecret)) {
      this.account.log.warn(
        { account: this.account.id },
        'a call of the webhook without a valid signature was refused',
      );
      return { status: 403 };
    }
    try {
      await this.take(parsed(request.body.toString('utf8')), inbox);
      return { status: 200 };
    } catch (error) {
      // WhatsApp delivers again what is not answered with 200, for days.
      const why = error instanceof Error ? error.message : 'unknown';
      this.account.log.warn({ account: this.account.id, error: why }, 'what arrived could not be kept');
      inbox.state('waiting', 'what arrives cannot be stored');
      return { status: 503 };
    }
  }

  async fetchFile(
    reference: JsonValue,
    signal: AbortSignal,
  ): Promise<{ readonly stream: Readable; readonly sizeBytes: number | null }> {
    const id = name(fields(reference)['id']);
    if (id === null) throw new PortError('Platform.MessageRejected', 'This is no file of WhatsApp.');
    const path = `${encodeURIComponent(id)}?phone_number_id=${encodeURIComponent(this.phoneNumberId)}`;
    const media = await this.graph.get(path, { signal, limitMs: askMs, repeatable: true });
    const stream = await this.graph.download(words(media['url']) ?? '', signal);
    return { stream, sizeBytes: whole(media['file_size']) };
  }

  close(): Promise<void> {
    this.closing.abort();
    return Promise.resolve();
  }

  private verify({ query }: WebhookRequest): WebhookResponse {
    const challenge = query['hub.challenge'] ?? '';
    const isMeant = query['hub.mode'] === 'subscribe' && isSame(query['hub.verify_token'] ?? '', this.verifyToken);
    if (!isMeant || !/^[\w.-]{1,200}$/.test(challenge)) return { status: 403 };
    return { status: 200, headers: { 'content-type': 'text/plain' }, body: challenge };
  }

  private async take(payload: unknown, inbox: PlatformInbox): Promise<void> {
    const events = readEvents(payload, this.phoneNumberId);
    if (PortError.is(events)) {
      this.account.log.warn({ account: this.account.id, code: events.code }, events.message);
      return;
    }
    for (const event of events) {
      await inbox.accept(event);
      if (event.kind === 'message' || event.kind === 'command') this.remember(event.chat.id, event.messageId);
    }
    const statuses = readStatuses(payload, this.phoneNumberId);
    await this.deliveries.keep(statuses, inbox);
    for (const status of statuses) if (status.state === 'failed') this.tellFailure(status, inbox);
    if (events.length > 0) inbox.state('connected');
  }

  private remember(chat: string, messageId: string | undefined): void {
    if (messageId === undefined) return;
    this.lastMessages.delete(chat);
    this.lastMessages.set(chat, messageId);
    const [oldest] = this.lastMessages.keys();
    if (this.lastMessages.size > mostChats && oldest !== undefined) this.lastMessages.delete(oldest);
  }

  /** WhatsApp takes a message first and says later that it did not deliver it. */
  private tellFailure({ messageId, error }: DeliveryStatus, inbox: PlatformInbox): void {
    const { code, message } = fromGraphError(error, { status: 400, headers: {} });
    this.account.log.warn({ account: this.account.id, messageId, code }, `a message was not delivered: ${message}`);
    inbox.state('connected', `a message was not delivered: ${message}`);
  }

  /** Statuses tell what was taken; that none came proves nothing. */
  private async reconcile(key: string): ReturnType<PlatformConnection['outbound']['reconcile']> {
    if (this.inbox === null) return { state: 'unknown' };
    const found = await this.deliveries.find(callbackDataOf(key), this.inbox);
    if (found === null) return { state: 'unknown' };
    return found.state === 'failed' ? { state: 'absent' } : { state: 'sent', messageId: found.messageId };
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Asked anew each time: it changes while something is waited for. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

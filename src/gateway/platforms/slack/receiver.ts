import { setTimeout as sleep } from 'node:timers/promises';
import { PortError } from '../../../lib/port-error.ts';
import { words } from '../json-fields.ts';
import type { PlatformAccount, PlatformInbox, WebhookRequest, WebhookResponse } from '../platform.ts';
import type { SlackApi } from './api.ts';
import { createBegunThreads } from './begun-threads.ts';
import { createSeen, isDirect, type Seen } from './catch-up.ts';
import type { SlackSettings } from './descriptor.ts';
import { idOf } from './fields.ts';
import { createCompletion, type Completion } from './people.ts';
import { readEvent, readHistoric, type SlackSelf } from './read-event.ts';
import type { SlackSocket } from './socket.ts';
import { plain, readBody, type SignatureCheck } from './webhook.ts';

/** What the connection knows once Slack has said who it is. */
interface Ready {
  readonly self: SlackSelf;
  readonly name: string;
  readonly completion: Completion;
}

/** What comes in, whichever way: read, completed, accepted, and remembered as seen. */
export class Receiver {
  private readonly account: PlatformAccount<SlackSettings>;
  private readonly api: SlackApi;
  private readonly closing = new AbortController();
  private seen: Seen | null = null;
  private known: Ready | null = null;

  constructor(account: PlatformAccount<SlackSettings>, api: SlackApi) {
    this.account = account;
    this.api = api;
  }

  async identify(): Promise<{ readonly id: string; readonly name: string }> {
    const { self, name } = await this.ready();
    return { id: self.userId, name };
  }

  async runOverSocket(socket: SlackSocket, inbox: PlatformInbox, signal: AbortSignal): Promise<void> {
    const ending = AbortSignal.any([signal, this.closing.signal]);
    const use = {
      take: (payload: unknown) => this.take(payload, inbox),
      connected: () => void this.catchUp(inbox, ending),
      state: inbox.state.bind(inbox),
    };
    await this.patientlyReady(inbox, ending);
    await socket.run(use, ending);
  }

  /** Events come through the webhook; here is only seen to it that none is missing. */
  async runBehindWebhook(inbox: PlatformInbox, signal: AbortSignal): Promise<void> {
    const ending = AbortSignal.any([signal, this.closing.signal]);
    await this.patientlyReady(inbox, ending);
    if (isOver(ending)) return;
    inbox.state('connected');
    await this.catchUp(inbox, ending);
    await new Promise<void>((resolve) => {
      if (isOver(ending)) resolve();
      else ending.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  async webhook(request: WebhookRequest, inbox: PlatformInbox, check: SignatureCheck): Promise<WebhookResponse> {
    if (request.method !== 'POST') return plain(405);
    const refusal = check.refusal(request);
    if (refusal !== null) {
      this.account.log.warn({ refusal }, 'a request to the Slack webhook was refused');
      return plain(401);
    }
    const payload = readBody(request);
    if (payload === null) return plain(400);
    if (payload['type'] === 'url_verification') return plain(200, words(payload['challenge']) ?? '');
    try {
      await this.take(payload, inbox);
    } catch (error) {
      this.account.log.warn({ reason: reasonOf(error) }, 'not taken from Slack, which delivers it again');
      return plain(503);
    }
    check.taken(request);
    return plain(200);
  }

  close(): Promise<void> {
    this.closing.abort();
    return Promise.resolve();
  }

  /** Resolves when the payload is kept or is nothing to keep. */
  private async take(payload: unknown, inbox: PlatformInbox): Promise<void> {
    const { self, completion } = await this.ready();
    const event = readEvent(payload, self, new Date().toISOString());
    if (event === null) return;
    if (PortError.is(event)) {
      this.account.log.warn({ reason: event.message }, 'left out');
      return;
    }
    const seen = this.seenIn(inbox);
    try {
      const heeded = await createBegunThreads(inbox).heed(event);
      await inbox.accept(await completion.complete(heeded, payload));
    } catch (error) {
      seen.missed();
      throw error;
    }
    await seen.saw(event);
  }

  private async catchUp(inbox: PlatformInbox, signal: AbortSignal): Promise<void> {
    const seen = this.seenIn(inbox);
    try {
      const { self, completion } = await this.ready();
      const threads = createBegunThreads(inbox);
      await threads.tidy();
      await seen.catchUp(async (message, channel) => {
        const historic = readHistoric(message, { id: channel, direct: isDirect(channel) }, self);
        if (historic === null || PortError.is(historic)) return;
        const event = await threads.heed(historic);
        if (event.kind === 'message' && !event.addressed) return;
        await inbox.accept(await completion.complete(event, { event: message }));
        await seen.saw(event);
      }, signal);
    } catch (error) {
      if (!isOver(signal)) this.account.log.warn({ reason: reasonOf(error) }, 'no catch-up');
    }
  }

  private seenIn(inbox: PlatformInbox): Seen {
    // Every inbox of the account is over the same store.
    return (this.seen ??= createSeen(this.api, inbox, this.account.log));
  }

  private async ready(): Promise<Ready> {
    if (this.known !== null) return this.known;
    const answer = await this.api.call('auth.test', {}, { repeating: 'nothing' });
    const userId = idOf(answer['user_id']);
    if (userId === null) throw new PortError('Platform.Unavailable', 'Slack does not say who the bot is');
    const team = words(answer['team']);
    const self = { userId, botId: idOf(answer['bot_id']), command: this.account.settings.command };
    this.known = {
      self,
      name: `${words(answer['user']) ?? userId}${team === null ? '' : ` (${team})`}`,
      completion: createCompletion(this.api, self),
    };
    return this.known;
  }

  /** Waits until Slack can be reached; rejects for what waiting does not mend. */
  private async patientlyReady(inbox: PlatformInbox, signal: AbortSignal): Promise<void> {
    inbox.state('connecting');
    for (let pauseMs = 500; !isOver(signal); pauseMs = Math.min(30_000, pauseMs * 2)) {
      try {
        await this.ready();
        return;
      } catch (error) {
        if (!PortError.is(error) || !error.retryable) throw error;
        inbox.state('waiting', error.message);
        await sleep(error.retryAfterMs ?? pauseMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }
}

function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

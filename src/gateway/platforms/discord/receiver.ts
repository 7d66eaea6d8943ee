import { setTimeout as sleep } from 'node:timers/promises';
import { PortError } from '../../../lib/port-error.ts';
import type { PlatformEvent, PlatformInbox, PlatformLog } from '../platform.ts';
import { fields, name, whole } from '../json-fields.ts';
import type { DiscordApi } from './api.ts';
import { isUnreadable, missedMessages } from './catch-up.ts';
import { Channels } from './channels.ts';
import { portErrorOf } from './errors.ts';
import { GatewayLink } from './gateway-link.ts';
import type { Interactions } from './interactions.ts';
import { Progress } from './progress.ts';
import { dispatchOf, readEvent } from './read-event.ts';

export interface ReceiverOptions {
  readonly api: DiscordApi;
  readonly token: string;
  readonly gatewayUrl: string | null;
  readonly interactions: Interactions;
  readonly log: PlatformLog;
  /** User id of the bot. */
  me(): Promise<string>;
}

const firstPauseMs = 500;
const longestPauseMs = 30_000;
const probeMs = 8_000;

/**
 * Receives over the gateway. Events are accepted one after another in the order in which they come; the session only
 * advances over what was accepted, so that everything else is delivered again by a resume: after a refused event, a cut, or
 * the end of the process. Where Discord has dropped the session, known chats are read up.
 */
export class Receiver {
  private readonly options: ReceiverOptions;
  private readonly channels: Channels;
  private link: GatewayLink | null = null;
  private pauseMs = firstPauseMs;

  constructor(options: ReceiverOptions) {
    this.options = options;
    this.channels = new Channels(options.api);
  }

  async run(inbox: PlatformInbox, signal: AbortSignal): Promise<void> {
    inbox.state('connecting');
    const progress = await Progress.load(inbox, this.options.log);
    try {
      while (!isOver(signal)) {
        const failure = await this.once(inbox, progress, signal);
        if (failure === null || isOver(signal)) return;
        if (!failure.retryable) {
          inbox.state('failed', failure.message);
          throw failure;
        }
        inbox.state('waiting', failure.message);
        await sleep(failure.retryAfterMs ?? this.pauseMs, undefined, { signal }).catch(() => undefined);
        this.pauseMs = Math.min(this.pauseMs * 2, longestPauseMs);
      }
    } finally {
      await progress.flush();
    }
  }

  async probe(): Promise<void> {
    if (this.link === null) throw new PortError('Platform.Unavailable', 'Discord is not connected.');
    await this.link.probe(probeMs);
  }

  private async settle(taker: Taker, progress: Progress, inbox: PlatformInbox): Promise<void> {
    inbox.state('connecting', 'Reading what came meanwhile.');
    await taker.catchUp();
    await progress.flush();
    inbox.state('connected');
  }

  /** One connection, with all its resumes. @returns why it ended, or null with the signal. */
  private async once(inbox: PlatformInbox, progress: Progress, signal: AbortSignal): Promise<PortError | null> {
    const ending = new AbortController();
    const until = AbortSignal.any([signal, ending.signal]);
    let link: GatewayLink | null = null;
    let line: Line | null = null;
    try {
      const me = await this.options.me();
      const queue = new Line();
      line = queue;
      const taker = new Taker({ ...this.options, channels: this.channels, inbox, progress, me, signal: until });
      taker.onKept = () => (this.pauseMs = firstPauseMs);
      link = new GatewayLink({
        api: this.options.api,
        token: this.options.token,
        address: this.options.gatewayUrl,
        session: {
          get: () => progress.session(),
          begin: (session) => progress.begin(session),
          lose: () => progress.lose(),
        },
        on: {
          connected: () => {
            if (progress.isSettled()) inbox.state('connected');
            // A new session counts once it is on disk: before, what it brings is lost to a process that dies.
            else queue.add(() => this.settle(taker, progress, inbox));
          },
          closed: (code) => inbox.state('waiting', `The connection to Discord ended (${code}); it is made again.`),
          dispatch: (payload) => {
            const sessionId = progress.session()?.sessionId ?? '';
            queue.add(() => taker.take(payload, sessionId));
          },
        },
      });
      this.link = link;
      await link.start();
      return await Promise.race([link.ended, queue.failed, aborted(until)]);
    } catch (error) {
      return portErrorOf(error, 'repeatable');
    } finally {
      this.link = null;
      line?.stop();
      ending.abort();
      await link?.stop();
    }
  }
}

interface TakerOptions extends Pick<ReceiverOptions, 'api' | 'interactions' | 'log'> {
  readonly channels: Channels;
  readonly inbox: PlatformInbox;
  readonly progress: Progress;
  readonly me: string;
  readonly signal: AbortSignal;
}

/** Takes payloads: reads, has them accepted, and notes how far that is. */
class Taker {
  onKept: () => void = () => undefined;
  private readonly options: TakerOptions;

  constructor(options: TakerOptions) {
    this.options = options;
  }

  /** @throws when it could not be accepted; then it has to come again. */
  async take(payload: unknown, sessionId: string): Promise<void> {
    await this.accept(payload);
    const sequence = whole(fields(payload)['s']);
    if (sequence !== null) this.options.progress.accepted(sessionId, sequence);
  }

  /** Reads what a session that was lost did not bring. Goes on for as long as Discord cannot be asked. */
  async catchUp(): Promise<void> {
    const { progress, log, signal } = this.options;
    for (const chat of progress.known()) {
      for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
        try {
          for await (const missed of missedMessages(this.options.api, chat, signal)) await this.accept(missed);
          break;
        } catch (error) {
          if (isUnreadable(error)) {
            progress.forget(chat.channel);
            break;
          }
          if (!PortError.is(error) || !error.retryable || signal.aborted) throw error;
          log.warn({ error: error.message }, 'missed messages cannot be read yet');
          await sleep(error.retryAfterMs ?? pauseMs, undefined, { signal });
        }
      }
    }
    progress.settle();
  }

  private async accept(payload: unknown): Promise<void> {
    const { channels, inbox, progress, interactions, log, me, signal } = this.options;
    channels.learn(payload);
    await channels.resolve(payload, signal);
    const context = { me, at: new Date().toISOString(), channel: (id: string) => channels.get(id) };
    const event = readEvent(payload, context);
    if (event === null) return;
    if (PortError.is(event)) {
      log.warn({ type: dispatchOf(payload)?.type ?? null }, event.message);
      return;
    }
    const channel = event.chat.thread ?? event.chat.id;
    // Most channels that go have never been heard of.
    if (event.kind === 'gone' && !progress.knows(channel)) return;
    await this.keep(inbox, event);
    this.onKept();
    if (event.kind === 'gone') {
      progress.forget(channel);
      return;
    }
    const guild = name(fields(fields(payload)['d'])['guild_id']);
    const last = event.kind === 'message' ? event.messageId : event.key.slice(event.key.lastIndexOf('/') + 1);
    progress.heard({ channel, guild, last }, event.kind !== 'message' || event.addressed);
    void interactions.heard(payload, event);
  }

  private async keep(inbox: PlatformInbox, event: PlatformEvent): Promise<void> {
    try {
      await inbox.accept(event);
    } catch (error) {
      this.options.log.warn({ key: event.key, error: error instanceof Error ? error.message : 'unknown' }, 'not kept');
      throw new PortError('Platform.Unavailable', 'An event could not be kept; Discord is asked to repeat it.');
    }
  }
}

/** Work in its order, one at a time; after the first failure none. */
class Line {
  /** Fulfilled with the failure. */
  readonly failed: Promise<PortError>;
  private fail: (error: PortError) => void = () => undefined;
  private last: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor() {
    this.failed = new Promise((resolve) => (this.fail = resolve));
  }

  add(work: () => Promise<void>): void {
    this.last = this.last.then(async () => {
      if (this.stopped) return;
      try {
        await work();
      } catch (error) {
        this.stopped = true;
        this.fail(portErrorOf(error, 'repeatable'));
      }
    });
  }

  stop(): void {
    this.stopped = true;
  }
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null);
    else signal.addEventListener('abort', () => resolve(null), { once: true });
  });
}

/** Asked anew each time: it changes while something is waited for. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

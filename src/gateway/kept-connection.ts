import { setTimeout as sleep } from 'node:timers/promises';
import { PortError } from '../lib/port-error.ts';
import type { AccountConduct, AccountReport, ConfiguredAccount, OpenAccount } from './accounts.ts';
import type {
  ConnectionState,
  PlatformConnection,
  PlatformInbox,
  PlatformLog,
  PlatformOutbound,
  WebhookRequest,
  WebhookResponse,
} from './platforms/platform.ts';

export interface ConnectionTimes {
  /** First and longest pause before a connection that ended is made again. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** Pause after a failure that waiting hardly mends: a wrong token, another receiver. */
  readonly hopelessPauseMs: number;
  /** Without an event for this long the connection is asked for a sign of life. */
  readonly silenceMs: number;
  /** A connection that gives none within this time, twice, is taken for wedged and made anew. */
  readonly probeMs: number;
  /** A connection that is not closed by then is left to itself: what comes after it must not wait for ever. */
  readonly closeMs: number;
}

const usual: ConnectionTimes = {
  firstPauseMs: 500,
  longestPauseMs: 60_000,
  hopelessPauseMs: 300_000,
  silenceMs: 45_000,
  probeMs: 10_000,
  closeMs: 10_000,
};

export type ShownCommands = Parameters<NonNullable<PlatformOutbound['registerCommands']>>[0];

interface KeptOptions {
  readonly inbox: PlatformInbox;
  readonly fingerprint: string;
  readonly commands?: ShownCommands;
  onConnected?(accountId: string): void;
  readonly redact: (text: string) => string;
  readonly log: PlatformLog;
  readonly times?: Partial<ConnectionTimes>;
}

/** One account, kept connected until it is stopped: opened, run, watched, and made again whenever it ends. */
export class KeptConnection {
  readonly fingerprint: string;
  private account: ConfiguredAccount;
  private readonly options: KeptOptions;
  private readonly times: ConnectionTimes;
  private readonly stopping = new AbortController();
  private connection: PlatformConnection | null = null;
  private ended: Promise<void> = Promise.resolve();
  private state: AccountReport['state'] = 'connecting';
  private detail = '';
  private name: string | null = null;
  private lastEventAt: string | null = null;
  private lastError: string | null = null;
  private shown: string | null = null;
  private hasCommands = false;

  constructor(account: ConfiguredAccount, options: KeptOptions) {
    this.account = account;
    this.options = options;
    this.fingerprint = options.fingerprint;
    this.times = { ...usual, ...options.times };
  }

  start(): void {
    this.ended = this.keep();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.ended;
    this.state = 'stopped';
  }

  /** From now on. */
  allow(conduct: AccountConduct): void {
    this.account = { ...this.account, conduct };
  }

  open(): OpenAccount | undefined {
    if (this.connection === null) return undefined;
    const { id, descriptor, conduct } = this.account;
    return { id, descriptor, conduct, connection: this.connection };
  }

  report(): Omit<AccountReport, 'waiting' | 'ambiguous'> {
    const { state, detail, name, lastEventAt, lastError, shown } = this;
    return {
      id: this.account.id,
      platform: this.account.descriptor.id,
      state,
      detail,
      name,
      lastEventAt,
      lastError,
      shown,
    };
  }

  /** A platform's call; null where this one calls nobody. While the account is being connected it must come again. */
  async webhook(request: WebhookRequest): Promise<WebhookResponse | null> {
    if (this.connection === null) return { status: 503, headers: { 'retry-after': '5' } };
    return (await this.connection.webhook?.(request, this.watchedInbox())) ?? null;
  }

  private async keep(): Promise<void> {
    let pauseMs = this.times.firstPauseMs;
    for (;;) {
      const began = Date.now();
      const failure = await this.once();
      if (isOver(this.stopping.signal)) return;
      this.say('failed', wordsOf(failure));
      // One that worked for a while begins again with short pauses.
      if (Date.now() - began > 60_000) pauseMs = this.times.firstPauseMs;
      await this.pause(isHopeless(failure) ? this.times.hopelessPauseMs : pauseMs);
      if (isOver(this.stopping.signal)) return;
      pauseMs = Math.min(this.times.longestPauseMs, pauseMs * 2);
    }
  }

  /** @returns why the connection ended. */
  private async once(): Promise<unknown> {
    const ending = new AbortController();
    const end = (): void => ending.abort();
    this.stopping.signal.addEventListener('abort', end, { once: true });
    let watching: Promise<unknown> = Promise.resolve();
    try {
      this.state = 'connecting';
      this.connection = await this.account.descriptor.open({
        id: this.account.id,
        settings: this.account.settings,
        log: this.options.log,
      });
      const run = this.connection.run(this.watchedInbox(), ending.signal);
      // A wedged connection may never end by itself, so it is not waited for.
      run.catch(() => undefined);
      const wedged = this.watch(this.connection, ending.signal);
      watching = wedged;
      await Promise.race([run, wedged]);
      return new Error('the connection ended');
    } catch (error) {
      return error;
    } finally {
      ending.abort();
      this.stopping.signal.removeEventListener('abort', end);
      await watching.catch(() => undefined);
      const { connection } = this;
      this.connection = null;
      const problem = connection === null ? null : await inTime(connection.close(), this.times.closeMs);
      if (problem !== null) this.options.log.warn({ error: wordsOf(problem) }, 'not closed well');
    }
  }

  /** Rejects when the connection gives no sign of life; resolves only with the signal. */
  private async watch(connection: PlatformConnection, signal: AbortSignal): Promise<void> {
    let misses = 0;
    let quietSince = Date.now();
    for (;;) {
      await sleep(this.times.silenceMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (isOver(signal)) return;
      const heardAt = this.lastEventAt === null ? 0 : Date.parse(this.lastEventAt);
      if (heardAt > quietSince) {
        quietSince = heardAt;
        misses = 0;
        continue;
      }
      if (this.state !== 'connected') continue;
      const answer = await inTime(connection.probe(), this.times.probeMs);
      if (answer === null) misses = 0;
      else if ((misses += 1) >= 2) {
        throw new PortError(
          'Platform.Unavailable',
          `the connection is silent and gives no sign of life: ${wordsOf(answer)}`,
        );
      }
    }
  }

  private watchedInbox(): PlatformInbox {
    const { inbox } = this.options;
    return {
      ...inbox,
      accept: async (event) => {
        await inbox.accept(event);
        this.lastEventAt = new Date().toISOString();
      },
      state: (state, detail = '') => {
        this.say(state, detail);
        inbox.state(state, detail);
      },
      show: (text) => {
        this.shown = text;
        inbox.show(text);
      },
    };
  }

  private say(state: ConnectionState, words: string): void {
    const detail = this.options.redact(words);
    if (state === 'failed') this.lastError = `${new Date().toISOString()} ${detail}`;
    if (state === this.state && detail === this.detail) return;
    this.state = state;
    this.detail = detail;
    if (state === 'connected') this.shown = null;
    const fields = { account: this.account.id, state, detail };
    if (state === 'failed') this.options.log.warn(fields, 'platform connection');
    else this.options.log.info(fields, 'platform connection');
    if (state !== 'connected') return;
    this.options.onConnected?.(this.account.id);
    if (this.name === null) void this.learnName();
    if (!this.hasCommands) void this.showCommands();
  }

  /** Without them in its menu the platform's people type them; that is no reason to end the connection. */
  private async showCommands(): Promise<void> {
    const { commands = [], log } = this.options;
    this.hasCommands = true;
    try {
      await this.connection?.outbound.registerCommands?.(commands);
    } catch (error) {
      this.hasCommands = false;
      log.warn({ account: this.account.id, error: wordsOf(error) }, 'commands are not in the menu yet');
    }
  }

  private async learnName(): Promise<void> {
    try {
      this.name = (await this.connection?.identify())?.name ?? null;
    } catch (error) {
      this.options.log.debug({ account: this.account.id, error: wordsOf(error) }, 'no name yet');
    }
  }

  private async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }
}

/** Asked anew each time: it changes while something is waited for. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

function isHopeless(error: unknown): boolean {
  return PortError.is(error) && !error.retryable;
}

/** @returns null when it was answered, else why not. */
async function inTime(work: Promise<void>, limitMs: number): Promise<unknown> {
  const limit = new AbortController();
  const late = sleep(limitMs, 'no answer', { signal: limit.signal, ref: false }).catch(() => null);
  try {
    return await Promise.race([work.then(() => null), late]);
  } catch (error) {
    return error;
  } finally {
    limit.abort();
    work.catch(() => undefined);
  }
}

/** What to tell a person about a connection that failed. */
function wordsOf(error: unknown): string {
  if (PortError.is(error)) return `${error.message} (${error.code})`;
  return error instanceof Error ? error.message : String(error);
}

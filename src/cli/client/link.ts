import type { Agent, IncomingMessage } from 'node:http';
import { ApiRequestError, CliError, ConnectionLost } from '../errors.ts';
import { readEndpoint, supervisorCrashed, type Endpoint } from './endpoint.ts';
import { exchange, makeAgent, openStream, type Call } from './exchange.ts';

/** Starts the service and returns when it answers. Idempotent. `report` gets lines for the person. */
export type EnsureService = (options: { home: string; report: (line: string) => void }) => Promise<void>;

export interface LinkOptions {
  readonly home: string;
  readonly ensureService: EnsureService;
  /** Lines for the person: what the start of the service is doing. */
  readonly report: (line: string) => void;
  /** The service has been away for `announceAfterMs`, and then: it is back. Called once each per outage. */
  readonly onOutage?: (state: 'away' | 'back') => void;
  readonly announceAfterMs?: number;
}

/** Whether a request may be made again when nobody knows if the first one arrived. */
export type Repeat = 'harmless' | 'never';

const firstPauseMs = 40;
const longestPauseMs = 500;
/** How long a service is asked again that says it cannot just now (its database is busy, say). */
const patienceMs = 20_000;

function isPassing(error: unknown): boolean {
  return error instanceof ApiRequestError && error.status === 503;
}

/**
 * The line to a service that may be killed, restarted and move to another port at any time. A request that is harmless
 * to repeat is repeated until it is answered; the person is told when that takes long. Starts the service when the first
 * request finds none, and again when its supervisor was killed; never after a clean stop, which somebody wanted.
 */
export class ServiceLink {
  private agent: Agent = makeAgent();
  private reached = false;
  private away: { announced: boolean; timer: NodeJS.Timeout } | null = null;
  private starting: Promise<void> | null = null;
  private lastStartAt = -Infinity;
  private readonly options: LinkOptions;

  constructor(options: LinkOptions) {
    this.options = options;
  }

  /**
   * @throws ApiRequestError as the service says; CliError when a request that must not be repeated may have arrived; the
   *   signal's reason.
   */
  async json<T>(call: Call, repeat: Repeat): Promise<T> {
    const own = repeat === 'never' ? { ...call, fresh: true } : call;
    const text = await this.persist((endpoint) => exchange(this.agent, endpoint, own), repeat, call.signal);
    return (text === '' ? null : JSON.parse(text)) as T;
  }

  async text(call: Call): Promise<string> {
    return this.persist((endpoint) => exchange(this.agent, endpoint, call), 'harmless', call.signal);
  }

  /** Opens a stream, waiting for the service if need be. The caller opens it again when its body breaks. */
  async stream(call: Call): Promise<IncomingMessage> {
    return this.persist((endpoint) => openStream(this.agent, endpoint, call), 'harmless', call.signal);
  }

  close(): void {
    if (this.away !== null) clearTimeout(this.away.timer);
    this.away = null;
    this.agent.destroy();
  }

  private async persist<T>(
    attempt: (endpoint: Endpoint) => Promise<T>,
    repeat: Repeat,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    let pauseMs = firstPauseMs;
    let refusals = 0;
    const patientUntil = performance.now() + patienceMs;
    for (;;) {
      signal?.throwIfAborted();
      const endpoint = readEndpoint(this.options.home);
      try {
        if (endpoint === null) throw new ConnectionLost('no service has announced itself', { sent: false });
        const result = await attempt(endpoint);
        this.isBack();
        return result;
      } catch (error) {
        if (error instanceof ApiRequestError) this.isBack();
        // A service with a new token file may have been met between the two reads; look once more.
        if (error instanceof ApiRequestError && error.status === 401 && refusals === 0) refusals += 1;
        else if (isPassing(error) && repeat === 'harmless' && performance.now() < patientUntil)
          pauseMs = longestPauseMs;
        else if (!(error instanceof ConnectionLost)) throw error;
        else if (error.sent && repeat === 'never') throw unknownOutcome(error);
        else this.isAway(error.sent);
      }
      await this.startIfNeeded();
      await pause(pauseMs, signal);
      pauseMs = Math.min(longestPauseMs, pauseMs * 2);
    }
  }

  private async startIfNeeded(): Promise<void> {
    const wanted = !this.reached || supervisorCrashed(this.options.home);
    if (this.starting === null && wanted && performance.now() - this.lastStartAt > 10_000) {
      const { home, ensureService, report } = this.options;
      this.starting = ensureService({ home, report }).finally(() => {
        this.starting = null;
        this.lastStartAt = performance.now();
      });
    }
    await this.starting;
  }

  private isAway(wasThere: boolean): void {
    if (wasThere) this.reached = true;
    if (this.away !== null) return;
    // Sockets to the dead service must not be handed out again.
    this.agent.destroy();
    this.agent = makeAgent();
    if (!this.reached) return;
    const away = {
      announced: false,
      timer: setTimeout(() => {
        away.announced = true;
        this.options.onOutage?.('away');
      }, this.options.announceAfterMs ?? 2_000),
    };
    this.away = away;
  }

  private isBack(): void {
    this.reached = true;
    if (this.away === null) return;
    clearTimeout(this.away.timer);
    if (this.away.announced) this.options.onOutage?.('back');
    this.away = null;
  }
}

function unknownOutcome(cause: ConnectionLost): CliError {
  return new CliError('The connection to the service broke; it is not known whether the request took effect.', {
    hint: 'Look at the conversation (`hermes conversations show`) before you repeat it.',
    cause,
  });
}

/** Waits, or rejects with the signal's reason. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((done, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      done();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

import { PortError } from '../../../lib/port-error.ts';
import { fields, parsed } from '../json-fields.ts';
import { oneTry, type Answered, type TryRequest } from '../one-try.ts';
import { fromRpcError, fromStatus, unknownAccount } from './errors.ts';
import { EventStreamReader, type StreamedEvent } from './event-stream.ts';

/** The daemon sends a sign of life every 15 s; three missing ones mean that the connection is dead. */
const silenceMs = 50_000;
const connectMs = 20_000;
const probeMs = 8_000;

export interface CallOptions {
  readonly limitMs?: number;
  readonly signal?: AbortSignal;
  /** Doing it twice does no harm. */
  readonly repeatable: boolean;
}

/** HTTP client of signal-cli's daemon (`daemon --http`) for one account. */
export class SignalDaemon {
  private readonly base: string;
  private readonly headers: Readonly<Record<string, string>>;
  private readonly account: string;
  private heardAt: number | null = null;

  /** @throws PortError Config.Invalid for an address that is none. */
  constructor(url: string, account: string) {
    const address = URL.canParse(url) ? new URL(url) : null;
    if (address === null || !/^https?:$/.test(address.protocol)) {
      throw new PortError('Config.Invalid', 'gateway.signal.url must be an http or https address.');
    }
    const { username, password } = address;
    const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    this.headers =
      username === '' && password === '' ? {} : { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
    this.base = `${address.origin}${address.pathname.replace(/\/+$/, '')}/api/v1`;
    this.account = account;
  }

  /** One JSON-RPC call. @returns its result. */
  async call(method: string, params: Readonly<Record<string, unknown>>, options: CallOptions): Promise<unknown> {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { account: this.account, ...params } });
    const headers = { ...this.headers, 'content-type': 'application/json' };
    const answer = await this.ask('rpc', { method: 'POST', headers, body }, options);
    if (answer.status !== 200) throw fromStatus(answer, options.repeatable);
    const message = parsed(answer.body.toString('utf8'));
    const { result, error } = fields(message);
    if (error !== undefined && error !== null) throw fromRpcError(error, options.repeatable);
    if (result === undefined) throw fromRpcError({ message: 'the answer is not JSON-RPC' }, options.repeatable);
    return result;
  }

  /** A sign of life of the daemon and, where events are being received, of their connection. */
  async check(): Promise<void> {
    const answer = await this.ask(
      'check',
      { method: 'GET', headers: this.headers },
      { limitMs: probeMs, repeatable: true },
    );
    if (answer.status !== 200) throw fromStatus(answer, true);
    if (this.heardAt !== null && Date.now() - this.heardAt > silenceMs) {
      throw new PortError('Platform.Unavailable', 'The event stream of signal-cli is silent.');
    }
  }

  /**
   * Gives events one after another, the next once `take` has resolved, until the connection ends or the signal aborts.
   *
   * @throws PortError Platform.Authentication when the daemon does not know the account, Unavailable for every other end.
   */
  async events(stream: {
    readonly after: string;
    readonly signal: AbortSignal;
    readonly opened: () => void;
    readonly take: (event: StreamedEvent) => Promise<void>;
  }): Promise<void> {
    const ending = new AbortController();
    const end = (): void => ending.abort();
    stream.signal.addEventListener('abort', end, { once: true });
    try {
      const body = await this.openEvents(stream.after, ending);
      stream.opened();
      await this.readEvents(body, ending, stream.take);
    } catch (error) {
      if (PortError.is(error)) throw error;
      throw new PortError('Platform.Unavailable', 'The connection to signal-cli was lost.');
    } finally {
      this.heardAt = null;
      stream.signal.removeEventListener('abort', end);
      ending.abort();
    }
  }

  private async openEvents(after: string, ending: AbortController): Promise<ReadableStream<Uint8Array>> {
    const limit = setTimeout(() => ending.abort(), connectMs);
    try {
      const answer = await fetch(`${this.base}/events?account=${encodeURIComponent(this.account)}`, {
        // Newer daemons send what came since that id, or all they remember where they do not know it.
        headers: { ...this.headers, accept: 'text/event-stream', 'last-event-id': after },
        signal: ending.signal,
        redirect: 'manual',
      });
      if (answer.status === 400) throw unknownAccount('it refuses to send its events');
      if (answer.status !== 200 || answer.body === null) {
        throw fromStatus({ status: answer.status, headers: Object.fromEntries(answer.headers) }, true);
      }
      return answer.body as ReadableStream<Uint8Array>;
    } finally {
      clearTimeout(limit);
    }
  }

  private async readEvents(
    body: ReadableStream<Uint8Array>,
    ending: AbortController,
    take: (event: StreamedEvent) => Promise<void>,
  ): Promise<void> {
    const reader = body.getReader();
    const lines = new EventStreamReader();
    for (;;) {
      this.heardAt = Date.now();
      const watchdog = setTimeout(() => ending.abort(), silenceMs);
      const { value, done } = await reader.read().finally(() => clearTimeout(watchdog));
      if (done) throw new PortError('Platform.Unavailable', 'signal-cli has ended the connection.');
      for (const event of lines.push(value)) await take(event);
    }
  }

  private ask(path: string, request: TryRequest, { limitMs = 30_000, ...options }: CallOptions): Promise<Answered> {
    return oneTry(`${this.base}/${path}`, request, { name: 'the signal-cli daemon', limitMs, ...options });
  }
}

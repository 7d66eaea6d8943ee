import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { SocketModeClient } from '@slack/socket-mode';
import type { Logger } from '@slack/web-api';
import { PortError } from '../../../lib/port-error.ts';
import { fields, isFields, words } from '../json-fields.ts';
import type { PlatformInbox, PlatformLog } from '../platform.ts';
import { callLimitMs, clientOptions } from './api.ts';
import { slackError } from './errors.ts';

export interface SocketOptions {
  readonly appToken: string;
  readonly apiUrl: string;
  readonly logger: Logger;
  readonly log: PlatformLog;
}

export interface SocketUse {
  /** Resolves when the payload is kept; only then Slack is told. */
  take(payload: unknown): Promise<void>;
  /** Called each time events begin to come. */
  connected(): void;
  readonly state: PlatformInbox['state'];
}

/** Without an answer to a ping for so long the SDK lets the connection go; it pings three times as often. */
const pongLimitMs = 5_000;
const helloLimitMs = 20_000;
const probeLimitMs = 6_000;
/** Where the WebSocket of the SDK tells of every answer to a ping. */
const pongs = 'undici:websocket:pong';
const firstPauseMs = 250;
const longestPauseMs = 30_000;

/**
 * Socket Mode: one connection after the other. The SDK's own reconnecting is not used: it ends the process when Slack
 * cannot be reached, and gives up for good on some answers.
 */
export class SlackSocket {
  private readonly options: SocketOptions;
  /** Address of the connection over which events come; null while there is none. Each address is used once. */
  private address: string | null = null;

  constructor(options: SocketOptions) {
    this.options = options;
  }

  /** @throws PortError Platform.Authentication; waits for everything else to mend. */
  async run(use: SocketUse, signal: AbortSignal): Promise<void> {
    let pauseMs = firstPauseMs;
    while (!isOver(signal)) {
      use.state('connecting');
      const began = Date.now();
      const failure = await this.session(use, signal).then(
        () => null,
        (error: unknown) => slackError(error, 'apps.connections.open', 'nothing'),
      );
      if (isOver(signal)) return;
      if (failure !== null && !failure.retryable) throw failure;
      // One that held for a while, or that Slack asked to renew, is made again at once.
      if (failure === null || Date.now() - began > 60_000) pauseMs = firstPauseMs;
      else pauseMs = Math.min(longestPauseMs, pauseMs * 2);
      const waitMs = failure?.retryAfterMs ?? pauseMs * (0.75 + Math.random() / 2);
      use.state('waiting', failure === null ? 'the connection ended' : failure.message);
      await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Waits for the answer to one of the SDK's pings. */
  async probe(): Promise<void> {
    const { address } = this;
    if (address === null) throw new PortError('Platform.Unavailable', 'there is no connection to Slack');
    await new Promise<void>((resolve, reject) => {
      const heard = (message: unknown): void => {
        if (fields(fields(message)['websocket'])['url'] === address) end(null);
      };
      const end = (error: PortError | null): void => {
        clearTimeout(timer);
        unsubscribe(pongs, heard);
        if (error === null) resolve();
        else reject(error);
      };
      const timer = setTimeout(() => {
        end(new PortError('Platform.Unavailable', 'the connection to Slack gives no sign of life'));
      }, probeLimitMs);
      subscribe(pongs, heard);
    });
  }

  /** Resolves when a connection that worked has ended, or with the signal. */
  private async session(use: SocketUse, signal: AbortSignal): Promise<void> {
    const { appToken, apiUrl, logger } = this.options;
    const client = new SocketModeClient({
      appToken,
      autoReconnectEnabled: false,
      clientPingTimeout: pongLimitMs,
      logger,
      clientOptions: { ...clientOptions(apiUrl), timeout: callLimitMs },
    });
    const queue = this.receive(client, use);
    let ended = false;
    // A start that was given up while it asked for the address would connect afterwards.
    client.on('connecting', () => setImmediate(() => void (ended && end(client))));
    const gone = new Promise<void>((resolve) => client.once('disconnected', () => resolve()));
    let stop = (): void => undefined;
    const stopped = new Promise<void>((resolve) => {
      stop = resolve;
    });
    signal.addEventListener('abort', stop, { once: true });
    if (isOver(signal)) stop();
    try {
      const address = await Promise.race([this.start(client), stopped.then(() => null)]);
      if (address === null) return;
      this.address = address;
      use.state('connected');
      use.connected();
      await Promise.race([gone, stopped]);
    } finally {
      signal.removeEventListener('abort', stop);
      this.address = null;
      // What was taken is still acknowledged.
      await Promise.race([queue(), sleep(500)]);
      ended = true;
      await end(client);
    }
  }

  private async start(client: SocketModeClient): Promise<string> {
    let url = '';
    client.once('authenticated', (answer: unknown) => {
      url = words(fields(answer)['url']) ?? '';
    });
    const limit = new AbortController();
    const late = sleep(helloLimitMs, undefined, { signal: limit.signal }).then(
      () => Promise.reject(new PortError('Platform.Unavailable', 'Slack opens no connection')),
      () => undefined,
    );
    try {
      // The SDK rejects with nothing at all when the connection ends before the first word.
      await Promise.race([client.start(), late]);
      return URL.canParse(url) ? new URL(url).href : url;
    } catch (error) {
      if (error instanceof Error) throw error;
      throw new PortError('Platform.Unavailable', 'the connection to Slack ended before it began');
    } finally {
      limit.abort();
    }
  }

  /** Payloads one after the other, each acknowledged when it is taken. @returns what waits for those under way. */
  private receive(client: SocketModeClient, use: SocketUse): () => Promise<void> {
    const { log } = this.options;
    let queue: Promise<void> = Promise.resolve();
    client.on('slack_event', ({ ack, body }: { ack: () => Promise<void>; body: unknown }) => {
      queue = queue.then(async () => {
        try {
          await use.take(body);
          await ack();
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          log.warn({ reason }, 'not acknowledged to Slack, which delivers it again');
        }
      });
    });
    // The SDK's own reader fails outside of every catch for what is no envelope.
    const readers = client.listeners('ws_message');
    client.removeAllListeners('ws_message');
    client.on('ws_message', (data: unknown, isBinary: unknown) => {
      if (!isEnvelope(data)) log.warn({}, 'Slack sent something that is no envelope');
      else for (const read of readers) (read as (...words: unknown[]) => void)(data, isBinary);
    });
    return () => queue;
  }
}

/** Names the SDK uses for its own events; it would take an event of Slack by that name for one of them. */
const reserved = /^(error|close|ws_message|slack_event|outgoing_message|authenticated|(dis|re)?connect(ed|ing))$/;

function isEnvelope(data: unknown): boolean {
  let envelope: unknown;
  try {
    envelope = JSON.parse(String(data));
  } catch {
    return false;
  }
  if (!isFields(envelope) || typeof envelope['type'] !== 'string') return false;
  if (envelope['type'] === 'hello' || envelope['type'] === 'disconnect') return true;
  if (words(envelope['envelope_id']) === null || reserved.test(envelope['type'])) return false;
  if (envelope['type'] !== 'events_api') return true;
  const type = fields(fields(envelope['payload'])['event'])['type'];
  return typeof type === 'string' && !reserved.test(type);
}

/** The first word asks the other side to close, the second closes without it. */
async function end(client: SocketModeClient): Promise<void> {
  const closed = client.disconnect();
  await Promise.race([closed, sleep(300)]);
  await Promise.race([client.disconnect(), sleep(300)]);
}

function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

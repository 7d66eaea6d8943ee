import { AsyncLocalStorage } from 'node:async_hooks';
import { LogLevel, WebClient, type Logger } from '@slack/web-api';
import { PortError } from '../../../lib/port-error.ts';
import { createRedactor } from '../../../lib/redact.ts';
import { fields, type Fields } from '../json-fields.ts';
import type { PlatformLog } from '../platform.ts';
import { slackError, type Repeating } from './errors.ts';

export interface ApiOptions {
  readonly apiUrl: string;
  readonly token: string;
  readonly logger: Logger;
}

export interface CallOptions {
  readonly repeating: Repeating;
  readonly signal?: AbortSignal;
  /** Until the call is given up. */
  readonly limitMs?: number;
}

/** The Web API. Every call is one try and rejects only with a PortError `Platform.*`. */
export interface SlackApi {
  call(method: string, args: Readonly<Record<string, unknown>>, options: CallOptions): Promise<Fields>;
}

/** How long an answer may take. */
export const callLimitMs = 15_000;

export function createApi(options: ApiOptions): SlackApi {
  const ends = new AsyncLocalStorage<AbortSignal>();
  const client = new WebClient(options.token, {
    ...clientOptions(options.apiUrl),
    logger: options.logger,
    // The SDK hands no signal of the caller to fetch.
    fetch: async (input, init) => {
      const signal = ends.getStore();
      return fetch(input, { ...init, ...(signal === undefined ? {} : { signal }) });
    },
  });
  return {
    call: async (method, args, { repeating, signal, limitMs = callLimitMs }) => {
      if (signal?.aborted === true)
        throw new PortError('Platform.Unavailable', `${method} was given up before it began`);
      const ending = new AbortController();
      const end = (): void => ending.abort();
      const timer = setTimeout(end, limitMs);
      signal?.addEventListener('abort', end, { once: true });
      try {
        return fields(await ends.run(ending.signal, () => client.apiCall(method, args)));
      } catch (error) {
        throw slackError(error, method, repeating);
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
      }
    },
  };
}

/** What the SDK does by itself is switched off: retries, waiting for a rate limit, a queue of its own. */
export function clientOptions(apiUrl: string): {
  slackApiUrl: string;
  retryConfig: { retries: number };
  rejectRateLimitedCalls: boolean;
  maxRequestConcurrency: number;
  allowAbsoluteUrls: boolean;
} {
  return {
    slackApiUrl: apiUrl,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    maxRequestConcurrency: Number.POSITIVE_INFINITY,
    allowAbsoluteUrls: false,
  };
}

/** The SDK's warnings without secrets. Its debug lines hold whole messages and are dropped. */
export function sdkLogger(log: PlatformLog, secrets: readonly string[]): Logger {
  const redact = createRedactor({ known: secrets });
  const say = (words: readonly unknown[]): void =>
    log.debug(
      { sdk: redact(words.map((word) => (word instanceof Error ? word.message : String(word))).join(' ')) },
      'slack sdk',
    );
  const drop = (): void => undefined;
  return {
    debug: drop,
    info: drop,
    warn: (...words) => say(words),
    error: (...words) => say(words),
    setLevel: drop,
    getLevel: () => LogLevel.WARN,
    setName: drop,
  };
}

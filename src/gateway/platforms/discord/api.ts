import { REST, RequestMethod, type RawFile } from '@discordjs/rest';
import { PortError } from '../../../lib/port-error.ts';
import { portErrorOf } from './errors.ts';

export interface ApiCall {
  readonly method: 'Get' | 'Post' | 'Patch' | 'Put';
  /** From the version on; ids are put in with `segment`. */
  readonly path: `/${string}`;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly files?: readonly RawFile[];
  readonly signal?: AbortSignal;
  /** Doing it twice shows nothing twice, so that a lost answer is Unavailable and not Ambiguous. */
  readonly repeatable?: boolean;
  /** The path carries its own token. */
  readonly withoutToken?: boolean;
}

/** The REST API, one try per call: rate limits are told and not waited for, nothing is repeated. */
export interface DiscordApi {
  /** The client itself, for the gateway's own calls. */
  readonly rest: REST;
  /** @throws PortError Platform.*, free of tokens, addresses and what people wrote. */
  call(call: ApiCall): Promise<unknown>;
  close(): void;
}

const limitMs = 15_000;

export function createApi(token: string, apiUrl: string): DiscordApi {
  const rest = new REST({
    api: apiUrl.replace(/\/+$/, ''),
    retries: 0,
    timeout: limitMs,
    offset: 0,
    rejectOnRateLimit: () => true,
  }).setToken(token);
  return {
    rest,
    call: async ({
      method,
      path,
      query,
      body,
      files,
      signal,
      repeatable = method !== 'Post',
      withoutToken = false,
    }) => {
      if (signal?.aborted === true) {
        throw new PortError('Platform.Unavailable', 'Nothing was sent to Discord: it was given up before.');
      }
      try {
        return await rest.request({
          method: RequestMethod[method],
          fullRoute: path,
          auth: !withoutToken,
          ...(query === undefined ? {} : { query: new URLSearchParams(query) }),
          ...(body === undefined ? {} : { body }),
          ...(files === undefined ? {} : { files: [...files] }),
          ...(signal === undefined ? {} : { signal }),
        });
      } catch (error) {
        // The client forgets its token after one 401, and would never ask again.
        rest.setToken(token);
        throw portErrorOf(error, repeatable ? 'repeatable' : 'send');
      }
    },
    close: () => {
      rest.clearHashSweeper();
      rest.clearHandlerSweeper();
    },
  };
}

/** An id as part of a path; whatever it is, it stays one part. */
export function segment(id: string): string {
  return encodeURIComponent(id).replaceAll('.', '%2E');
}

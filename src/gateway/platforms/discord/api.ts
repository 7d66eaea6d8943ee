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

/** Until an answer begins, which for a file includes the way of the largest one over a slow line. */
const usualLimits = { callMs: 15_000, fileMs: 240_000 };

export function createApi(token: string, apiUrl: string, limits = usualLimits): DiscordApi {
  // The client has one limit of time for all it is asked for.
  const clientFor = (timeout: number): REST =>
    new REST({
      api: apiUrl.replace(/\/+$/, ''),
      retries: 0,
      timeout,
      offset: 0,
      rejectOnRateLimit: () => true,
    }).setToken(token);
  const rest = clientFor(limits.callMs);
  const uploads = clientFor(limits.fileMs);
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
      const client = files === undefined ? rest : uploads;
      try {
        return await client.request({
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
        client.setToken(token);
        throw portErrorOf(error, repeatable ? 'repeatable' : 'send');
      }
    },
    close: () => {
      for (const client of [rest, uploads]) {
        client.clearHashSweeper();
        client.clearHandlerSweeper();
      }
    },
  };
}

/** An id as part of a path; whatever it is, it stays one part. */
export function segment(id: string): string {
  return encodeURIComponent(id).replaceAll('.', '%2E');
}

import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { buffer } from 'node:stream/consumers';
import { PortError } from '../../lib/port-error.ts';
import { fields } from './json-fields.ts';

export interface TryRequest {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export interface TryOptions {
  /** How the platform is called in messages. */
  readonly name: string;
  /** Longest time from the first byte out to the last byte in. */
  readonly limitMs: number;
  readonly signal?: AbortSignal;
  /** Doing it twice does no harm, so that a lost answer is Unavailable and not Ambiguous. */
  readonly repeatable: boolean;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/**
 * One HTTP request and its whole answer, whatever its status; never a second try, and no redirect is followed. It has a
 * connection of its own: on one that is kept open nobody could tell a request that never left from a lost answer.
 *
 * @throws PortError Platform.Unavailable when nothing was sent or it may be sent again, Platform.Ambiguous when it went out
 *   and no answer came. Neither tells the address, headers or body.
 */
export async function oneTry(url: string, request: TryRequest, options: TryOptions): Promise<Answered> {
  const { name, limitMs, repeatable } = options;
  if (options.signal?.aborted === true) {
    throw new PortError('Platform.Unavailable', `Nothing was sent to ${name}: it was given up before.`);
  }
  const limit = AbortSignal.timeout(limitMs);
  const signal = options.signal === undefined ? limit : AbortSignal.any([limit, options.signal]);
  const sent = { out: false };
  try {
    const answer = await exchange(url, request, signal, sent);
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: await buffer(answer) };
  } catch (error) {
    const why = limit.aborted ? `no answer within ${Math.round(limitMs / 1000)} s` : codeOf(error);
    if (!sent.out) throw new PortError('Platform.Unavailable', `${name} cannot be reached: ${why}.`);
    if (repeatable) throw new PortError('Platform.Unavailable', `${name} gave no answer: ${why}.`);
    throw new PortError('Platform.Ambiguous', `It went out to ${name} and no answer came: ${why}.`);
  }
}

/** Milliseconds of a Retry-After header in seconds or as a date; undefined without one. */
export function retryAfterMs(headers: IncomingHttpHeaders): number | undefined {
  const value = headers['retry-after'];
  if (value === undefined) return undefined;
  const ms = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, Math.ceil(ms)) : undefined;
}

function exchange(
  url: string,
  { method, headers, body }: TryRequest,
  signal: AbortSignal,
  sent: { out: boolean },
): Promise<IncomingMessage> {
  const secure = url.startsWith('https:');
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const start = secure ? httpsRequest : httpRequest;
    const request = start(url, { method, agent: false, signal, headers: { ...headers, ...length } }, resolve);
    request.on('error', reject);
    request.on('socket', (socket) => {
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        sent.out = true;
      });
    });
    request.end(body);
  });
}

function codeOf(error: unknown): string {
  const { code, name } = fields(error);
  if (typeof code === 'string') return code;
  return typeof name === 'string' ? name : 'unknown failure';
}

import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { isPublicAddress, literalAddress, resolveByDns, type Resolve, type ResolvedAddress } from './address-guard.ts';

export interface FetchLimits {
  readonly maxBytes: number;
  readonly maxRedirects: number;
  readonly timeoutMs: number;
  /** Whether an address may be connected to; public ones only by default. */
  readonly mayConnect?: (address: string) => boolean;
  readonly resolve?: Resolve;
}

export interface FetchedPage {
  readonly url: string;
  readonly status: number;
  /** As sent, lower case; empty when the server says nothing. */
  readonly contentType: string;
  readonly bytes: Buffer;
  /** The page goes on beyond `maxBytes`. */
  readonly truncated: boolean;
}

/** Why a page could not be had; its message is for the model. */
export class FetchRefused extends Error {
  override readonly name = 'FetchRefused';
}

/**
 * One GET over http or https, redirects followed. Every hop's host is resolved once, all its addresses are checked, and the
 * connection goes to a checked address, so that a name cannot change its mind in between.
 * Throws FetchRefused for whatever the model can act on; rejects with the signal's reason when aborted.
 */
export async function fetchPage(start: string, limits: FetchLimits, signal: AbortSignal): Promise<FetchedPage> {
  const timeout = AbortSignal.timeout(limits.timeoutMs);
  const stop = AbortSignal.any([signal, timeout]);
  try {
    let url = checkedUrl(start);
    for (let hop = 0; hop <= limits.maxRedirects; hop += 1) {
      const response = await get(url, await checkedAddress(url, limits, stop), stop);
      const target = redirectOf(response, url);
      if (target === null) return await readPage(response, url, limits);
      response.destroy();
      url = target;
    }
    throw new FetchRefused(`More than ${String(limits.maxRedirects)} redirects, the last to ${url.href}`);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (timeout.aborted) throw new FetchRefused(`No answer within ${String(limits.timeoutMs / 1_000)} s`);
    if (error instanceof FetchRefused) throw error;
    throw new FetchRefused(reasonOf(error), { cause: error });
  }
}

function checkedUrl(text: string, base?: URL): URL {
  const url = URL.canParse(text, base?.href) ? new URL(text, base) : null;
  if (url === null) throw new FetchRefused(`Not a URL: ${text.slice(0, 200)}`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new FetchRefused(`Only http and https can be fetched, not ${url.protocol}`);
  }
  if (url.username !== '' || url.password !== '')
    throw new FetchRefused('URLs with a user or password are not fetched');
  return url;
}

async function checkedAddress(url: URL, limits: FetchLimits, signal: AbortSignal): Promise<ResolvedAddress> {
  signal.throwIfAborted();
  const literal = literalAddress(url.hostname);
  const addresses = literal === null ? await (limits.resolve ?? resolveByDns)(url.hostname) : [literal];
  const mayConnect = limits.mayConnect ?? isPublicAddress;
  const [first] = addresses;
  if (first === undefined) throw new FetchRefused(`${url.hostname} has no address`);
  // One forbidden address is enough: a name that mixes them is up to no good.
  if (!addresses.every(({ address }) => mayConnect(address))) {
    throw new FetchRefused(
      `${url.hostname} leads to a private address, which is not fetched (setting web.allowPrivateAddresses)`,
    );
  }
  return first;
}

function get(url: URL, pinned: ResolvedAddress, signal: AbortSignal): Promise<IncomingMessage> {
  const lookup: LookupFunction = (_hostname, options, callback) => {
    if (options.all === true) callback(null, [pinned]);
    else callback(null, pinned.address, pinned.family);
  };
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const headers = {
      'user-agent': 'Mozilla/5.0 (compatible; hermes-on-temporal)',
      accept: 'text/html,application/xhtml+xml,text/plain;q=0.9,application/json;q=0.9,*/*;q=0.5',
      'accept-encoding': 'gzip, deflate, br',
      'accept-language': 'en;q=0.9,*;q=0.5',
    };
    // No agent: a kept connection could outlive the check of its address.
    const sent = request(url, { agent: false, lookup, signal, headers }, resolve);
    sent.on('error', reject);
    sent.end();
  });
}

function redirectOf(response: IncomingMessage, url: URL): URL | null {
  const { statusCode = 0, headers } = response;
  if (![301, 302, 303, 307, 308].includes(statusCode) || headers.location === undefined) return null;
  return checkedUrl(headers.location, url);
}

async function readPage(response: IncomingMessage, url: URL, limits: FetchLimits): Promise<FetchedPage> {
  const chunks: Buffer[] = [];
  let size = 0;
  const body = decompressed(response);
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > limits.maxBytes) break;
    }
  } finally {
    response.destroy();
  }
  return {
    url: url.href,
    status: response.statusCode ?? 0,
    contentType: (response.headers['content-type'] ?? '').toLowerCase(),
    bytes: Buffer.concat(chunks).subarray(0, limits.maxBytes),
    truncated: size > limits.maxBytes,
  };
}

function decompressed(response: IncomingMessage): Readable {
  const encoding = (response.headers['content-encoding'] ?? '').toLowerCase();
  const decoder =
    encoding === 'gzip' || encoding === 'x-gzip'
      ? createGunzip()
      : encoding === 'br'
        ? createBrotliDecompress()
        : encoding === 'deflate'
          ? createInflate()
          : null;
  if (decoder === null) return response;
  // Not pipe() alone: an error of the connection must reach the reader.
  response.on('error', (error) => decoder.destroy(error));
  return response.pipe(decoder);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const words: Readonly<Record<string, string>> = {
    ENOTFOUND: 'The host name is unknown',
    EAI_AGAIN: 'The host name could not be looked up; the network may be down',
    ECONNREFUSED: 'Nothing answers at that address',
    ECONNRESET: 'The server closed the connection',
    EHOSTUNREACH: 'The host cannot be reached',
    ENETUNREACH: 'The network cannot be reached',
  };
  return words[code] ?? error.message;
}

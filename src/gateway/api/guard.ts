import type { MiddlewareHandler } from 'hono';
import { Refusal } from '../refusal.ts';
import { sameToken } from './token.ts';

const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Refuses requests addressed to another name than this machine's loopback or a configured one: a page in a browser could
 * have its own name resolved to 127.0.0.1.
 */
export function hostGuard(allowedHosts: readonly string[]): MiddlewareHandler {
  const allowed = new Set([...loopbackNames, ...allowedHosts.map((host) => host.toLowerCase())]);
  return async (c, next) => {
    const host = c.req.header('host')?.toLowerCase() ?? '';
    const name = host.replace(/:\d+$/, '');
    if (!allowed.has(name) && !allowed.has(host)) {
      throw new Refusal('Api.HostRefused', `This service does not answer to the host name "${name}".`, {
        hint: 'Use 127.0.0.1, or add the name to api.allowedHosts.',
      });
    }
    await next();
  };
}

/** Wants `Authorization: Bearer <token>`. */
export function tokenGuard(token: string): MiddlewareHandler {
  return async (c, next) => {
    const given = /^Bearer +(\S+) *$/i.exec(c.req.header('authorization') ?? '')?.[1];
    if (given === undefined || !sameToken(given, token)) {
      c.header('www-authenticate', 'Bearer');
      throw new Refusal('Api.Unauthorized', given === undefined ? 'A bearer token is needed.' : 'The token is wrong.', {
        hint: 'It stands in the file api-token of the home folder.',
      });
    }
    await next();
  };
}

/** Refuses bodies that are too large, also those that do not say so beforehand, and bodies that are not JSON. */
export function bodyGuard(maxBytes: number): MiddlewareHandler {
  const tooLarge = (): Refusal => new Refusal('Api.TooLarge', `A request has at most ${String(maxBytes)} bytes.`);
  return async (c, next) => {
    const length = c.req.header('content-length');
    const inPieces = c.req.header('transfer-encoding') !== undefined;
    if (!inPieces && (length === undefined || length === '0')) return next();
    if (!/^application\/json\b/i.test(c.req.header('content-type') ?? '')) {
      throw new Refusal('Api.UnsupportedMediaType', 'Bodies are application/json.');
    }
    if (Number(length ?? 0) > maxBytes) throw tooLarge();
    if (inPieces) {
      const bytes = await readUpTo(c.req.raw.body, maxBytes);
      if (bytes === null) throw tooLarge();
      // Where hono looks before it reads the body itself; it keeps promises there.
      Object.assign(c.req.bodyCache, { text: Promise.resolve(bytes.toString('utf8')) });
    }
    return next();
  };
}

/** @returns null when there is more than that. */
export async function readUpTo(body: ReadableStream<Uint8Array> | null, maxBytes: number): Promise<Buffer | null> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  const reader = body?.getReader();
  for (let piece = await reader?.read(); piece?.value !== undefined; piece = await reader?.read()) {
    sizeBytes += piece.value.length;
    if (sizeBytes > maxBytes) return null;
    pieces.push(piece.value);
  }
  return Buffer.concat(pieces);
}

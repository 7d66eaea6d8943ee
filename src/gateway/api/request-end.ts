import type { Context } from 'hono';
import type { ApiContext } from './deps.ts';

/** Aborted when the client goes or the service stops. */
export interface RequestEnd {
  readonly signal: AbortSignal;
  /** Must be called when nobody looks at the signal any more. */
  readonly release: () => void;
}

/** As AbortSignal.any, which in Node 20 keeps what it made alive as long as its longest-lived part: the service. */
export function requestEnd(c: Context, context: ApiContext): RequestEnd {
  const parts = [c.req.raw.signal, context.closing];
  const ended = new AbortController();
  const end = (): void => ended.abort();
  for (const part of parts) {
    if (part.aborted) end();
    part.addEventListener('abort', end, { once: true });
  }
  return {
    signal: ended.signal,
    release: () => parts.forEach((part) => part.removeEventListener('abort', end)),
  };
}

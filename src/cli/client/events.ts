import { StringDecoder } from 'node:string_decoder';
import type { Snapshot } from '../../contracts/api.ts';
import type { StreamEvent } from '../../contracts/stream.ts';
import { ConnectionLost } from '../errors.ts';
import { conversationPath } from './client.ts';
import { pause, type ServiceLink } from './link.ts';
import { SseParser } from './sse.ts';

/** What one watches a conversation with. `snapshot` and `backlog` come again after every new connection. */
export type WatchEvent =
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot }
  | { readonly kind: 'backlog'; readonly events: readonly StreamEvent[] }
  | { readonly kind: 'live'; readonly event: StreamEvent }
  /** The connection broke; the next thing is a snapshot. */
  | { readonly kind: 'lost' };

export interface Watch {
  /** Ends this connection and opens a new one, for a reader who has missed something. */
  restart(): void;
}

/** The service sends a comment every 10 s; after this much silence the connection is dead. */
const silenceMs = 25_000;

/**
 * Watches a conversation until the signal is aborted, whatever happens to the service meanwhile.
 *
 * @param onEvent is called in order; it must not throw.
 * @returns when aborted. Rejects with ApiRequestError when the conversation does not exist (any more).
 */
export async function watchConversation(
  link: ServiceLink,
  conversationId: string,
  onEvent: (event: WatchEvent, watch: Watch) => void,
  signal: AbortSignal,
): Promise<void> {
  let pauseMs = 0;
  for (;;) {
    if (signal.aborted) return;
    const connection = new AbortController();
    const both = AbortSignal.any([signal, connection.signal]);
    const watch: Watch = { restart: () => connection.abort() };
    const heard = { any: false };
    try {
      const path = `${conversationPath(conversationId)}/events`;
      const body = await link.stream({ method: 'GET', path, silenceMs, signal: both });
      const decoder = new StringDecoder('utf8');
      const parser = new SseParser(({ event, data }) => {
        heard.any = true;
        const parsed = parse(event, data);
        if (parsed !== null && !both.aborted) onEvent(parsed, watch);
      });
      for await (const part of body) parser.push(decoder.write(part as Buffer));
    } catch (error) {
      if (!both.aborted && !isBrokenStream(error)) throw error;
    }
    if (isAborted(signal)) return;
    onEvent({ kind: 'lost' }, watch);
    // A service that accepts and hangs up at once must not be hammered.
    pauseMs = heard.any ? 20 : Math.min(1_000, pauseMs * 2 + 20);
    await pause(pauseMs, signal).catch((reason: unknown) => {
      if (!isAborted(signal)) throw reason;
    });
  }
}

/** As a call, since an await changes what the type checker has seen. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

function isBrokenStream(error: unknown): boolean {
  if (error instanceof ConnectionLost) return true;
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE' || isSilence(error);
}

function isSilence(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('the service has been silent');
}

function parse(event: string, data: string): WatchEvent | null {
  if (event === 'snapshot') return { kind: 'snapshot', snapshot: JSON.parse(data) as Snapshot };
  if (event === 'backlog') return { kind: 'backlog', events: JSON.parse(data) as StreamEvent[] };
  if (event === 'live') return { kind: 'live', event: JSON.parse(data) as StreamEvent };
  // A newer service may send more kinds.
  return null;
}

import type { Context } from 'hono';
import type { HttpBindings } from '@hono/node-server';

/** One server-sent event stream to one client. Sending to a client that has gone does nothing. */
export interface EventStream {
  /** Aborted when the client goes, is too slow, or the stream is closed. */
  readonly signal: AbortSignal;
  /** `data` is sent as JSON; strings go as they are and must be one line. */
  send(data: unknown, event?: string): void;
  close(): void;
}

/** What a client may leave unread before it is cut off; it comes back and starts over from a snapshot. */
const maxUnreadBytes = 16 * 1024 * 1024;
const heartbeatMs = 10_000;

/**
 * Answers with an event stream that `produce` fills. Nothing is buffered on the way: each event is one write to the
 * socket. The stream closes when `produce` ends, and a comment line keeps it alive meanwhile.
 */
export function eventStream(
  c: Context,
  options: { closing: AbortSignal; headers?: Record<string, string>; onError: (error: unknown) => void },
  produce: (stream: EventStream) => Promise<void>,
): Response {
  const stream = new SocketEventStream(() => (c.env as HttpBindings).outgoing.destroy());
  const close = (): void => stream.close();
  options.closing.addEventListener('abort', close, { once: true });
  stream.signal.addEventListener('abort', () => options.closing.removeEventListener('abort', close), { once: true });
  if (options.closing.aborted) close();
  produce(stream)
    .catch(options.onError)
    .finally(() => stream.close());
  return new Response(stream.body, {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      // Said outright, so that the server adapter writes at once instead of looking whether the body is short.
      'transfer-encoding': 'chunked',
      ...options.headers,
    },
  });
}

class SocketEventStream implements EventStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly signal: AbortSignal;
  private readonly gone = new AbortController();
  private readonly encoder = new TextEncoder();
  private readonly heartbeat: NodeJS.Timeout;
  private readonly cutOff: () => void;
  private sink: ReadableStreamDefaultController<Uint8Array> | null = null;

  constructor(cutOff: () => void) {
    this.cutOff = cutOff;
    this.signal = this.gone.signal;
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.sink = controller;
        },
        cancel: () => this.end(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: maxUnreadBytes }),
    );
    this.heartbeat = setInterval(() => this.write(': still here\n\n'), heartbeatMs);
  }

  send(data: unknown, event?: string): void {
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    this.write(`${event === undefined ? '' : `event: ${event}\n`}data: ${text}\n\n`);
  }

  close(): void {
    const sink = this.sink;
    this.end();
    sink?.close();
  }

  private write(text: string): void {
    if (this.sink === null) return;
    this.sink.enqueue(this.encoder.encode(text));
    if ((this.sink.desiredSize ?? 0) > 0) return;
    this.end();
    this.cutOff();
  }

  private end(): void {
    this.sink = null;
    clearInterval(this.heartbeat);
    this.gone.abort();
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { PortError } from '../../lib/port-error.ts';
import { formatBytes, oneLine } from '../../tools/text.ts';
import type { PlatformConnection, PlatformFile } from '../platforms/platform.ts';
import { isOver, wordsOf } from './failures.ts';

/** A file of a message, got or not. */
export type Fetched =
  | { readonly kind: 'got'; readonly bytes: Buffer }
  | { readonly kind: 'too-large'; readonly what: string }
  | { readonly kind: 'failed'; readonly reason: string };

export interface FetchLimits {
  /** What the platform gives out. */
  readonly maxBytes: number;
  readonly totalMs: number;
  readonly stallMs: number;
}

/** Nothing larger is kept, whatever a platform would give out: it is in memory on its way into the store. */
export const largestAttachment = 64 * 1024 * 1024;

/**
 * Reads a file of an event, no longer than the limits allow and no more than was allowed whatever the platform says about
 * its size.
 *
 * @throws PortError, retryable, where another try may get it; the signal's reason when that aborts
 */
export async function fetchAttachment(
  connection: PlatformConnection,
  file: PlatformFile,
  limits: FetchLimits,
  signal: AbortSignal,
): Promise<Fetched> {
  const { maxBytes } = limits;
  if (file.sizeBytes !== null && file.sizeBytes > maxBytes) return tooLarge(file.sizeBytes, maxBytes);
  const ending = new AbortController();
  const within = AbortSignal.any([signal, ending.signal, AbortSignal.timeout(limits.totalMs)]);
  try {
    return await inTime(read(connection, file, limits, within), within);
  } catch (error) {
    if (isOver(signal)) throw signal.reason;
    if (isOver(within)) {
      const seconds = String(Math.round(limits.totalMs / 1000));
      throw new PortError('Platform.Unavailable', `the file did not come within ${seconds} s`, { cause: error });
    }
    if (PortError.is(error) && !error.retryable) return { kind: 'failed', reason: wordsOf(error) };
    throw PortError.is(error)
      ? error
      : new PortError('Platform.Unavailable', `the file did not come: ${wordsOf(error)}`, { cause: error });
  } finally {
    ending.abort();
  }
}

async function read(
  connection: PlatformConnection,
  file: PlatformFile,
  { maxBytes, stallMs }: FetchLimits,
  signal: AbortSignal,
): Promise<Fetched> {
  const { stream, sizeBytes } = await connection.fetchFile(file.reference, signal);
  // What an abandoned stream still complains about is nobody's business.
  stream.on('error', () => undefined);
  const stop = (): void => void stream.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (isOver(signal)) throw signal.reason;
    if (sizeBytes !== null && sizeBytes > maxBytes) return tooLarge(sizeBytes, maxBytes);
    const chunks: Buffer[] = [];
    let bytes = 0;
    const reader = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    for (;;) {
      const next = await unlessStalled(reader.next(), stallMs);
      if (next.done === true) break;
      bytes += next.value.length;
      if (bytes > maxBytes) return tooLarge(null, maxBytes);
      chunks.push(next.value);
    }
    if (sizeBytes !== null && bytes < sizeBytes) throw new Error(`it ended after ${formatBytes(bytes)}`);
    return { kind: 'got', bytes: Buffer.concat(chunks) };
  } finally {
    signal.removeEventListener('abort', stop);
    stream.destroy();
  }
}

/** `[image photo.jpg, 120 KB, image/jpeg; …]`: what the model reads of a file. */
export function describeFile(file: PlatformFile, more: { sizeBytes?: number; note: string; joint?: string }): string {
  const size = more.sizeBytes ?? file.sizeBytes;
  const parts = [
    `${file.kind === 'voice' ? 'voice note' : file.kind} ${label(file.name)}`,
    ...(size === null ? [] : [formatBytes(size)]),
    ...(file.mediaType === '' ? [] : [label(file.mediaType)]),
  ];
  return `[${parts.join(', ')}${more.joint ?? '; '}${more.note}]`;
}

function tooLarge(sizeBytes: number | null, maxBytes: number): Fetched {
  const limit = formatBytes(maxBytes).replace('.0 ', ' ');
  const what =
    sizeBytes === null
      ? `larger than the ${limit} this platform lets the agent fetch, whatever was said of its size`
      : `larger than the ${limit} this platform lets the agent fetch`;
  return { kind: 'too-large', what };
}

/** Names come from strangers' machines: one line, and nothing that looks like the end of the note. */
function label(text: string): string {
  return oneLine(text.replace(/[[\]\p{Cc}]/gu, ' '), 120) || 'unnamed';
}

/** A port that does not honour its signal must not hold the chat. */
async function inTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = (): void => undefined;
  const over = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  work.catch(() => undefined);
  try {
    return await Promise.race([work, over]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function unlessStalled<T>(work: Promise<T>, limitMs: number): Promise<T> {
  const done = new AbortController();
  const late = sleep(limitMs, undefined, { signal: done.signal, ref: false }).then(
    () => {
      throw new Error(`nothing came for ${String(Math.round(limitMs / 1000))} s`);
    },
    () => new Promise<never>(() => undefined),
  );
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    done.abort();
  }
}

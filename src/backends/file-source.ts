/** The source's chunks; ends at an abort also while the source says nothing. Notes what it throws by itself. */
export async function* untilAborted(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
  note: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  let onAbort = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => {
      reject(signal?.reason as Error);
    };
  });
  // It may come when nobody waits for a chunk.
  aborted.catch(() => undefined);
  signal?.addEventListener('abort', onAbort, { once: true });
  let ended = false;
  try {
    signal?.throwIfAborted();
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted]);
      if (next.done === true) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } catch (error) {
    note(error);
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    // Not waited for: a generator that hangs in its source would never answer.
    if (!ended) void iterator.return?.().catch(() => undefined);
  }
}

/** The same bytes in pieces of exactly `size`, the last one shorter. */
export async function* inPieces(source: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Buffer> {
  let piece = Buffer.alloc(size);
  let filled = 0;
  for await (const bytes of source) {
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + size - filled);
      piece.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < size) continue;
      yield piece;
      piece = Buffer.alloc(size);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

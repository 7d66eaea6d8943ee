import type { RunOutput } from './backend.ts';
import type { RunStore } from './run-store.ts';

/** The death of a supervisor changes no file, so it is looked for this often. */
const livenessCheckMs = 500;

export interface PollOptions {
  readonly offset: number;
  readonly maxBytes: number;
  readonly waitMs: number;
  readonly signal?: AbortSignal;
}

/** Output from an offset, as soon as there is some or the run is over, after `waitMs` at the latest. */
export async function pollRun(store: RunStore, key: string, options: PollOptions): Promise<RunOutput> {
  const { offset, maxBytes, waitMs, signal } = options;
  signal?.throwIfAborted();
  const read = async (): Promise<RunOutput> => {
    const { state, records } = await store.observe(key, { offset, maxBytes });
    return { state, offset, bytes: records.bytes };
  };
  const hasNews = ({ state, bytes }: RunOutput) => state.phase !== 'running' || bytes.length > 0;
  const first = await read();
  if (hasNews(first) || waitMs <= 0) return first;
  const limit = Date.now() + waitMs;
  // Watching begins before the second look, so nothing can slip in between.
  const watch = await store.host.watch(store.runFolder(key), ['output', 'exit']);
  try {
    if (watch.waitsOnly === true) await watch.next(waitMs, signal);
    for (;;) {
      signal?.throwIfAborted();
      const now = await read();
      const leftMs = limit - Date.now();
      if (hasNews(now) || leftMs <= 0) return now;
      await watch.next(Math.min(leftMs, livenessCheckMs), signal);
    }
  } finally {
    watch.close();
  }
}

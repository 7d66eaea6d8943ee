import { watch, type FSWatcher } from 'node:fs';
import type { FolderWatch } from './run-host.ts';

/** Looks again this soon where the system can watch no more folders. */
const fallbackMs = { least: 2, most: 100 };

/** Events of some files in a folder of this machine, coalesced; polls, ever more slowly, where there are no events to be had. */
export function watchFolder(folder: string, names: readonly string[]): FolderWatch {
  let changed = false;
  let wake: (() => void) | undefined;
  let watcher: FSWatcher | undefined;
  let fallback: number | undefined;
  const note = () => {
    changed = true;
    wake?.();
  };
  const giveUp = () => {
    watcher?.close();
    watcher = undefined;
    fallback ??= fallbackMs.least;
  };
  try {
    watcher = watch(folder, { persistent: false }, (_event, name) => {
      // Some systems do not say which file it was.
      if (name === null || names.includes(name)) note();
    });
    watcher.on('error', giveUp);
  } catch {
    // Out of watches, or no folder yet: correctness never hangs on an event.
    giveUp();
  }
  return {
    async next(ms, signal) {
      signal?.throwIfAborted();
      if (fallback !== undefined) fallback = Math.min(fallbackMs.most, fallback * 2);
      if (!changed) await pause(Math.min(ms, fallback ?? ms), signal, (resume) => (wake = resume));
      changed = false;
    },
    close: () => watcher?.close(),
  };
}

function pause(ms: number, signal: AbortSignal | undefined, expose: (resume: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (settle: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      settle();
    };
    const onAbort = () => {
      stop(() => {
        reject(signal?.reason as Error);
      });
    };
    const timer = setTimeout(() => {
      stop(resolve);
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
    expose(() => {
      stop(resolve);
    });
  });
}

import { setTimeout as sleep } from 'node:timers/promises';
import { PortError } from '../lib/port-error.ts';
import type { RunStore } from './run-store.ts';

/** A command that reads nothing for this long is not going to. */
const stallLimitMs = 10_000;
const pauseMs = { least: 2, most: 50 };

/** Feeds a running command's standard input; with `end`, its next read finds the end. */
export async function writeRunStdin(
  store: RunStore,
  key: string,
  bytes: Buffer,
  { end = false }: { end?: boolean },
): Promise<void> {
  const { host } = store;
  const folder = store.runFolder(key);
  let rest = bytes;
  let limit = Date.now() + stallLimitMs;
  let wait = pauseMs.least;
  for (;;) {
    await requireOpenInput(store, key);
    // The FIFO is there once its holder is named.
    const holder = await host.readText(`${folder}/stdin-holder`);
    const written = holder === null ? 0 : await feedAll(store, `${folder}/stdin`, rest);
    rest = rest.subarray(written);
    if (holder !== null && rest.length === 0) {
      if (end && (await host.createFile(`${folder}/stdin-ended`, ''))) await host.terminate(Number(holder));
      return;
    }
    if (written > 0) {
      limit = Date.now() + stallLimitMs;
      wait = pauseMs.least;
    }
    if (Date.now() >= limit) {
      const done = bytes.length - rest.length;
      throw refusal(key, `The command does not read its input; ${done} of ${bytes.length} bytes were written.`);
    }
    await sleep(wait);
    wait = Math.min(pauseMs.most, wait * 2);
  }
}

async function requireOpenInput(store: RunStore, key: string): Promise<void> {
  const { state, header } = await store.observe(key);
  if (header === null || state.phase === 'absent') {
    throw new PortError('Terminal.NotFound', 'There is no such command.', { details: { key } });
  }
  if (!header.stdin) throw refusal(key, 'The command was started without standard input.');
  if (state.phase !== 'running') throw refusal(key, 'The command has ended; it reads no more input.');
  if ((await store.host.readText(`${store.runFolder(key)}/stdin-ended`)) !== null) {
    throw refusal(key, 'The standard input of the command has been ended.');
  }
}

/** Writes until the pipe is full. */
async function feedAll(store: RunStore, path: string, bytes: Buffer): Promise<number> {
  let done = 0;
  while (done < bytes.length) {
    const written = await store.host.feed(path, bytes.subarray(done));
    if (written === 0) break;
    done += written;
  }
  return done;
}

function refusal(key: string, message: string): PortError {
  return new PortError('Terminal.Invalid', message, { details: { key } });
}

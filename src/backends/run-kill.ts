import { PortError } from '../lib/port-error.ts';
import type { RunState } from './backend.ts';
import type { RunStore } from './run-store.ts';

/** With this a tree that ignores requests is gone within two seconds. */
const defaultGraceMs = 1_000;
/** The record follows the death of the command at once; a full disk may hold it back. */
const recordLimitMs = 5_000;

/** Ends the tree of a run, or what an ended run left behind. Resolves when it is gone; idempotent. */
export async function killRun(
  store: RunStore,
  key: string,
  { graceMs = defaultGraceMs }: { graceMs?: number },
): Promise<RunState> {
  const { host } = store;
  const folder = store.runFolder(key);
  const { state, records } = await store.observe(key);
  if (records.spec === null) return state;
  // One that ended by itself keeps its record; only what it left behind is ended.
  if (records.exit === null) await host.createFile(`${folder}/killed`, '');
  if (records.claimed === null) {
    // Asked for and not begun: take the claim ourselves, so that no late supervisor begins it.
    const now = `${Date.now()}000000`;
    if (await host.createFile(`${folder}/claimed`, `0 - - ${now}\n`)) {
      await host.createFile(`${folder}/exit`, `- - 0 ${now}\n`);
      return (await store.observe(key)).state;
    }
  }
  await store.ready();
  const code = await host.execute(`${store.scripts}/kill.sh`, [folder, String(Math.max(0, Math.round(graceMs)))]);
  if (code !== 0) {
    throw new PortError('Terminal.BackendUnavailable', 'Some processes of the command could not be ended.', {
      details: { key },
    });
  }
  return recorded(store, key);
}

async function recorded(store: RunStore, key: string): Promise<RunState> {
  const watch = await store.host.watch(store.runFolder(key), ['exit']);
  try {
    const limit = Date.now() + recordLimitMs;
    for (;;) {
      const { state } = await store.observe(key);
      if (state.phase !== 'running' || Date.now() >= limit) return state;
      await watch.next(100);
    }
  } finally {
    watch.close();
  }
}

import { PortError } from '../lib/port-error.ts';
import type { RunSpec, RunState } from './backend.ts';
import type { LaunchedProcess } from './run-host.ts';
import { safeName, specText } from './run-layout.ts';
import type { RunStore } from './run-store.ts';

/** How long a supervisor may take to claim its run before the place counts as broken. */
const claimLimitMs = 10_000;

/**
 * Writes the spec, launches a supervisor and waits for the claim. Every step may be repeated, and the claim is made
 * by the supervisor: a starter that dies anywhere is repaired by starting again, and of many starters one has an effect.
 */
export async function startRun(
  store: RunStore,
  spec: RunSpec,
  { defaultCwd, shell }: { defaultCwd: string; shell: string | undefined },
): Promise<RunState> {
  const { host, scripts } = store;
  const folder = store.runFolder(spec.key);
  const sessionFolder = store.sessionFolder(spec.sessionKey);
  const text = specText(spec, { sessionFolder, defaultCwd, shell, cwd: spec.cwd });
  const logPath = `${folder}/supervisor.log`;
  await store.ready();
  try {
    const folders = [`${folder}/next`, `${sessionFolder}/runs`];
    const mark = `${sessionFolder}/runs/${safeName(spec.key)}`;
    const file = { path: `${folder}/spec`, text };
    const [script, args] = [`${scripts}/supervise.sh`, [scripts, folder]];
    if (host.begin) {
      const beginning = { runFolder: folder, folders, marks: [mark], spec: file, script, args, logPath };
      const records = await host.begin(beginning);
      if (records.claimed !== null) return (await store.read(spec.key, records)).state;
      return await claimedState(store, spec.key, { ended: () => false }, logPath);
    }
    await host.makeFolders(folders);
    await host.createFile(mark, '');
    const fresh = await host.createFile(file.path, text);
    const claimed = fresh ? null : await claimedAlready(store, spec.key);
    if (claimed !== null) return claimed;
    const launched = await host.launch(script, args, logPath);
    return await claimedState(store, spec.key, launched, logPath);
  } catch (error) {
    // A run that ends at this very moment clears its folders away under us; then it has been started all the same.
    const claimed = await claimedAlready(store, spec.key);
    if (claimed === null) throw error;
    return claimed;
  }
}

async function claimedAlready(store: RunStore, key: string): Promise<RunState | null> {
  const { state, records } = await store.observe(key);
  return records.claimed === null ? null : state;
}

/** Waits until somebody, we or another starter, has claimed the run. */
async function claimedState(
  store: RunStore,
  key: string,
  launched: LaunchedProcess,
  logPath: string,
): Promise<RunState> {
  const watch = await store.host.watch(store.runFolder(key), ['claimed']);
  try {
    const limit = Date.now() + claimLimitMs;
    for (;;) {
      // Asked before looking: a supervisor that has ended without a claim will not make one later.
      const hopeless = launched.ended() || Date.now() >= limit;
      const { state, records } = await store.observe(key);
      if (records.claimed !== null) return state;
      if (hopeless) {
        const log = ((await store.host.readText(logPath)) ?? '').trim().slice(-300);
        throw new PortError('Terminal.BackendUnavailable', `The command could not be started. ${log}`.trim());
      }
      await watch.next(20);
    }
  } finally {
    watch.close();
  }
}

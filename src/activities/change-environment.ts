import type { Backend, ChangeOptions } from '../backends/backend.ts';
import type { ChangeEnvironmentInput, EnvironmentPhase, EnvironmentRecord } from '../contracts/environment.ts';
import { PortError } from '../lib/port-error.ts';
import type { EnvironmentEnd, EnvironmentRow } from '../store/environment-ports.ts';
import type { ActivityDeps } from './deps.ts';

type Deps = Pick<ActivityDeps, 'store' | 'backendOf' | 'redact' | 'log'>;

export interface ChangeControl {
  readonly signal: AbortSignal;
  /** Hears what takes long. */
  readonly say: (line: string) => void;
}

const phaseDuring: Record<ChangeEnvironmentInput['op'], EnvironmentPhase> = {
  create: 'starting',
  wake: 'waking',
  hibernate: 'hibernating',
  destroy: 'starting',
};

/** Lines on progress reach the store at most this often. */
const progressEveryMs = 3_000;

/**
 * One change of an environment. Every attempt goes on from the newest handle in the store, whoever wrote it; a handle is
 * written there before the backend lets go of anything the one before it needs. An attempt that another one has followed
 * can write nothing any more, so its backend stops before it lets go of anything.
 */
export async function changeEnvironment(
  deps: Deps,
  input: ChangeEnvironmentInput,
  control: ChangeControl,
): Promise<EnvironmentRecord> {
  const { environmentId, personId, backend: backendId, op } = input;
  const { environments } = deps.store;
  const startedAt = performance.now();
  const { fence, row } = await environments.begin({
    environmentId,
    personId,
    backend: backendId,
    phase: phaseDuring[op],
  });
  try {
    const backend = await deps.backendOf(backendId);
    const options: ChangeOptions = {
      signal: control.signal,
      progress: progressOf(deps, input, control),
      commit: (next) => environments.commit(environmentId, fence, next),
    };
    const end = await act(backend, op, { row, options });
    const tookMs = performance.now() - startedAt;
    deps.log.info({ environmentId, op, tookMs: Math.round(tookMs) }, 'environment changed');
    return recordOf(await environments.settle(environmentId, fence, ended(end, tookMs)));
  } catch (error) {
    // Handed over: the next attempt goes on, and this is no failure of the environment.
    if (control.signal.aborted) throw control.signal.reason;
    await environments.settle(environmentId, fence, failedEnd(deps, op, error));
    throw error;
  }
}

interface Change {
  readonly row: EnvironmentRow;
  readonly options: ChangeOptions;
}

type Result = Pick<EnvironmentEnd, 'phase' | 'handle'> & { readonly did: string };

async function act(backend: Backend, op: ChangeEnvironmentInput['op'], { row, options }: Change): Promise<Result> {
  const { handle, environmentId } = row;
  switch (op) {
    case 'create':
    case 'wake':
      if (handle === null) return { phase: 'awake', handle: await backend.create(environmentId, options), did: 'made' };
      return { phase: 'awake', handle: await backend.resume(handle, options), did: 'woken' };
    case 'hibernate':
      if (handle === null) return { phase: 'absent', handle: null, did: 'there was nothing to put to sleep' };
      return { phase: 'hibernated', handle: await backend.hibernate(handle, options), did: 'put to sleep' };
    case 'destroy':
      if (handle !== null) await backend.destroy(handle);
      return { phase: 'absent', handle: null, did: 'removed' };
  }
}

function ended({ did, ...end }: Result, tookMs: number): EnvironmentEnd {
  const note = `${did} in ${(tookMs / 1_000).toFixed(1)} s`;
  return { ...end, note, ...(end.phase === 'awake' ? { tookMs } : {}) };
}

function failedEnd(deps: Pick<Deps, 'redact'>, op: ChangeEnvironmentInput['op'], error: unknown): EnvironmentEnd {
  const code = PortError.is(error) ? error.code : 'Internal.Invariant';
  const message = deps.redact(error instanceof Error ? error.message : String(error));
  // What cannot be put to sleep is, as far as anybody knows, still awake.
  const phase = op === 'hibernate' && code !== 'Terminal.SessionLost' ? 'awake' : 'failed';
  return { phase, failure: { code, message }, note: `${op} failed: ${message}` };
}

function progressOf(deps: Deps, input: ChangeEnvironmentInput, control: ChangeControl): (line: string) => void {
  let writtenAt = 0;
  return (line) => {
    const clean = deps.redact(line);
    control.say(clean);
    if (performance.now() - writtenAt < progressEveryMs) return;
    writtenAt = performance.now();
    deps.store.environments.note(input.environmentId, clean).catch((error: unknown) => {
      deps.log.warn({ environmentId: input.environmentId, error: String(error) }, 'progress was not written down');
    });
  };
}

/** What a workflow needs to know of a row. */
export function recordOf(row: EnvironmentRow): EnvironmentRecord {
  const { phase, handle, generation, lastWakeMs, sleptMs, sleepingSince, log, failure } = row;
  return {
    phase,
    handle,
    generation,
    lastWakeMs,
    sleptMs,
    sleepingSince,
    log,
    failure,
  };
}

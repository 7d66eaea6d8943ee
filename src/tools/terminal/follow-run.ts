import type { RunSpec, RunState, TerminalSession } from '../../backends/backend.ts';

/** How much of an output is kept: the start and, more, the end. What is between is gone from the result. */
const headBytes = 1024 * 1024;
const tailBytes = 3 * 1024 * 1024;
const pollBytes = 256 * 1024;
const pollWaitMs = 20_000;

export interface FinishedRun {
  readonly state: RunState;
  readonly output: Buffer;
  /** Bytes between head and tail that are not in `output`. */
  readonly skippedBytes: number;
}

export interface FollowControl {
  /** Aborts: the run is ended with its whole tree, then the reason is thrown. */
  readonly signal: AbortSignal;
  /** Aborts: the run goes on, the reason is thrown. */
  readonly draining: AbortSignal;
}

/**
 * Starts a run or attaches to the one of that key, and follows it to its end. Idempotent by key.
 * Throws the reason of the signal that aborted, and whatever the session throws.
 */
export async function followRun(
  session: TerminalSession,
  spec: RunSpec,
  control: FollowControl & { readonly mayRun: boolean },
): Promise<FinishedRun> {
  const stop = AbortSignal.any([control.signal, control.draining]);
  // A call that was stopped before it began must not begin; one that may have begun is ended below.
  if (!control.mayRun) stop.throwIfAborted();
  try {
    stop.throwIfAborted();
    await startOrAttach(session, spec, control.mayRun);
    return await collect(session, spec.key, stop);
  } catch (error) {
    if (control.signal.aborted) {
      await session.kill(spec.key);
      throw control.signal.reason;
    }
    if (control.draining.aborted) throw control.draining.reason;
    throw error;
  }
}

/** Looks for a run an earlier try may have started, and starts it only where there is none. Idempotent by key. */
export async function startOrAttach(session: TerminalSession, spec: RunSpec, mayRun: boolean): Promise<void> {
  if (mayRun) {
    const { state } = await session.poll(spec.key, { offset: 0, maxBytes: 1, waitMs: 0 });
    if (state.phase !== 'absent') return;
  }
  await session.start(spec);
}

async function collect(session: TerminalSession, key: string, signal: AbortSignal): Promise<FinishedRun> {
  const head: Buffer[] = [];
  let offset = 0;
  for (;;) {
    const { state, bytes } = await session.poll(key, { offset, maxBytes: pollBytes, waitMs: pollWaitMs, signal });
    signal.throwIfAborted();
    if (offset < headBytes) head.push(bytes);
    offset += bytes.length;
    // Beyond the head only the end counts: skip ahead instead of carrying gigabytes over.
    if (offset >= headBytes && state.outputBytes > offset) offset = Math.max(offset, state.outputBytes - pollBytes);
    if (state.phase === 'running' || (bytes.length > 0 && offset < state.outputBytes)) continue;
    return withTail(session, state, Buffer.concat(head), signal);
  }
}

async function withTail(
  session: TerminalSession,
  state: RunState,
  head: Buffer,
  signal: AbortSignal,
): Promise<FinishedRun> {
  if (head.length >= state.outputBytes) return { state, output: head, skippedBytes: 0 };
  const start = Math.max(head.length, state.outputBytes - tailBytes);
  const tail: Buffer[] = [];
  for (let offset = start; offset < state.outputBytes;) {
    const { bytes } = await session.poll(state.key, { offset, maxBytes: pollBytes, waitMs: 0, signal });
    if (bytes.length === 0) break;
    tail.push(bytes);
    offset += bytes.length;
  }
  const skippedBytes = start - head.length;
  const gap = skippedBytes > 0 ? Buffer.from(`\n[… ${String(skippedBytes)} bytes not kept …]\n`) : Buffer.alloc(0);
  return { state, output: Buffer.concat([head, gap, ...tail]), skippedBytes };
}

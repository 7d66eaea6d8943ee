import { Context } from '@temporalio/activity';

/** Why an activity was told to stop. */
export type StopReason =
  /** The turn was stopped: end the effect. */
  | 'stopped'
  /** This worker ends: leave the effect to the next attempt. */
  | 'handed-over';

/** The reason carried by the signal that {@link underHeartbeat} passes to its work. */
export class ActivityStopped extends Error {
  readonly reason: StopReason;
  constructor(reason: StopReason) {
    super(reason === 'stopped' ? 'stopped by the person' : 'handed over to another attempt');
    this.name = 'ActivityStopped';
    this.reason = reason;
  }
}

/**
 * Runs work under a heartbeat from its first line to its last; only a heartbeat lets a cancellation arrive and a dead
 * worker be noticed.
 *
 * @param work Gets a signal that aborts with {@link ActivityStopped}, and a way to say what it is at, which people see
 * beside the pending activity.
 */
export async function underHeartbeat<T>(
  work: (signal: AbortSignal, say: (line: string) => void) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  const controller = new AbortController();
  const onCancel = (): void => {
    const reason = stopReason(context);
    if (reason !== null) controller.abort(new ActivityStopped(reason));
  };
  if (context.cancellationSignal.aborted) onCancel();
  else context.cancellationSignal.addEventListener('abort', onCancel, { once: true });

  const timeoutMs = context.info.heartbeatTimeoutMs ?? 30_000;
  let said: string | undefined;
  context.heartbeat();
  const timer = setInterval(() => context.heartbeat(said), Math.max(100, Math.floor(timeoutMs / 5)));
  try {
    return await work(controller.signal, (line) => {
      said = line;
    });
  } finally {
    clearInterval(timer);
    context.cancellationSignal.removeEventListener('abort', onCancel);
  }
}

/** Null when the server has merely given this attempt up: the next one joins the work that still runs here. */
function stopReason(context: Context): StopReason | null {
  const details = context.cancellationDetails;
  if (details?.workerShutdown === true) return 'handed-over';
  return details?.cancelRequested === true ? 'stopped' : null;
}

import { ActivityCancellationType, type ActivityOptions } from '@temporalio/workflow';
import type { ChangeEnvironmentInput } from '../../contracts/environment.ts';

const retryFast = { initialInterval: '100ms', backoffCoefficient: 2, maximumInterval: '30s' } as const;

/**
 * A change fails for good when its backend says so (the workflow decides on another try), so what is retried here is a
 * worker that died or handed over.
 */
export function changeOptions(
  heartbeatTimeoutMs: number,
  change: Pick<ChangeEnvironmentInput, 'op' | 'backend' | 'environmentId'>,
): ActivityOptions {
  return {
    // An image may have to be fetched over a slow line.
    startToCloseTimeout: '1h',
    heartbeatTimeout: heartbeatTimeoutMs,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: { ...retryFast, maximumAttempts: 30 },
    summary: `${change.op} ${change.backend} ${scopeOf(change)}`,
  };
}

export const loadOptions: ActivityOptions = {
  startToCloseTimeout: '30s',
  retry: retryFast,
  summary: 'loadEnvironment',
};

/** A backend that does not answer is asked again at the next look, which is soon enough. */
export function inspectOptions(change: Pick<ChangeEnvironmentInput, 'backend' | 'environmentId'>): ActivityOptions {
  return {
    startToCloseTimeout: '2m',
    retry: { ...retryFast, maximumAttempts: 3 },
    summary: `inspect ${change.backend} ${scopeOf(change)}`,
  };
}

/** `anna` of `anna.docker`: the backend stands before it already. */
function scopeOf({ environmentId, backend }: Pick<ChangeEnvironmentInput, 'backend' | 'environmentId'>): string {
  return environmentId.endsWith(`.${backend}`) ? environmentId.slice(0, -backend.length - 1) : environmentId;
}

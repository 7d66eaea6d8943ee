import { ActivityCancellationType, type ActivityOptions } from '@temporalio/workflow';

const retryFast = { initialInterval: '100ms', backoffCoefficient: 2, maximumInterval: '30s' } as const;

/** Database work: short, always safe to repeat. */
export const storeOptions: ActivityOptions = {
  startToCloseTimeout: '30s',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: retryFast,
};

/**
 * A model step. How often a vendor's error is tried again is decided where the error is known (activities/failure.ts);
 * a worker that died is always tried again.
 */
export function modelOptions(heartbeatTimeoutMs: number, summary: readonly string[]): ActivityOptions {
  return {
    startToCloseTimeout: '2h',
    heartbeatTimeout: heartbeatTimeoutMs,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: retryFast,
    summary: summary.filter((word) => word !== '').join(' '),
  };
}

/** A tool call. Retried without limit, since the activity looks at the call's record before it acts. */
export function toolOptions(
  heartbeatTimeoutMs: number,
  call: { readonly timeoutMs: number; readonly summary: string; readonly taskQueue?: string },
): ActivityOptions {
  return {
    startToCloseTimeout: call.timeoutMs + 60_000,
    heartbeatTimeout: heartbeatTimeoutMs,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: retryFast,
    summary: call.summary,
    ...(call.taskQueue === undefined ? {} : { taskQueue: call.taskQueue }),
  };
}

export function deliveryOptions(heartbeatTimeoutMs: number, platform: string): ActivityOptions {
  return {
    startToCloseTimeout: '10m',
    heartbeatTimeout: heartbeatTimeoutMs,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: retryFast,
    summary: `deliver to ${platform}`,
  };
}

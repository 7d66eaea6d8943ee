import { ApplicationFailure } from '@temporalio/common';
import type { ChangeFailureDetails } from '../contracts/environment.ts';
import { PortError } from '../lib/port-error.ts';

/** After so many tries of one activity a vendor's outage is reported instead of tried again. About four minutes. */
const maxAttempts = 9;
const firstDelayMs = 500;
const maxDelayMs = 60_000;

/** How long to wait before attempt `attempt + 1`: what the vendor asked for, else doubling. */
export function retryDelayMs(attempt: number, retryAfterMs: number | undefined): number {
  const doubling = Math.min(maxDelayMs, firstDelayMs * 2 ** Math.max(0, attempt - 1));
  return Math.max(retryAfterMs ?? 0, doubling);
}

/**
 * The only place that makes an ApplicationFailure in a worker.
 * @param attempt 1 on the first try.
 */
export function toFailure(error: unknown, attempt: number): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  if (!PortError.is(error)) {
    // A bug: said as it is, tried a few times since it may be a passing state, then given up.
    return ApplicationFailure.create({
      type: 'Internal.Invariant',
      message: error instanceof Error ? error.message : String(error),
      nonRetryable: attempt >= 4,
      ...(error instanceof Error ? { cause: error } : {}),
    });
  }
  const willRetry = error.retryable && attempt < maxAttempts;
  return ApplicationFailure.create({
    type: error.code,
    message: error.message,
    nonRetryable: !willRetry,
    details: [error.details],
    ...(willRetry ? { nextRetryDelay: retryDelayMs(attempt, error.retryAfterMs) } : {}),
  });
}

/**
 * For changes of environments: never retried by Temporal, since the workflow decides whether and when it is tried again;
 * the first detail tells it what it needs for that.
 */
export function finalFailure(error: unknown): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  const port = PortError.is(error) ? error : null;
  const details: ChangeFailureDetails = {
    mayPass: port?.retryable ?? false,
    details: port?.details ?? {},
    ...(port?.retryAfterMs === undefined ? {} : { retryAfterMs: port.retryAfterMs }),
  };
  return ApplicationFailure.create({
    type: port?.code ?? 'Internal.Invariant',
    message: error instanceof Error ? error.message : String(error),
    nonRetryable: true,
    details: [details],
  });
}

/** For work that another worker takes over: retried at once and without limit. */
export function handOver(): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'Worker.Draining',
    message: 'This worker is stopping; another one goes on.',
    nextRetryDelay: 50,
  });
}

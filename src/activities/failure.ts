import { ApplicationFailure } from '@temporalio/common';
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

/** For work that another worker takes over: retried at once and without limit. */
export function handOver(): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'Worker.Draining',
    message: 'This worker is stopping; another one goes on.',
    nextRetryDelay: 50,
  });
}

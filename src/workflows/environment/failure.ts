import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/common';
import type { ChangeFailureDetails } from '../../contracts/environment.ts';

/** Why a change did not come about. */
export interface ChangeFailure {
  readonly code: string;
  readonly message: string;
  /** Another try may help. */
  readonly mayPass: boolean;
  readonly retryAfterMs?: number;
  readonly details?: ChangeFailureDetails['details'];
}

/** @returns what made the activity fail, in the port's words. */
export function describeChangeFailure(error: unknown): ChangeFailure {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure) {
    const details = cause.details?.[0] as Partial<ChangeFailureDetails> | undefined;
    return {
      code: cause.type ?? 'Internal.Invariant',
      message: cause.message,
      mayPass: details?.mayPass === true,
      ...(details?.retryAfterMs === undefined ? {} : { retryAfterMs: details.retryAfterMs }),
      ...(details?.details === undefined ? {} : { details: details.details }),
    };
  }
  if (cause instanceof TimeoutFailure) {
    return { code: 'Terminal.BackendUnavailable', message: 'It took longer than its limit.', mayPass: true };
  }
  const message = cause instanceof Error ? cause.message : String(cause);
  return { code: 'Internal.Invariant', message, mayPass: false };
}

/** What the one who asked gets. */
export function refusal(failure: ChangeFailure, generation: number): ApplicationFailure {
  return ApplicationFailure.create({
    type: failure.code,
    message: failure.message,
    nonRetryable: true,
    details: [{ ...failure.details, generation }],
  });
}

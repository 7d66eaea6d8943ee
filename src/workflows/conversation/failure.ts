import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/common';

/** Code and words of what made an activity fail for good. */
export function describeFailure(error: unknown): { readonly code: string; readonly message: string } {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure) {
    return { code: cause.type ?? 'Internal.Invariant', message: cause.message };
  }
  if (cause instanceof TimeoutFailure) {
    return { code: 'Tool.Failed', message: 'It took longer than its limit and was given up.' };
  }
  return { code: 'Internal.Invariant', message: cause instanceof Error ? cause.message : String(cause) };
}

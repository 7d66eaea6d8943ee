import { PortError } from '../../lib/port-error.ts';

/** What to tell a person about something that failed. */
export function wordsOf(error: unknown): string {
  if (PortError.is(error)) return error.message;
  return error instanceof Error ? error.message : String(error);
}

/** Asked anew each time: it changes while something is waited for. */
export function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Ends what does not end by itself; the failure is the limit's. */
export function deadline(signal: AbortSignal, limitMs: number): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
}

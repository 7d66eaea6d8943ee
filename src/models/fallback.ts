import type { FailureType } from '../contracts/failure-types.ts';
import { PortError } from '../lib/port-error.ts';
import type { GenerateControl, ModelAnswer, ModelProvider, ModelRequest } from './provider.ts';

/** One model of a chain. */
export interface ModelCandidate {
  /** `provider:name`, for people. */
  readonly label: string;
  readonly model: string;
  /** May throw a PortError, e.g. where no key is set; then the next candidate is tried. */
  readonly open: () => ModelProvider;
}

export interface FallbackControl extends GenerateControl {
  /**
   * Another candidate starts over and shown text is void; `notice` says why in words for people. Where absent, a candidate
   * that fails after its first words ends the chain.
   */
  readonly onReset?: (notice: string) => void;
}

export interface FallbackAnswer {
  readonly answer: ModelAnswer;
  readonly candidate: ModelCandidate;
  /** Labels of the candidates that failed before it. */
  readonly failed: readonly string[];
}

const movesOn: ReadonlySet<FailureType> = new Set([
  'Model.Authentication',
  'Model.NotConfigured',
  'Model.Overloaded',
  'Model.QuotaExceeded',
  'Model.RateLimited',
  'Model.Stalled',
  'Model.Timeout',
  'Model.Unavailable',
]);
/** Requests that are invalid for one model only. */
const movingReasons: ReadonlySet<unknown> = new Set(['model-not-found', 'endpoint-not-found', 'tools-unsupported']);

/**
 * Asks one candidate after another, each once. Goes on where another model may do better; an abort, a conversation that is too
 * long or a refusal ends the chain at once. When all fail, rejects with the first failure that a retry may heal, else
 * with the first one.
 */
export async function generateWithFallback(
  chain: readonly ModelCandidate[],
  request: Omit<ModelRequest, 'model'>,
  control: FallbackControl,
): Promise<FallbackAnswer> {
  const failures: { readonly label: string; readonly error: PortError }[] = [];
  for (const [index, candidate] of chain.entries()) {
    const seen = { words: false };
    try {
      const answer = await candidate.open().generate(
        { ...request, model: candidate.model },
        {
          signal: control.signal,
          onDelta: (delta) => {
            seen.words = true;
            control.onDelta(delta);
          },
        },
      );
      return { answer, candidate, failed: failures.map((failure) => failure.label) };
    } catch (error) {
      if (control.signal.aborted || !PortError.is(error) || !mayMoveOn(error)) throw error;
      failures.push({ label: candidate.label, error });
      const next = chain[index + 1];
      if (next === undefined) break;
      if (seen.words && control.onReset === undefined) break;
      control.onReset?.(`${error.message} Trying ${next.label}.`);
    }
  }
  throw summarise(failures);
}

function mayMoveOn(error: PortError): boolean {
  return (
    movesOn.has(error.code) || (error.code === 'Model.InvalidRequest' && movingReasons.has(error.details['reason']))
  );
}

function summarise(failures: readonly { readonly label: string; readonly error: PortError }[]): PortError {
  const retryable = failures.filter(({ error }) => error.retryable);
  const chosen = retryable[0] ?? failures[0];
  if (chosen === undefined) return new PortError('Model.NotConfigured', 'No model is configured.');
  if (failures.length === 1) return chosen.error;
  const others = failures.filter((failure) => failure !== chosen).map(({ label }) => label);
  const waits = retryable.map(({ error }) => error.retryAfterMs);
  // One that names no time may be back at once: the usual back-off decides then.
  const retryAfterMs = waits.every((wait) => wait !== undefined) ? Math.min(...waits) : Infinity;
  return new PortError(chosen.error.code, `${chosen.error.message} Also tried: ${others.join(', ')}.`, {
    retryable: chosen.error.retryable,
    details: chosen.error.details,
    ...(Number.isFinite(retryAfterMs) ? { retryAfterMs } : {}),
  });
}

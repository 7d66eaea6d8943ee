import { randomUUID } from 'node:crypto';
import type { Answer } from '../../contracts/api.ts';
import type { HermesClient } from './client.ts';
import { pause } from './link.ts';

/** An id for a message that no other message ever has. */
export function newInboundId(): string {
  return `cli-${randomUUID()}`;
}

/** An answer that will not change any more. */
export type FinalAnswer = Answer & { readonly state: 'done' | 'failed' | 'interrupted' };

export interface AwaitOptions {
  readonly signal?: AbortSignal;
  /**
   * Called when the turn waits for a person, again only when what it waits for has changed. Answering `leave` ends the
   * wait with null.
   */
  readonly onWaiting?: (answer: Answer) => Promise<'leave' | 'stay'> | 'leave' | 'stay';
}

/** The service holds the line for this long; longer would only delay noticing a dead connection. */
const holdMs = 30_000;
/** While one decision waits, another may come up; this is how soon it is seen. */
const waitingHoldMs = 5_000;
/** A service that answers at once (a turn that waits for a person, or one that does not hold the line) is not hammered. */
const shortestRoundMs = 300;

/**
 * Waits until the message is answered, for days if need be, through any number of service restarts.
 *
 * @returns null when `onWaiting` said so. Rejects with the signal's reason when aborted.
 */
export async function awaitAnswer(
  client: HermesClient,
  inboundId: string,
  options: AwaitOptions = {},
): Promise<FinalAnswer | null> {
  let told = '';
  for (;;) {
    const askedAt = performance.now();
    const through = told !== '';
    const answer = await client.answer(inboundId, through ? waitingHoldMs : holdMs, {
      signal: options.signal,
      through,
    });
    if (isFinal(answer)) return answer;
    const waits = answer.waitingFor.map((wait) => wait.approvalId).join('\n');
    if (waits !== told) {
      told = waits;
      if (waits !== '' && (await options.onWaiting?.(answer)) === 'leave') return null;
    }
    const early = shortestRoundMs - (performance.now() - askedAt);
    if (early > 0) await pause(early, options.signal);
  }
}

function isFinal(answer: Answer): answer is FinalAnswer {
  return answer.state === 'done' || answer.state === 'failed' || answer.state === 'interrupted';
}

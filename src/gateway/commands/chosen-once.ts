import type { Store } from '../../store/ports.ts';
import type { CommandCall } from '../inbound/speaker.ts';

interface Choice {
  readonly conversationId: string;
  /** Which turn, which question. */
  readonly what: string;
}

/**
 * What a command acts on, chosen when it was first carried out: a repeat after a crash acts on the same and not on what
 * has taken its place since. Rejects as `choose` does; then nothing is written down.
 */
export async function chosenOnce(
  store: Store,
  call: Pick<CommandCall, 'key' | 'name'>,
  choose: () => Promise<Choice>,
): Promise<Choice> {
  const key = `command:${call.key}`;
  const known = await store.idempotency.find(key);
  if (known !== null) return { conversationId: known.conversationId, what: known.inboundId };
  const { conversationId, what } = await choose();
  await store.idempotency.reserve({ key, requestHash: call.name, inboundId: what, conversationId });
  return { conversationId, what };
}

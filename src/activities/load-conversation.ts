import type { LoadConversationInput, LoadConversationResult } from '../contracts/activities.ts';
import { PortError } from '../lib/port-error.ts';
import type { ActivityDeps } from './deps.ts';

export async function loadConversation(
  deps: Pick<ActivityDeps, 'store' | 'log'>,
  input: LoadConversationInput,
): Promise<LoadConversationResult> {
  const row = await deps.store.conversations.get(input.conversationId);
  if (row === null) {
    throw new PortError('Internal.Invariant', `conversation ${input.conversationId} is not in the store`, {
      retryable: false,
    });
  }
  await endOrphan(deps, input.conversationId);
  return { lastTurn: row.lastTurn, title: row.title, usage: row.usage };
}

/**
 * A run that starts from the store has no run before it, so a turn that still counts as running was cut off with its
 * workflow (terminated by hand, or lost with Temporal's file). It ends here, so that its transcript is whole again.
 */
async function endOrphan(deps: Pick<ActivityDeps, 'store' | 'log'>, conversationId: string): Promise<void> {
  const last = await deps.store.turns.last(conversationId);
  if (last?.state !== 'running') return;
  deps.log.warn({ conversationId, turn: last.turn }, 'a turn lost its workflow; ending it');
  await deps.store.turns.finalise({
    conversationId,
    turn: last.turn,
    state: 'interrupted',
    inboundIds: [],
    notice: 'This turn was cut off; what it had started may or may not have finished.',
    errorCode: null,
  });
}

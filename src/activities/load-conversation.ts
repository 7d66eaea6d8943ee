import type { LoadConversationInput, LoadConversationResult } from '../contracts/activities.ts';
import { PortError } from '../lib/port-error.ts';
import type { ActivityDeps } from './deps.ts';

export async function loadConversation(
  deps: Pick<ActivityDeps, 'store'>,
  input: LoadConversationInput,
): Promise<LoadConversationResult> {
  const row = await deps.store.conversations.get(input.conversationId);
  if (row === null) {
    throw new PortError('Internal.Invariant', `conversation ${input.conversationId} is not in the store`, {
      retryable: false,
    });
  }
  return { lastTurn: row.lastTurn, title: row.title, usage: row.usage };
}

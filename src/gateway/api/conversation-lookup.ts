import type { ConversationView } from '../../contracts/api.ts';
import type { ConversationRow } from '../../store/ports.ts';
import { Refusal } from '../refusal.ts';
import type { ApiContext } from './deps.ts';
import { conversationView } from './views.ts';

/** Rejects with a Refusal when the person has no such conversation. */
export async function findConversation(context: ApiContext, idOrName: string): Promise<ConversationRow> {
  const row = await context.store.conversations.find(context.personId, idOrName);
  if (row !== null) return row;
  throw new Refusal('Api.NotFound', `There is no conversation "${idOrName}".`, {
    hint: 'List them with `hermes conversations list`.',
  });
}

export async function viewOf(context: ApiContext, row: ConversationRow): Promise<ConversationView> {
  const [current, turn] = await Promise.all([
    context.store.conversations.current(context.personId),
    context.store.turns.last(row.id),
  ]);
  return conversationView(row, { current: current.id === row.id, running: turn?.state === 'running' });
}

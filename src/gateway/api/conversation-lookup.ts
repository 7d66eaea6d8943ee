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

/** Rejects with a Refusal while a turn runs or a message is about to start one. */
export async function refuseWhileBusy(context: ApiContext, row: ConversationRow, what: string): Promise<void> {
  const [turn, pending] = await Promise.all([context.store.turns.last(row.id), context.store.inbox.pending(row.id)]);
  if (turn?.state !== 'running' && pending.length === 0) return;
  throw new Refusal('Api.Conflict', `A turn runs in this conversation; ${what} is possible when it has ended.`, {
    hint: 'Wait for it or interrupt it (/stop).',
  });
}

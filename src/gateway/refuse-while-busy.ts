import type { Store } from '../store/ports.ts';
import { Refusal } from './refusal.ts';

/** Rejects with a Refusal while a turn runs or a message is about to start one. */
export async function refuseWhileBusy(store: Store, conversationId: string, what: string): Promise<void> {
  const [turn, pending] = await Promise.all([store.turns.last(conversationId), store.inbox.pending(conversationId)]);
  if (turn?.state !== 'running' && pending.length === 0) return;
  throw new Refusal('Api.Conflict', `A turn runs in this conversation; ${what} is possible when it has ended.`, {
    hint: 'Wait for it or interrupt it (/stop).',
  });
}

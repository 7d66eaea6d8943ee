import type { Snapshot } from '../../contracts/api.ts';
import type { StreamEvent } from '../../contracts/stream.ts';
import { Refusal } from '../refusal.ts';
import type { ApiContext } from './deps.ts';
import type { EventStream } from './event-stream.ts';
import { approvalView, conversationView, messageView } from './views.ts';

/**
 * Shows one conversation as it goes on: snapshot, backlog of the turn in progress, then every event, without a gap: the
 * subscription is made first, and a turn that ends while the store is read makes it read again.
 */
export async function watchConversation(
  context: ApiContext,
  conversationId: string,
  stream: EventStream,
): Promise<void> {
  let missed: StreamEvent[] | null = [];
  const unsubscribe = context.bus.subscribe(conversationId, (event) => {
    if (event.kind === 'outbox') return;
    if (missed === null) stream.send(event, 'live');
    else missed.push(event);
  });
  stream.signal.addEventListener('abort', unsubscribe, { once: true });
  let snapshot: Snapshot;
  do {
    missed = [];
    snapshot = await readSnapshot(context, conversationId);
  } while (missed.some(endsTurn) && !stream.signal.aborted);
  stream.send(snapshot, 'snapshot');
  // In one go with going live: what was missed so far is part of the backlog.
  stream.send(context.bus.backlog(conversationId), 'backlog');
  missed = null;
  await untilAborted(stream.signal);
}

/** Rejects with a Refusal when the conversation is gone. */
async function readSnapshot(context: ApiContext, conversationId: string): Promise<Snapshot> {
  const { store, personId } = context;
  const [row, current, turn, messages, approvals, pending] = await Promise.all([
    store.conversations.get(conversationId),
    store.conversations.current(personId),
    store.turns.last(conversationId),
    store.transcript.page(conversationId, { limit: 50 }),
    store.approvals.list({ state: 'waiting', conversationId, limit: 100 }),
    store.inbox.pending(conversationId),
  ]);
  if (row === null) throw new Refusal('Api.NotFound', `There is no conversation ${conversationId} (any more).`);
  const state = { current: current.id === row.id, running: turn?.state === 'running' };
  return {
    conversation: conversationView(row, state),
    messages: messages.map(messageView),
    approvals: approvals.map(approvalView),
    pending: pending.map(({ id, text, receivedAt }) => ({ inboundId: id, text, receivedAt })),
  };
}

function endsTurn(event: StreamEvent): boolean {
  return event.kind === 'turn-finished';
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

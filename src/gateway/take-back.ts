import { createHash } from 'node:crypto';
import type { ConversationRow, Store } from '../store/ports.ts';
import { refuseWhileBusy } from './refuse-while-busy.ts';
import { Refusal } from './refusal.ts';

/** The turn that `what` would take back. Rejects with a Refusal while a turn runs, or when there is none. */
export async function turnToTakeBack(store: Store, row: ConversationRow, what: string): Promise<number> {
  await refuseWhileBusy(store, row.id, what);
  const turn = await store.turns.last(row.id);
  if (turn !== null) return turn.turn;
  throw new Refusal('Api.Conflict', `There is no turn to ${what}.`);
}

/**
 * The turn to ask again, and the id its message is sent again under. It is noted down before the turn is hidden: when the
 * service dies between hiding and sending, the next retry finishes that one instead of taking back one turn more.
 * Rejects as `turnToTakeBack` does.
 */
export async function turnToRetry(store: Store, row: ConversationRow): Promise<{ turn: number; inboundId: string }> {
  await refuseWhileBusy(store, row.id, 'retry');
  const begun = row.lastTurn > 0 ? await store.idempotency.find(retryKey(row.id, row.lastTurn)) : null;
  if (begun !== null && (await store.inbox.get(begun.inboundId)) === null) {
    return { turn: row.lastTurn, inboundId: begun.inboundId };
  }
  const turn = await turnToTakeBack(store, row, 'retry');
  const inboundId = retryId(row.id, turn);
  const entry = { requestHash: 'retry', inboundId, conversationId: row.id };
  await store.idempotency.reserve({ key: retryKey(row.id, turn), ...entry });
  return { turn, inboundId };
}

/** Hides a turn and returns what it was asked. Idempotent. Rejects with a Refusal when that was nothing. */
export async function takeBackToAskAgain(store: Store, conversationId: string, turn: number): Promise<string> {
  const text = await store.transcript.hideTurn(conversationId, turn);
  if (text.trim() === '') throw new Refusal('Api.Conflict', 'The last turn holds no message to send again.');
  return text;
}

function retryKey(conversationId: string, turn: number): string {
  return `retry:${conversationId}/${String(turn)}`;
}

/** A turn is taken back once, so its number makes the id of its retry unique. */
function retryId(conversationId: string, turn: number): string {
  const hash = createHash('sha256').update(retryKey(conversationId, turn)).digest('hex');
  return `retry-${hash.slice(0, 32)}`;
}

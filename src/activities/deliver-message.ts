import type { DeliverMessageInput, DeliverMessageResult } from '../contracts/activities.ts';
import type { ActivityDeps } from './deps.ts';
import { clip } from './plan-calls.ts';

/**
 * Puts a turn's answer or a question into the outbox, whose sender brings it to its chat: in order, in parts, for as long
 * as it takes. Idempotent by (conversation, turn) or by the question: what is there already is not put there again.
 */
export async function deliverMessage(
  deps: Pick<ActivityDeps, 'store' | 'bus' | 'redact'>,
  input: DeliverMessageInput,
  signal: AbortSignal,
): Promise<DeliverMessageResult> {
  const { conversationId, turn, what } = input;
  const text = deps.redact(await textOf(deps, input));
  if (text === '') return { state: 'sent', preview: '' };
  // The person may have gone elsewhere since the turn began.
  const to = (await deps.store.handoffs.to(conversationId, turn)) ?? input.to;
  signal.throwIfAborted();
  const common = { to, conversationId, turn, text };
  await deps.store.outbox.enqueue(
    what.kind === 'answer'
      ? { ...common, kind: 'text', id: `${conversationId}/${String(turn)}` }
      : { ...common, kind: 'ask', id: what.approvalId, approvalId: what.approvalId },
  );
  // Losing it costs a second: the sender looks for itself.
  deps.bus.publish({ conversationId, turn, kind: 'outbox' });
  return { state: 'queued', preview: clip(text, 120) };
}

/** Of a question the words only: how its choices are shown is the platform's matter. */
async function textOf(deps: Pick<ActivityDeps, 'store'>, input: DeliverMessageInput): Promise<string> {
  if (input.what.kind === 'ask') {
    const ask = await deps.store.approvals.get(input.what.approvalId);
    return ask === null ? '' : [ask.title, ask.detail].filter((part) => part !== '').join('\n\n');
  }
  const turn = await deps.store.turns.get(input.conversationId, input.turn);
  return turn?.answer ?? '';
}

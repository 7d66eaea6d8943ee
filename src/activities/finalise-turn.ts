import type { FinaliseTurnInput } from '../contracts/activities.ts';
import type { ActivityDeps } from './deps.ts';

/** Ends a turn that has no final answer and tells whoever watches. Idempotent. */
export async function finaliseTurn(deps: ActivityDeps, input: FinaliseTurnInput): Promise<void> {
  const { conversationId, turn, outcome } = input;
  const row = await deps.store.turns.finalise({
    conversationId,
    turn,
    state: outcome,
    inboundIds: input.inboundIds,
    notice: deps.redact(input.message ?? (outcome === 'failed' ? 'The turn failed.' : 'Stopped.')),
    errorCode: input.code ?? null,
  });
  deps.bus.publish({
    conversationId,
    turn,
    kind: 'turn-finished',
    outcome: row.state === 'failed' ? 'failed' : row.state === 'done' ? 'done' : 'interrupted',
    inboundIds: row.inboundIds,
  });
  deps.log.warn({ conversationId, turn, outcome, failureType: input.code }, 'turn ended without an answer');
}

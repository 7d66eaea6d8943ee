import type { Decision, DecisionScope } from '../contracts/conversation.ts';
import type { ApprovalRow, Store } from '../store/ports.ts';
import type { StreamBus } from '../stream/bus.ts';
import { Refusal } from './refusal.ts';
import type { Relay } from './relay.ts';

export interface DecideMessage {
  readonly approvalId: string;
  readonly decision: Decision;
  readonly scope: DecisionScope;
  /** The words of an answer, or the reason of a refusal. */
  readonly answer: string | null;
  /** Who decided, for the record. */
  readonly by: string;
  /** Whether they may let the agent spend more; absent: yes, as its owner. */
  readonly isAdmin?: boolean;
}

/**
 * Records a person's word, tells the workflow and the watchers.
 * Contract: durable once it resolves, whether or not the workflow could be told: the relay sees to that. `decided` is
 * false when it was decided or closed before, and `row` says how. Rejects with a Refusal (unknown, the wrong kind of
 * answer, not theirs to decide) or a PortError `Storage.*`.
 */
export type Decide = (message: DecideMessage) => Promise<{ decided: boolean; row: ApprovalRow }>;

export function createDecide(deps: { store: Store; relay: Relay; bus: StreamBus }): Decide {
  return async (message) => {
    const asked = await deps.store.approvals.get(message.approvalId);
    if (asked === null) throw new Refusal('Api.NotFound', `Nothing was ever asked under ${message.approvalId}.`);
    if (asked.state !== 'waiting') return { decided: false, row: asked };
    checkFits(asked, message);
    const { decided, row } = await deps.store.approvals.decide({
      id: asked.id,
      decision: message.decision,
      // Without a rule to remember there is nothing for a wider scope to mean.
      scope: asked.ruleKey === null ? 'once' : message.scope,
      answer: message.answer,
      by: message.by,
    });
    if (decided) {
      deps.relay.tell(row);
      deps.bus.publish({
        conversationId: row.conversationId,
        turn: row.turn,
        kind: 'decided',
        approvalId: row.id,
        decision: message.decision,
      });
    }
    return { decided, row };
  };
}

function checkFits(asked: ApprovalRow, message: DecideMessage): void {
  if (asked.kind === 'budget' && message.decision === 'approve' && message.isAdmin === false) {
    throw new Refusal('Api.Unauthorized', 'Only an admin of this agent can let it spend more.');
  }
  if (asked.kind !== 'question') {
    if (message.decision !== 'answer') return;
    throw new Refusal('Api.Invalid', `"${asked.title}" wants approve or deny, not an answer.`, { param: 'decision' });
  }
  if (message.decision === 'approve') {
    const hint = 'Send the decision "answer" with the text in "answer", or "deny" to refuse to answer.';
    throw new Refusal('Api.Invalid', `"${asked.title}" is a question and wants an answer.`, {
      hint,
      param: 'decision',
    });
  }
  if (message.decision === 'answer' && (message.answer ?? '').trim() === '') {
    throw new Refusal('Api.Invalid', 'An answer needs words.', { param: 'answer' });
  }
}

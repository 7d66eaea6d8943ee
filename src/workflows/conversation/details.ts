import { setCurrentDetails } from '@temporalio/workflow';
import type { ConversationSnapshot } from '../../contracts/conversation.ts';
import type { ConversationState } from './conversation-state.ts';

/** Writes what a person wants to see into the workflow's details panel. Costs no history. */
export function showDetails(state: ConversationState): void {
  setCurrentDetails(renderDetails(state.title, state.snapshot()));
}

/** @returns Markdown. */
export function renderDetails(title: string, snapshot: ConversationSnapshot): string {
  const lines = [
    `### ${title === '' ? snapshot.conversationId : title}`,
    '',
    `**${phaseWords(snapshot)}** · ${String(snapshot.usage.inputTokens + snapshot.usage.outputTokens)} tokens · $${snapshot.usage.costUsd.toFixed(4)}`,
  ];
  if (snapshot.waiting.length > 0) {
    lines.push('', 'Waiting for you:', '', ...snapshot.waiting.map((one) => `- ${one.title} (\`${one.approvalId}\`)`));
  }
  if (snapshot.queue.length > 0) {
    lines.push('', 'Queued messages:', '', ...snapshot.queue.map((one) => `- ${one.preview} _(${one.platform})_`));
  }
  return lines.join('\n');
}

function phaseWords(snapshot: ConversationSnapshot): string {
  const where = snapshot.turn === null ? '' : `, turn ${String(snapshot.turn)}, step ${String(snapshot.step ?? 0)}`;
  return `${snapshot.phase}${where}`;
}

import type { OutboxButton } from '../../store/outbox-ports.ts';
import type { ApprovalRow } from '../../store/ports.ts';

/** How a question is asked: words below it, and buttons where they fit. */
export interface AskedChoices {
  /** Markdown; maybe empty. */
  readonly words: string;
  readonly buttons: readonly OutboxButton[];
}

/** What still reads well on a button. */
const longestLabel = 30;

/** @param most buttons of one message; 0: none, people type. */
export function choicesOf(approval: Pick<ApprovalRow, 'kind' | 'choices' | 'ruleKey'>, most: number): AskedChoices {
  return approval.kind === 'question' ? ofQuestion(approval.choices, most) : ofApproval(approval, most);
}

function ofQuestion(choices: readonly string[], most: number): AskedChoices {
  if (choices.length === 0) return { words: '', buttons: [] };
  const fits = choices.length <= most;
  const short = choices.every((choice) => choice.length <= longestLabel);
  const list = choices.map((choice, index) => `${index + 1}. ${choice}`).join('\n');
  return {
    words: fits && short ? '' : `${list}\n\nAnswer with a number or in your own words.`,
    buttons: fits
      ? choices.map((answer, index) => ({ label: short ? answer : String(index + 1), decision: 'answer', answer }))
      : [],
  };
}

const deny: OutboxButton = { label: 'Deny', decision: 'deny' };
const once: OutboxButton = { label: 'Approve', decision: 'approve', scope: 'once' };
const wider: readonly OutboxButton[] = [
  { label: 'This conversation', decision: 'approve', scope: 'conversation' },
  { label: 'Always', decision: 'approve', scope: 'always' },
];

function ofApproval({ ruleKey }: Pick<ApprovalRow, 'ruleKey'>, most: number): AskedChoices {
  const lasting = ruleKey === null ? [] : wider;
  const words = lasting.length === 0 ? 'Answer yes or no.' : 'Answer yes, for this conversation, always or no.';
  if (most < 2) return { words, buttons: [] };
  const shown = lasting.slice(0, most - 2);
  return { words: shown.length < lasting.length ? words : '', buttons: [once, ...shown, deny] };
}

/** One line: how it was decided. */
export function verdictOf(approval: Pick<ApprovalRow, 'state' | 'scope' | 'answer'>): string {
  switch (approval.state) {
    case 'approved':
      return `✅ Approved${reach[approval.scope ?? 'once']}`;
    case 'denied':
      return '❌ Denied';
    case 'answered':
      return `✅ ${oneLine(approval.answer ?? 'Answered')}`;
    case 'closed':
    case 'waiting':
      return 'No longer needed';
  }
}

const reach = { once: '', conversation: ' for this conversation', always: ', always' } as const;

function oneLine(text: string): string {
  const line = text.replace(/\s+/gu, ' ').trim();
  return line.length <= 60 ? line : `${line.slice(0, 59)}…`;
}

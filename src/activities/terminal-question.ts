import { createHash } from 'node:crypto';
import type { ExecuteToolInput, ExecuteToolResult } from '../contracts/activities.ts';
import type { JsonValue } from '../contracts/json.ts';
import { approvalId } from '../domain/ids.ts';
import { PortError } from '../lib/port-error.ts';
import type { ActivityDeps } from './deps.ts';
import { clip } from './plan-calls.ts';

/** What a person must decide before the terminal can be used. */
export interface TerminalQuestion {
  /** Names exactly what is asked: an approval holds for these details and for no others. */
  readonly id: string;
  readonly title: string;
  readonly detail: string;
  readonly details: Readonly<Record<string, JsonValue>>;
}

const titles: Readonly<Record<string, string>> = {
  'trust-host-key': 'Trust the host key of the machine for commands?',
  'recreate-environment': 'The environment for commands is gone. Make a new, empty one?',
};

/**
 * Null for every other failure. Calls of one turn that meet the same obstacle ask one question.
 */
export function terminalQuestionOf(
  { conversationId, turn }: Pick<ExecuteToolInput, 'conversationId' | 'turn'>,
  error: unknown,
): TerminalQuestion | null {
  if (!PortError.is(error) || error.code !== 'Terminal.NeedsDecision') return null;
  const { details, message } = error;
  const canonical = JSON.stringify(Object.entries(details).sort(([one], [other]) => (one < other ? -1 : 1)));
  const mark = createHash('sha256').update(canonical).digest('hex').slice(0, 12);
  const { ask, title: own } = details;
  const title = typeof own === 'string' ? own : ((typeof ask === 'string' ? titles[ask] : undefined) ?? 'Go on?');
  return { id: approvalId(`${conversationId}/${String(turn)}/terminal/${mark}`), title, detail: message, details };
}

export interface TerminalAnswer {
  readonly approved: boolean;
  readonly reason?: string;
}

/** The person's word, as the workflow brings it or as it is recorded; null while there is none. */
export async function answerTo(
  deps: Pick<ActivityDeps, 'store'>,
  input: ExecuteToolInput,
  question: TerminalQuestion,
): Promise<TerminalAnswer | null> {
  const brought = input.terminalDecision;
  if (brought?.approvalId === question.id) {
    return {
      approved: brought.decision === 'approve',
      ...(brought.answer === undefined ? {} : { reason: brought.answer }),
    };
  }
  const row = await deps.store.approvals.get(question.id);
  if (row === null || row.state === 'waiting') return null;
  return { approved: row.state === 'approved', ...(row.answer === null ? {} : { reason: row.answer }) };
}

/** Writes the question down and tells whoever watches. Idempotent. @returns what the workflow waits for. */
export async function askTerminalQuestion(
  deps: Pick<ActivityDeps, 'store' | 'bus' | 'redact'>,
  input: ExecuteToolInput,
  question: TerminalQuestion,
): Promise<NonNullable<ExecuteToolResult['ask']>> {
  const { conversationId, turn } = input;
  const title = deps.redact(question.title);
  const detail = deps.redact(question.detail);
  const choices = ['approve', 'deny'];
  await deps.store.approvals.ask({
    id: question.id,
    conversationId,
    turn,
    kind: 'approval',
    title,
    detail,
    choices,
    tool: null,
    ruleKey: null,
    callKey: null,
  });
  deps.bus.publish({
    conversationId,
    turn,
    kind: 'asked',
    approvalId: question.id,
    ask: 'approval',
    title,
    detail,
    choices,
  });
  return { approvalId: question.id, kind: 'approval', title: clip(title, 200) };
}

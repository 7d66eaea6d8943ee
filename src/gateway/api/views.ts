import type { Answer, ApprovalView, ConversationView, MessageView } from '../../contracts/api.ts';
import type { ApprovalRow, ConversationRow, MessageRow, TurnRow } from '../../store/ports.ts';

/** How rows of the store look to clients. */
export function conversationView(
  row: ConversationRow,
  state: { readonly current: boolean; readonly running: boolean },
): ConversationView {
  return {
    id: row.id,
    name: row.name,
    title: row.title,
    platform: row.platform,
    model: row.model,
    busyMode: row.busyMode,
    lastTurn: row.lastTurn,
    messageCount: row.messageCount,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    usage: { ...row.usage },
    ...state,
  };
}

export function messageView(row: MessageRow): MessageView {
  return {
    id: row.id,
    turn: row.turn,
    step: row.step,
    role: row.role,
    text: row.text,
    toolCalls: row.toolCalls.map((call) => ({ ...call })),
    toolName: row.toolName,
    toolStatus: row.toolStatus,
    speaker: row.speaker,
    createdAt: row.createdAt,
  };
}

export function approvalView(row: ApprovalRow): ApprovalView {
  return {
    id: row.id,
    kind: row.kind,
    conversationId: row.conversationId,
    turn: row.turn,
    title: row.title,
    detail: row.detail,
    choices: [...row.choices],
    state: row.state,
    askedAt: row.askedAt,
    decidedAt: row.decidedAt,
  };
}

/** The answer to a message as far as it goes; `turn` is null while no turn has taken it. */
export function answerView(
  conversationId: string,
  turn: TurnRow | null,
  text: string,
  waiting: readonly ApprovalRow[],
): Answer {
  return {
    state: answerState(turn, waiting),
    conversationId,
    turn: turn?.turn ?? null,
    text,
    model: turn?.model ?? null,
    usage: turn === null ? { inputTokens: 0, outputTokens: 0, costUsd: 0 } : { ...turn.usage },
    toolCalls: (turn?.toolCalls ?? []).map((call) => ({
      callKey: call.callKey,
      name: call.name,
      summary: call.summary,
      status: call.status ?? call.state,
      durationMs: call.durationMs,
    })),
    durationMs: turn === null || turn.endedAt === null ? null : Date.parse(turn.endedAt) - Date.parse(turn.startedAt),
    errorCode: turn?.errorCode ?? null,
    waitingFor: waiting.map((row) => ({ approvalId: row.id, kind: row.kind, title: row.title })),
  };
}

function answerState(turn: TurnRow | null, waiting: readonly ApprovalRow[]): Answer['state'] {
  if (turn === null || turn.state === 'running') return waiting.length > 0 ? 'waiting' : 'pending';
  // A turn that was taken back had ended before.
  if (turn.state === 'undone') return turn.answer === null ? 'interrupted' : 'done';
  return turn.state;
}

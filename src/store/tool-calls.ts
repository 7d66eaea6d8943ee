import type { EffectClass, ToolStatus } from '../domain/effect.ts';
import { PortError } from '../lib/port-error.ts';
import { now, type Database, type Sql } from './database.ts';
import type { PlannedCallRow, ToolCallRepository, ToolCallRow } from './ports.ts';
import { addMessage, slots } from './transcript.ts';

/** The table's row: the port's, with plain strings, and `durationMs` beside it. */
interface ToolCallRecord extends Omit<ToolCallRow, 'effect' | 'state' | 'status'> {
  readonly effect: string;
  readonly state: string;
  readonly status: string | null;
}

export function toolCallRepository(database: Database): ToolCallRepository {
  return {
    get: (callKey) => database.read((sql) => findCall(sql, callKey) ?? null),
    start: (callKey) => database.write((sql) => start(sql, callKey)),
    postpone: (callKey) =>
      database.write((sql) => {
        sql.run(
          `UPDATE ToolCall SET state = 'planned', attempts = attempts - 1, startedAt = NULL
           WHERE callKey = :callKey AND state = 'started'`,
          { callKey },
        );
      }),
    finish: (callKey, result) => database.write((sql) => finish(sql, callKey, result)),
    uncertain: (limit) =>
      database.query(async (prisma) => {
        const rows = await prisma.toolCall.findMany({
          where: { status: 'uncertain' },
          orderBy: [{ endedAt: 'desc' }, { callKey: 'desc' }],
          take: limit,
        });
        return rows.map(toolCallFrom);
      }),
  };
}

/** Inside a transaction: writes down what a step wants to do. */
export function planToolCalls(
  sql: Sql,
  step: { conversationId: string; turn: number; step: number },
  calls: readonly PlannedCallRow[],
): void {
  for (const call of calls) {
    sql.run(
      `INSERT INTO ToolCall (callKey, conversationId, turn, step, "index", toolCallId, name, argumentsText, summary,
         effect, timeoutMs)
       VALUES (:callKey, :conversationId, :turn, :step, :index, :toolCallId, :name, :argumentsText, :summary,
         :effect, :timeoutMs)`,
      {
        ...step,
        callKey: call.callKey,
        index: call.index,
        toolCallId: call.toolCallId,
        name: call.name,
        argumentsText: call.argumentsText,
        summary: call.summary,
        effect: call.effect,
        timeoutMs: call.timeoutMs,
      },
    );
  }
}

function start(sql: Sql, callKey: string): ToolCallRow {
  const before = requireCall(sql, callKey);
  if (before.state === 'done') return before;
  sql.run(
    `UPDATE ToolCall SET state = 'started', attempts = attempts + 1, startedAt = ifnull(startedAt, :at)
     WHERE callKey = :callKey`,
    { callKey, at: now() },
  );
  return before;
}

function finish(sql: Sql, callKey: string, result: Parameters<ToolCallRepository['finish']>[1]): ToolCallRow {
  const call = requireCall(sql, callKey);
  if (call.state === 'done') return call;
  const at = now();
  sql.run(
    `UPDATE ToolCall SET state = 'done', status = :status, preview = :preview, durationMs = :durationMs, endedAt = :at
     WHERE callKey = :callKey`,
    { callKey, status: result.status, preview: result.preview, durationMs: Math.round(result.durationMs), at },
  );
  const { conversationId, turn, step } = call;
  const person = sql.get<{ personId: string }>('SELECT personId FROM Conversation WHERE id = :conversationId', {
    conversationId,
  }) as { personId: string };
  const added = addMessage(sql, {
    conversationId,
    personId: person.personId,
    turn,
    step,
    slot: slots.toolResult(call.index),
    role: 'tool',
    text: result.text,
    toolCallId: call.toolCallId,
    toolName: call.name,
    toolStatus: result.status,
    speaker: call.name,
  });
  if (added) {
    sql.run('UPDATE Conversation SET messageCount = messageCount + 1, updatedAt = :at WHERE id = :conversationId', {
      conversationId,
      at,
    });
  }
  return requireCall(sql, callKey);
}

function findCall(sql: Sql, callKey: string): ToolCallRow | undefined {
  const row = sql.get<ToolCallRecord>('SELECT * FROM ToolCall WHERE callKey = :callKey', { callKey });
  return row === undefined ? undefined : toolCallFrom(row);
}

function requireCall(sql: Sql, callKey: string): ToolCallRow {
  const row = findCall(sql, callKey);
  if (row !== undefined) return row;
  throw new PortError('Storage.Conflict', 'This tool call is not in the store (any more).', {
    retryable: false,
    details: { callKey },
  });
}

function toolCallFrom(row: ToolCallRecord): ToolCallRow {
  return {
    callKey: row.callKey,
    index: row.index,
    toolCallId: row.toolCallId,
    name: row.name,
    argumentsText: row.argumentsText,
    summary: row.summary,
    effect: row.effect as EffectClass,
    timeoutMs: row.timeoutMs,
    conversationId: row.conversationId,
    turn: row.turn,
    step: row.step,
    state: row.state as ToolCallRow['state'],
    status: row.status as ToolStatus | null,
    preview: row.preview,
    attempts: row.attempts,
    startedAt: row.startedAt,
    endedAt: row.endedAt,
  };
}

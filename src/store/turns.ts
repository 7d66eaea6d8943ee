import type { RawToolCall } from '../models/provider.ts';
import { closeApprovals } from './approvals.ts';
import { requireConversation } from './conversations.ts';
import { now, type Database, type Sql, type SqlValues } from './database.ts';
import { ownInbound, takeInbound } from './inbox.ts';
import type { TurnRepository, TurnRow } from './ports.ts';
import { addMessage, slots } from './transcript.ts';

interface TurnRecord extends Omit<TurnRow, 'inboundIds' | 'usage' | 'toolCalls'> {
  readonly inboundIds: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costUsd: number;
}

export function turnRepository(database: Database): TurnRepository {
  return {
    get: (conversationId, turn) => database.read((sql) => findTurn(sql, conversationId, turn) ?? null),
    ofInbound: (inboundId) =>
      database.read((sql) => {
        const row = sql.get<TurnRecord>(
          `SELECT t.* FROM Inbound i JOIN Turn t ON t.conversationId = i.conversationId AND t.turn = i.turn
           WHERE i.id = :inboundId`,
          { inboundId },
        );
        return row === undefined ? null : turnFrom(sql, row);
      }),
    last: (conversationId) =>
      database.read((sql) => {
        // Turn 0 is what an imported talk brought along, and what was undone is no longer part of it.
        const row = sql.get<TurnRecord>(
          `SELECT * FROM Turn WHERE conversationId = :conversationId AND turn > 0 AND state <> 'undone'
           ORDER BY turn DESC LIMIT 1`,
          { conversationId },
        );
        return row === undefined ? null : turnFrom(sql, row);
      }),
    running: () =>
      database.read((sql) =>
        sql
          .all<TurnRecord>(`SELECT * FROM Turn WHERE state = 'running' ORDER BY startedAt`)
          .map((row) => turnFrom(sql, row)),
      ),
    finalise: (end) => database.write((sql) => finalise(sql, end)),
  };
}

/** Inside a transaction: the turn with its calls, or undefined. */
function findTurn(sql: Sql, conversationId: string, turn: number): TurnRow | undefined {
  const row = sql.get<TurnRecord>('SELECT * FROM Turn WHERE conversationId = :conversationId AND turn = :turn', {
    conversationId,
    turn,
  });
  return row === undefined ? undefined : turnFrom(sql, row);
}

/** Inside a transaction: the turn's state, undefined when it has not begun. */
export function turnState(sql: Sql, conversationId: string, turn: number): TurnRow['state'] | undefined {
  return sql.get<{ state: TurnRow['state'] }>(
    'SELECT state FROM Turn WHERE conversationId = :conversationId AND turn = :turn',
    { conversationId, turn },
  )?.state;
}

/** Inside a transaction: makes the turn if it is new and returns its state. */
export function beginTurn(sql: Sql, conversationId: string, turn: number): TurnRow['state'] {
  const state = turnState(sql, conversationId, turn);
  if (state !== undefined) return state;
  sql.run('INSERT INTO Turn (conversationId, turn, startedAt) VALUES (:conversationId, :turn, :at)', {
    conversationId,
    turn,
    at: now(),
  });
  return 'running';
}

/** Inside a transaction: notes what came into the transcript, on the turn and on its conversation. */
export function noteTaken(
  sql: Sql,
  at: { conversationId: string; turn: number },
  inboundIds: readonly string[],
  messages: number,
): void {
  if (inboundIds.length > 0) {
    sql.run(
      `UPDATE Turn SET inboundIds = (
         SELECT json_group_array(value) FROM (
           SELECT value FROM json_each(Turn.inboundIds) UNION ALL SELECT value FROM json_each(:ids)))
       WHERE conversationId = :conversationId AND turn = :turn`,
      { ...at, ids: JSON.stringify(inboundIds) },
    );
  }
  sql.run(
    `UPDATE Conversation SET lastTurn = max(lastTurn, :turn), messageCount = messageCount + :messages, updatedAt = :now
     WHERE id = :conversationId`,
    { ...at, messages, now: now() },
  );
}

function finalise(sql: Sql, end: Parameters<TurnRepository['finalise']>[0]): TurnRow {
  const { conversationId, turn } = end;
  const key = { conversationId, turn };
  const { personId } = requireConversation(sql, conversationId);
  if (beginTurn(sql, conversationId, turn) !== 'running') return findTurn(sql, conversationId, turn) as TurnRow;

  const closedCalls = closeOpenCalls(sql, key, personId);
  const last = sql.get<{ step: number | null }>(
    'SELECT max(step) AS step FROM Message WHERE conversationId = :conversationId AND turn = :turn',
    key,
  )?.step;
  // What no step has taken in comes after all that was said and done.
  const fresh = { ...key, step: last === null || last === undefined ? 0 : last + 1 };
  const taken = takeInbound(sql, fresh, ownInbound(sql, key, end.inboundIds));
  const noticeStep = taken.length > 0 ? fresh.step : (last ?? 0);
  const noticed =
    end.notice !== '' &&
    addMessage(sql, {
      ...key,
      personId,
      step: noticeStep,
      slot: slots.notice,
      role: 'notice',
      text: end.notice,
      speaker: 'system',
    });
  closeApprovals(sql, key, end.state);
  sql.run(
    `UPDATE Turn SET state = :state, answer = :notice, errorCode = :errorCode, endedAt = :at
     WHERE conversationId = :conversationId AND turn = :turn`,
    { ...key, state: end.state, notice: end.notice, errorCode: end.errorCode, at: now() },
  );
  noteTaken(sql, key, taken, closedCalls + taken.length + (noticed ? 1 : 0));
  return findTurn(sql, conversationId, turn) as TurnRow;
}

interface Answered extends SqlValues {
  readonly step: number;
  readonly toolCalls: string;
}

/** Gives every call of the turn that has no result one, and returns how many there were. */
function closeOpenCalls(sql: Sql, key: { conversationId: string; turn: number }, personId: string): number {
  const at = now();
  // A call that had begun and must not be repeated: nobody can say whether it took effect.
  sql.run(
    `UPDATE ToolCall SET state = 'done', endedAt = :at,
       status = CASE WHEN state = 'started' AND effect = 'once' THEN 'uncertain' ELSE 'cancelled' END,
       preview = CASE WHEN state = 'started' AND effect = 'once' THEN 'outcome unknown' ELSE 'cancelled' END
     WHERE conversationId = :conversationId AND turn = :turn AND state <> 'done'`,
    { ...key, at },
  );
  const answers = sql.all<Answered>(
    `SELECT step, toolCalls FROM Message
     WHERE conversationId = :conversationId AND turn = :turn AND role = 'assistant' AND toolCalls IS NOT NULL`,
    key,
  );
  let added = 0;
  for (const { step, toolCalls } of answers) {
    const statuses = new Map(
      sql
        .all<{ index: number; status: string }>(
          `SELECT "index", status FROM ToolCall
           WHERE conversationId = :conversationId AND turn = :turn AND step = :step`,
          { ...key, step },
        )
        .map((row) => [row.index, row.status]),
    );
    (JSON.parse(toolCalls) as RawToolCall[]).forEach((call, index) => {
      const uncertain = statuses.get(index) === 'uncertain';
      const isNew = addMessage(sql, {
        ...key,
        personId,
        step,
        slot: slots.toolResult(index),
        role: 'tool',
        text: uncertain
          ? 'Uncertain: this was started and the turn ended before its outcome was known. It was not repeated.'
          : 'Cancelled: the turn ended before this had a result.',
        toolCallId: call.id,
        toolName: call.name,
        toolStatus: uncertain ? 'uncertain' : 'cancelled',
        speaker: call.name,
      });
      if (isNew) added++;
    });
  }
  return added;
}

function turnFrom(sql: Sql, row: TurnRecord): TurnRow {
  return {
    conversationId: row.conversationId,
    turn: row.turn,
    state: row.state,
    inboundIds: JSON.parse(row.inboundIds) as string[],
    steps: row.steps,
    usage: { inputTokens: row.inputTokens, outputTokens: row.outputTokens, costUsd: row.costUsd },
    model: row.model,
    answer: row.answer,
    errorCode: row.errorCode,
    startedAt: row.startedAt,
    endedAt: row.endedAt,
    toolCalls: sql.all(
      `SELECT callKey, name, summary, state, status, durationMs FROM ToolCall
       WHERE conversationId = :conversationId AND turn = :turn ORDER BY step, "index"`,
      { conversationId: row.conversationId, turn: row.turn },
    ),
  };
}

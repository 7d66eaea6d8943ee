import type { RawToolCall } from '../models/provider.ts';
import { PortError } from '../lib/port-error.ts';
import { requireConversation } from './conversations.ts';
import { now, type Database, type Sql } from './database.ts';
import type { MessageRow, TranscriptRepository } from './ports.ts';

/** Where the rows of one step stand: the person's messages from 0, the answer, tool results by call, then notices. */
export const slots = { assistant: 900, toolResult: (index: number) => 1000 + index, notice: 5000 } as const;

interface MessageRecord extends Omit<MessageRow, 'toolCalls'> {
  readonly toolCalls: string | null;
}

const columns = `id, conversationId, turn, step, slot, role, text, reasoning, toolCalls, toolCallId, toolName, toolStatus,
  inboundId, speaker, createdAt`;

export function transcriptRepository(database: Database): TranscriptRepository {
  return {
    load: (conversationId, range) =>
      database.read((sql) =>
        sql
          .all<MessageRecord>(
            `SELECT ${columns} FROM Message
             WHERE conversationId = :conversationId AND turn BETWEEN :from AND :to AND hidden = 0
             ORDER BY turn, step, slot`,
            { conversationId, from: range.fromTurn, to: range.toTurn ?? Number.MAX_SAFE_INTEGER },
          )
          .map(messageFrom),
      ),
    page: (conversationId, page) => database.read((sql) => newestPage(sql, conversationId, page)),
    seed: (conversationId, messages) => database.write((sql) => seed(sql, conversationId, messages)),
    hideTurn: (conversationId, turn) => database.write((sql) => hideTurn(sql, conversationId, turn)),
  };
}

/** A row to add to the transcript; what is left out is null. */
export interface NewMessage {
  readonly conversationId: string;
  readonly personId: string;
  readonly turn: number;
  readonly step: number;
  readonly slot: number;
  readonly role: 'assistant' | 'tool' | 'notice';
  readonly text: string;
  readonly reasoning?: string | null;
  readonly toolCalls?: readonly RawToolCall[];
  readonly toolCallId?: string;
  readonly toolName?: string;
  readonly toolStatus?: string;
  readonly speaker: string;
}

/** Inside a transaction: adds one row unless its place is taken; tells whether it did. */
export function addMessage(sql: Sql, message: NewMessage): boolean {
  const added = sql.run(
    `INSERT INTO Message (conversationId, personId, turn, step, slot, role, text, reasoning, toolCalls, toolCallId,
       toolName, toolStatus, speaker, createdAt)
     VALUES (:conversationId, :personId, :turn, :step, :slot, :role, :text, :reasoning, :toolCalls, :toolCallId,
       :toolName, :toolStatus, :speaker, :at)
     ON CONFLICT (conversationId, turn, step, slot) DO NOTHING`,
    {
      conversationId: message.conversationId,
      personId: message.personId,
      turn: message.turn,
      step: message.step,
      slot: message.slot,
      role: message.role,
      text: message.text,
      reasoning: message.reasoning ?? null,
      toolCalls:
        message.toolCalls === undefined || message.toolCalls.length === 0 ? null : JSON.stringify(message.toolCalls),
      toolCallId: message.toolCallId ?? null,
      toolName: message.toolName ?? null,
      toolStatus: message.toolStatus ?? null,
      speaker: message.speaker,
      at: now(),
    },
  );
  return added > 0;
}

function newestPage(
  sql: Sql,
  conversationId: string,
  page: { limit: number; beforeId?: number },
): readonly MessageRow[] {
  // Ids follow the order of writing; tools of one step may finish in any order, so the place in the talk decides.
  const before =
    page.beforeId === undefined
      ? undefined
      : sql.get<{ turn: number; step: number; slot: number }>(
          'SELECT turn, step, slot FROM Message WHERE id = :id AND conversationId = :conversationId',
          { id: page.beforeId, conversationId },
        );
  if (page.beforeId !== undefined && before === undefined) return [];
  const { turn, step, slot } = before ?? { turn: Number.MAX_SAFE_INTEGER, step: 0, slot: 0 };
  return sql
    .all<MessageRecord>(
      `SELECT ${columns} FROM Message
       WHERE conversationId = :conversationId AND hidden = 0 AND (turn, step, slot) < (:turn, :step, :slot)
       ORDER BY turn DESC, step DESC, slot DESC LIMIT :limit`,
      { conversationId, turn, step, slot, limit: page.limit },
    )
    .map(messageFrom)
    .reverse();
}

function seed(sql: Sql, conversationId: string, messages: Parameters<TranscriptRepository['seed']>[1]): void {
  const { personId } = requireConversation(sql, conversationId);
  const at = now();
  const made = sql.run(
    `INSERT INTO Turn (conversationId, turn, state, startedAt, endedAt) VALUES (:conversationId, 0, 'done', :at, :at)
     ON CONFLICT DO NOTHING`,
    { conversationId, at },
  );
  if (made === 0) return;
  messages.forEach(({ role, text }, slot) => {
    sql.run(
      `INSERT INTO Message (conversationId, personId, turn, step, slot, role, text, speaker, createdAt)
       VALUES (:conversationId, :personId, 0, 0, :slot, :role, :text, :speaker, :at)`,
      { conversationId, personId, slot, role, text, speaker: role === 'user' ? personId : 'assistant', at },
    );
  });
  sql.run('UPDATE Conversation SET messageCount = messageCount + :count, updatedAt = :at WHERE id = :conversationId', {
    conversationId,
    count: messages.length,
    at,
  });
}

function hideTurn(sql: Sql, conversationId: string, turn: number): string {
  const key = { conversationId, turn };
  const state = sql.get<{ state: string }>(
    'SELECT state FROM Turn WHERE conversationId = :conversationId AND turn = :turn',
    key,
  )?.state;
  if (state === undefined || state === 'running') {
    const why = state === undefined ? 'does not exist' : 'is still running';
    throw new PortError('Storage.Conflict', `Turn ${turn} ${why}.`, { retryable: false, details: key });
  }
  const hidden = sql.run(
    'UPDATE Message SET hidden = 1 WHERE conversationId = :conversationId AND turn = :turn AND hidden = 0',
    key,
  );
  sql.run(`UPDATE Turn SET state = 'undone' WHERE conversationId = :conversationId AND turn = :turn`, key);
  sql.run('UPDATE Conversation SET messageCount = messageCount - :hidden, updatedAt = :at WHERE id = :conversationId', {
    conversationId,
    hidden,
    at: now(),
  });
  return sql
    .all<{ text: string }>(
      `SELECT text FROM Message WHERE conversationId = :conversationId AND turn = :turn AND role = 'user'
       ORDER BY step, slot`,
      key,
    )
    .map((row) => row.text)
    .join('\n\n');
}

function messageFrom(row: MessageRecord): MessageRow {
  return { ...row, toolCalls: row.toolCalls === null ? [] : (JSON.parse(row.toolCalls) as RawToolCall[]) };
}

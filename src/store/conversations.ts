import { randomBytes } from 'node:crypto';
import type { BusyMode } from '../domain/busy-mode.ts';
import { PortError } from '../lib/port-error.ts';
import { now, type Database, type Sql, type SqlValue } from './database.ts';
import type { ConversationRepository, ConversationRow } from './ports.ts';

/** The table's row; Prisma and SQLite give it the same shape. */
interface ConversationRecord extends Omit<ConversationRow, 'busyMode' | 'usage'> {
  readonly busyMode: string | null;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costUsd: number;
}

export function conversationRepository(database: Database): ConversationRepository {
  return {
    create: (conversation) => database.write((sql) => create(sql, conversation)),
    get: (id) => database.read((sql) => findConversation(sql, id) ?? null),
    find: (personId, idOrName) => database.read((sql) => find(sql, personId, idOrName)),
    current: (personId) => database.write((sql) => current(sql, personId)),
    setCurrent: (personId, conversationId) => database.write((sql) => setCurrent(sql, personId, conversationId)),
    list: (personId, page) =>
      database.read((sql) =>
        sql
          .all<ConversationRecord>(
            // The id of the last row a caller has is where the next page begins: two rows may share a time.
            `SELECT * FROM Conversation WHERE personId = :personId AND (:before IS NULL
               OR (updatedAt, id) < (SELECT updatedAt, id FROM Conversation WHERE id = :before))
             ORDER BY updatedAt DESC, id DESC LIMIT :limit`,
            { personId, before: page.before ?? null, limit: page.limit },
          )
          .map(conversationFrom),
      ),
    update: (id, change) => database.write((sql) => update(sql, id, change)),
    // Everything that belongs to it goes by foreign keys, and by trigger out of the search index.
    delete: (id) =>
      database.write((sql) => {
        sql.run('DELETE FROM Conversation WHERE id = :id', { id });
      }),
  };
}

/** Inside a transaction: the conversation or undefined. */
function findConversation(sql: Sql, id: string): ConversationRow | undefined {
  const row = sql.get<ConversationRecord>('SELECT * FROM Conversation WHERE id = :id', { id });
  return row === undefined ? undefined : conversationFrom(row);
}

/**
 * Inside a transaction: the conversation.
 *
 * @throws PortError `Storage.Conflict`, not retryable, when it does not exist (any more)
 */
export function requireConversation(sql: Sql, id: string): ConversationRow {
  const row = findConversation(sql, id);
  if (row !== undefined) return row;
  throw new PortError('Storage.Conflict', `There is no conversation ${id} (any more).`, {
    retryable: false,
    details: { conversationId: id },
  });
}

function create(sql: Sql, wanted: Parameters<ConversationRepository['create']>[0]): ConversationRow {
  const existing = findConversation(sql, wanted.id);
  if (existing !== undefined) return existing;
  refuseTakenName(sql, wanted.personId, wanted.name ?? null, wanted.id);
  sql.run(
    `INSERT INTO Conversation (id, name, title, personId, platform, instructions, createdAt, updatedAt)
     VALUES (:id, :name, :title, :personId, :platform, :instructions, :at, :at)`,
    {
      id: wanted.id,
      name: wanted.name ?? null,
      title: wanted.title ?? '',
      personId: wanted.personId,
      platform: wanted.platform,
      instructions: wanted.instructions ?? null,
      at: now(),
    },
  );
  return requireConversation(sql, wanted.id);
}

function find(sql: Sql, personId: string, idOrName: string): ConversationRow | null {
  const row = sql.get<ConversationRecord>(
    `SELECT *, CASE :wanted WHEN id THEN 0 WHEN name THEN 1 ELSE 2 END AS rank FROM Conversation
     WHERE personId = :personId AND (id = :wanted OR name = :wanted OR title = :wanted)
     ORDER BY rank, updatedAt DESC, id DESC LIMIT 1`,
    { personId, wanted: idOrName },
  );
  return row === undefined ? null : conversationFrom(row);
}

function current(sql: Sql, personId: string): ConversationRow {
  const row = sql.get<ConversationRecord>(
    'SELECT c.* FROM Person p JOIN Conversation c ON c.id = p.currentConversationId WHERE p.id = :personId',
    { personId },
  );
  if (row !== undefined) return conversationFrom(row);
  // Never the id of one that was deleted: its workflow may still remember that talk.
  const made = create(sql, { id: `main-${randomBytes(6).toString('hex')}`, personId, platform: 'cli' });
  setCurrent(sql, personId, made.id);
  return made;
}

function setCurrent(sql: Sql, personId: string, conversationId: string): void {
  requireConversation(sql, conversationId);
  sql.run(
    `INSERT INTO Person (id, currentConversationId) VALUES (:personId, :conversationId)
     ON CONFLICT (id) DO UPDATE SET currentConversationId = excluded.currentConversationId`,
    { personId, conversationId },
  );
}

function update(sql: Sql, id: string, change: Parameters<ConversationRepository['update']>[1]): ConversationRow {
  const row = requireConversation(sql, id);
  if (change.name !== undefined) refuseTakenName(sql, row.personId, change.name, id);
  const values: Record<string, SqlValue> = {};
  for (const [column, value] of Object.entries(change) as [keyof typeof change, SqlValue | undefined][]) {
    if (value !== undefined) values[column] = value;
  }
  const columns = Object.keys(values);
  if (columns.length === 0) return row;
  const assignments = columns.map((column) => `${column} = :${column}`).join(', ');
  sql.run(`UPDATE Conversation SET ${assignments} WHERE id = :id`, { ...values, id });
  return requireConversation(sql, id);
}

function refuseTakenName(sql: Sql, personId: string, name: string | null, id: string): void {
  if (name === null) return;
  const holder = sql.get<{ id: string }>(
    'SELECT id FROM Conversation WHERE personId = :personId AND name = :name AND id <> :id',
    { personId, name, id },
  );
  if (holder === undefined) return;
  throw new PortError('Storage.Conflict', `Another conversation is called "${name}" already.`, {
    retryable: false,
    details: { conversationId: holder.id },
  });
}

function conversationFrom(row: ConversationRecord): ConversationRow {
  return {
    id: row.id,
    name: row.name,
    title: row.title,
    personId: row.personId,
    platform: row.platform,
    busyMode: row.busyMode as BusyMode | null,
    model: row.model,
    instructions: row.instructions,
    lastTurn: row.lastTurn,
    messageCount: row.messageCount,
    windowFromTurn: row.windowFromTurn,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    usage: { inputTokens: row.inputTokens, outputTokens: row.outputTokens, costUsd: row.costUsd },
  };
}

import type { BusyMode } from '../domain/busy-mode.ts';
import type { ReplyAddress } from '../contracts/conversation.ts';
import { now, type Database, type Sql } from './database.ts';
import type { InboundRow, InboxRepository } from './ports.ts';

interface InboundRecord extends Omit<InboundRow, 'busyMode' | 'replyTo'> {
  readonly busyMode: string | null;
  readonly replyTo: string | null;
}

export function inboxRepository(database: Database): InboxRepository {
  return {
    accept: (message) => database.write((sql) => accept(sql, message)),
    get: (id) =>
      database.read((sql) => {
        const row = sql.get<InboundRecord>('SELECT * FROM Inbound WHERE id = :id', { id });
        return row === undefined ? null : inboundFrom(row);
      }),
    // Undone by a power cut it is signalled again, which is harmless.
    markSignalled: (id) =>
      database.writeRelaxed((sql) => {
        sql.run(`UPDATE Inbound SET state = 'signalled', signalledAt = :at WHERE id = :id AND state = 'received'`, {
          id,
          at: now(),
        });
      }),
    unsignalled: (limit) =>
      database.read((sql) =>
        sql
          .all<InboundRecord>(`SELECT * FROM Inbound WHERE state = 'received' ORDER BY seq LIMIT :limit`, { limit })
          .map(inboundFrom),
      ),
    untaken: (olderThanMs, limit) =>
      database.read((sql) =>
        sql
          .all<InboundRecord>(
            `SELECT * FROM Inbound WHERE state = 'signalled' AND signalledAt <= :before ORDER BY seq LIMIT :limit`,
            { before: new Date(Date.now() - olderThanMs).toISOString(), limit },
          )
          .map(inboundFrom),
      ),
    pending: (conversationId) =>
      database.read((sql) =>
        sql
          .all<InboundRecord>(
            `SELECT * FROM Inbound WHERE conversationId = :conversationId AND state IN ('received', 'signalled')
             ORDER BY seq`,
            { conversationId },
          )
          .map(inboundFrom),
      ),
  };
}

function accept(
  sql: Sql,
  message: Parameters<InboxRepository['accept']>[0],
): Awaited<ReturnType<InboxRepository['accept']>> {
  const created = sql.run(
    `INSERT INTO Inbound (id, conversationId, personId, platform, text, busyMode, replyTo, receivedAt)
     VALUES (:id, :conversationId, :personId, :platform, :text, :busyMode, :replyTo, :at)
     ON CONFLICT (id) DO NOTHING`,
    {
      id: message.id,
      conversationId: message.conversationId,
      personId: message.personId,
      platform: message.platform,
      text: message.text,
      busyMode: message.busyMode ?? null,
      replyTo: message.replyTo === undefined ? null : JSON.stringify(message.replyTo),
      at: now(),
    },
  );
  const row = sql.get<InboundRecord>('SELECT * FROM Inbound WHERE id = :id', { id: message.id });
  return { created: created > 0, row: inboundFrom(row as InboundRecord) };
}

/**
 * Inside a transaction: those of the messages that this turn may have, in the order given. What another turn has taken
 * is not among them, nor what is gone with its conversation.
 */
export function ownInbound(
  sql: Sql,
  of: { conversationId: string; turn: number },
  inboundIds: readonly string[],
): readonly InboundRow[] {
  if (inboundIds.length === 0) return [];
  const rows = sql.all<InboundRecord>(
    `SELECT * FROM Inbound WHERE id IN (SELECT value FROM json_each(:ids)) AND conversationId = :conversationId
     AND (state <> 'taken' OR turn = :turn)`,
    { ids: JSON.stringify(inboundIds), conversationId: of.conversationId, turn: of.turn },
  );
  const byId = new Map(rows.map((row) => [row.id, inboundFrom(row)]));
  return [...new Set(inboundIds)].flatMap((id) => byId.get(id) ?? []);
}

/** Inside a transaction: puts a turn's own messages into its transcript; returns the ids that were not in it before. */
export function takeInbound(
  sql: Sql,
  into: { conversationId: string; turn: number; step: number },
  own: readonly InboundRow[],
): readonly string[] {
  const fresh = own.filter((row) => row.state !== 'taken');
  if (fresh.length === 0) return [];
  const { next } = sql.get<{ next: number }>(
    `SELECT count(*) AS next FROM Message WHERE conversationId = :conversationId AND turn = :turn AND step = :step
     AND slot < 900`,
    into,
  ) as { next: number };
  fresh.forEach((row, index) => {
    sql.run(
      `INSERT INTO Message (conversationId, personId, turn, step, slot, role, text, inboundId, speaker, createdAt)
       VALUES (:conversationId, :personId, :turn, :step, :slot, 'user', :text, :id, :personId, :receivedAt)`,
      {
        ...into,
        slot: next + index,
        id: row.id,
        personId: row.personId,
        text: row.text,
        receivedAt: row.receivedAt,
      },
    );
    sql.run(`UPDATE Inbound SET state = 'taken', turn = :turn WHERE id = :id`, { id: row.id, turn: into.turn });
  });
  return fresh.map((row) => row.id);
}

function inboundFrom(row: InboundRecord): InboundRow {
  return {
    id: row.id,
    conversationId: row.conversationId,
    personId: row.personId,
    platform: row.platform,
    text: row.text,
    busyMode: row.busyMode as BusyMode | null,
    replyTo: row.replyTo === null ? null : (JSON.parse(row.replyTo) as ReplyAddress),
    state: row.state,
    turn: row.turn,
    receivedAt: row.receivedAt,
  };
}

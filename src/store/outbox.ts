import { createHash } from 'node:crypto';
import { now, type Database, type Sql, type SqlValue } from './database.ts';
import type { NewOutboxMessage, OutboxChange, OutboxLane, OutboxRepository, OutboxRow } from './outbox-ports.ts';

interface OutboxRecord extends Omit<OutboxRow, 'to' | 'parts' | 'buttons' | 'file' | 'open'> {
  readonly account: string;
  readonly chat: string;
  readonly thread: string | null;
  readonly parts: string | null;
  readonly buttons: string | null;
  readonly file: string | null;
  readonly open: number;
}

const waiting = `state IN ('new', 'sending') AND kind <> 'live'`;

export function outboxRepository(database: Database): OutboxRepository {
  return {
    ...rowReads(database),
    enqueue: (message) => database.write((sql) => enqueueMessage(sql, message)),
    change: (...changes) =>
      database.write((sql) => {
        for (const change of changes) apply(sql, change);
      }),
    dueLanes: (accounts, at, limit) =>
      database.read((sql) =>
        // With min(), SQLite takes the other columns from the row that has it: the first message of the chat.
        sql.all<OutboxLane>(
          `SELECT account, chat FROM (
             SELECT account, chat, min(seq) AS seq, nextTryAt FROM Outbox
             WHERE account IN (SELECT value FROM json_each(:accounts)) AND ${waiting} GROUP BY account, chat)
           WHERE nextTryAt IS NULL OR nextTryAt <= :at ORDER BY seq LIMIT :limit`,
          { accounts: JSON.stringify(accounts), at, limit },
        ),
      ),
    failLane: ({ account, chat }, error) =>
      database.write((sql) =>
        sql.run(
          `UPDATE Outbox SET state = 'failed', error = :error, nextTryAt = NULL, updatedAt = :at
           WHERE account = :account AND chat = :chat AND ${waiting}`,
          { account, chat, error, at: now() },
        ),
      ),
    lastSent: ({ account, chat }) =>
      database.read(
        (sql) =>
          sql.get<{ seq: number | null }>(
            `SELECT max(seq) AS seq FROM Outbox WHERE account = :account AND chat = :chat AND state = 'sent'`,
            { account, chat },
          )?.seq ?? 0,
      ),
    counts: () =>
      database.read((sql) =>
        sql.all(
          `SELECT account, sum(waits) AS waiting, sum(doubts) AS ambiguous FROM (
             SELECT account, count(*) AS waits, 0 AS doubts FROM Outbox WHERE ${waiting} GROUP BY account
             UNION ALL
             SELECT account, 0, sum(state = 'ambiguous') FROM Outbox WHERE state IN ('ambiguous', 'failed')
             GROUP BY account)
           GROUP BY account`,
        ),
      ),
    keepFile: (file) => database.write((sql) => keepFile(sql, file)),
    readFile: (id, { offset, maxBytes }) =>
      database.read(
        (sql) =>
          sql.get<{ bytes: Buffer }>('SELECT substr(bytes, :from, :length) AS bytes FROM OutboxFile WHERE id = :id', {
            id,
            from: offset + 1,
            length: maxBytes,
          })?.bytes ?? null,
      ),
    prune: (before) =>
      database.write((sql) =>
        sql.run(`DELETE FROM Outbox WHERE state IN ('sent', 'dropped') AND open = 0 AND updatedAt < :before`, {
          before,
        }),
      ),
  };
}

function rowReads(
  database: Database,
): Pick<OutboxRepository, 'get' | 'byToken' | 'head' | 'openLives' | 'endedLives' | 'decidedAsks' | 'problems'> {
  const rows = (statement: string, values: Readonly<Record<string, SqlValue>>): Promise<readonly OutboxRow[]> =>
    database.read((sql) => sql.all<OutboxRecord>(statement, values).map(rowFrom));
  const row = async (statement: string, values: Readonly<Record<string, SqlValue>>): Promise<OutboxRow | null> =>
    (await rows(statement, values))[0] ?? null;

  return {
    get: (id) => row('SELECT * FROM Outbox WHERE id = :id', { id }),
    byToken: (token) => row(`SELECT * FROM Outbox WHERE token = :token AND kind = 'ask'`, { token }),
    head: ({ account, chat }) =>
      row(`SELECT * FROM Outbox WHERE account = :account AND chat = :chat AND ${waiting} ORDER BY seq LIMIT 1`, {
        account,
        chat,
      }),
    openLives: (of) =>
      'chat' in of
        ? rows(
            `SELECT * FROM Outbox WHERE kind = 'live' AND open = 1 AND account = :account AND chat = :chat ORDER BY seq`,
            { account: of.account, chat: of.chat },
          )
        : rows(
            `SELECT * FROM Outbox WHERE kind = 'live' AND open = 1 AND conversationId = :conversationId
             AND turn = :turn ORDER BY seq`,
            { conversationId: of.conversationId, turn: of.turn },
          ),
    endedLives: (limit) =>
      rows(
        `SELECT o.* FROM Outbox o JOIN Turn t ON t.conversationId = o.conversationId AND t.turn = o.turn
         WHERE o.kind = 'live' AND o.open = 1 AND t.state <> 'running' ORDER BY o.seq LIMIT :limit`,
        { limit },
      ),
    decidedAsks: (at, limit) =>
      rows(
        `SELECT o.* FROM Outbox o JOIN Approval a ON a.id = o.approvalId
         WHERE o.kind = 'ask' AND o.open = 1 AND o.state NOT IN ('new', 'sending') AND a.state <> 'waiting'
         AND (o.nextTryAt IS NULL OR o.nextTryAt <= :at) ORDER BY o.seq LIMIT :limit`,
        { at, limit },
      ),
    problems: (limit) =>
      rows(`SELECT * FROM Outbox WHERE state IN ('ambiguous', 'failed') ORDER BY seq DESC LIMIT :limit`, { limit }),
  };
}

/** Inside a transaction: idempotent by id. */
export function enqueueMessage(sql: Sql, message: NewOutboxMessage): OutboxRow {
  const { id, to, parts } = message;
  const added = sql.run(
    `INSERT INTO Outbox (id, kind, account, chat, thread, conversationId, turn, text, parts, approvalId, token, file,
       replyTo, state, open, createdAt, updatedAt)
     VALUES (:id, :kind, :account, :chat, :thread, :conversationId, :turn, :text, :parts, :approvalId, :token, :file,
       :replyTo, :state, :open, :at, :at)
     ON CONFLICT (id) DO NOTHING`,
    {
      id,
      kind: message.kind,
      account: to.platform,
      chat: to.chat,
      thread: to.thread ?? null,
      conversationId: message.conversationId,
      turn: message.turn ?? null,
      text: message.text,
      parts: parts === undefined ? null : JSON.stringify(parts),
      approvalId: message.approvalId ?? null,
      token: createHash('sha256').update(id).digest('hex').slice(0, 16),
      file: message.file === undefined ? null : JSON.stringify(message.file),
      replyTo: message.replyTo ?? null,
      state: parts === undefined ? 'new' : 'sending',
      open: message.kind === 'live' ? 1 : 0,
      at: now(),
    },
  );
  if (added > 0 && message.bytes !== undefined && message.file !== undefined && 'ownId' in message.file.source) {
    keepFile(sql, { id: message.file.source.ownId, outboxId: id, bytes: message.bytes });
  }
  return rowFrom(sql.get<OutboxRecord>('SELECT * FROM Outbox WHERE id = :id', { id }) as OutboxRecord);
}

function keepFile(sql: Sql, { id, outboxId, bytes }: { id: string; outboxId: string; bytes: Buffer }): void {
  sql.run(
    `INSERT INTO OutboxFile (id, outboxId, sizeBytes, bytes) VALUES (:id, :outboxId, :sizeBytes, :bytes)
     ON CONFLICT (id) DO UPDATE SET sizeBytes = excluded.sizeBytes, bytes = excluded.bytes`,
    { id, outboxId, sizeBytes: bytes.length, bytes },
  );
}

const json = (value: unknown): string | null => (value === null ? null : JSON.stringify(value));

/** Only what the change names is written. */
function apply(sql: Sql, change: OutboxChange): void {
  const { id, parts, buttons, file, open, ...plain } = change;
  const values: Record<string, SqlValue> = {
    ...(parts === undefined ? {} : { parts: json(parts) }),
    ...(buttons === undefined ? {} : { buttons: json(buttons) }),
    ...(file === undefined ? {} : { file: json(file) }),
    ...(open === undefined ? {} : { open: open ? 1 : 0 }),
    ...plain,
    updatedAt: now(),
  };
  const columns = Object.keys(values).map((column) => `${column} = :${column}`);
  sql.run(`UPDATE Outbox SET ${columns.join(', ')} WHERE id = :id`, { ...values, id });
  // What was sent is the platform's now.
  if (change.state === 'sent' || change.state === 'dropped') {
    sql.run('DELETE FROM OutboxFile WHERE outboxId = :id', { id });
  }
}

function rowFrom(record: OutboxRecord): OutboxRow {
  const { account, chat, thread, parts, buttons, file, open, ...row } = record;
  return {
    ...row,
    to: { platform: account, chat, ...(thread === null ? {} : { thread }) },
    parts: parts === null ? null : (JSON.parse(parts) as NonNullable<OutboxRow['parts']>),
    buttons: buttons === null ? [] : (JSON.parse(buttons) as OutboxRow['buttons']),
    file: file === null ? null : (JSON.parse(file) as OutboxRow['file']),
    open: open !== 0,
  };
}

import type { ReplyAddress } from '../contracts/conversation.ts';
import { PortError } from '../lib/port-error.ts';
import { now, type Database, type Sql } from './database.ts';
import type { OutboxRepository, OutboxRow } from './ports.ts';

interface OutboxRecord extends Omit<OutboxRow, 'to' | 'state'> {
  readonly to: string;
  readonly state: string;
}

export function outboxRepository(database: Database): OutboxRepository {
  return {
    enqueue: (part) =>
      database.write((sql) => {
        sql.run(
          `INSERT INTO Outbox (id, conversationId, "to", text, createdAt, updatedAt)
           VALUES (:id, :conversationId, :to, :text, :at, :at) ON CONFLICT (id) DO NOTHING`,
          {
            id: part.id,
            conversationId: part.conversationId,
            to: JSON.stringify(part.to),
            text: part.text,
            at: now(),
          },
        );
        return requirePart(sql, part.id);
      }),
    claim: (id) =>
      database.write((sql) => {
        const before = requirePart(sql, id);
        sql.run(`UPDATE Outbox SET state = 'sending', updatedAt = :at WHERE id = :id AND state = 'new'`, {
          id,
          at: now(),
        });
        return before;
      }),
    settle: (id, end) =>
      database.write((sql) => {
        // Sent is final: a second sender that lost the race must not make it doubtful again.
        sql.run(
          `UPDATE Outbox SET state = :state, platformMessageId = ifnull(:platformMessageId, platformMessageId),
             error = :error, updatedAt = :at
           WHERE id = :id AND state <> 'sent'`,
          {
            id,
            state: end.state,
            platformMessageId: end.platformMessageId ?? null,
            error: end.error ?? null,
            at: now(),
          },
        );
      }),
  };
}

function requirePart(sql: Sql, id: string): OutboxRow {
  const row = sql.get<OutboxRecord>(
    'SELECT id, conversationId, "to", text, state, platformMessageId, error FROM Outbox WHERE id = :id',
    { id },
  );
  if (row === undefined) {
    throw new PortError('Storage.Conflict', 'This outgoing message is not in the store (any more).', {
      retryable: false,
      details: { outboxId: id },
    });
  }
  return { ...row, to: JSON.parse(row.to) as ReplyAddress, state: row.state as OutboxRow['state'] };
}

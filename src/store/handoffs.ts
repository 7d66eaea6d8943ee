import type { ReplyAddress } from '../contracts/conversation.ts';
import { now, type Database } from './database.ts';
import type { HandoffRepository, HandoffRow, SpokenConversationRepository } from './people-ports.ts';

interface HandoffRecord extends Omit<HandoffRow, 'to'> {
  readonly to: string;
}

export function handoffRepository(database: Database): HandoffRepository {
  return {
    put: (handoff) =>
      database.write((sql) => {
        sql.run(
          `INSERT INTO Handoff (conversationId, turn, "to", createdAt) VALUES (:conversationId, :turn, :to, :at)
           ON CONFLICT (conversationId, turn) DO UPDATE SET "to" = :to, state = 'open'`,
          {
            conversationId: handoff.conversationId,
            turn: handoff.turn,
            to: JSON.stringify(handoff.to),
            at: now(),
          },
        );
      }),
    to: (conversationId, turn) =>
      database.read((sql) => {
        const row = sql.get<{ to: string }>(
          'SELECT "to" FROM Handoff WHERE conversationId = :conversationId AND turn = :turn',
          { conversationId, turn },
        );
        return row === undefined ? null : (JSON.parse(row.to) as ReplyAddress);
      }),
    open: (limit) =>
      database.read((sql) =>
        sql
          .all<HandoffRecord>(
            `SELECT conversationId, turn, "to", createdAt FROM Handoff WHERE state = 'open'
             ORDER BY createdAt, conversationId, turn LIMIT :limit`,
            { limit },
          )
          .map((row) => ({ ...row, to: JSON.parse(row.to) as ReplyAddress })),
      ),
    settle: (conversationId, turn) =>
      database.write((sql) => {
        sql.run(`UPDATE Handoff SET state = 'settled' WHERE conversationId = :conversationId AND turn = :turn`, {
          conversationId,
          turn,
        });
      }),
  };
}

export function spokenConversationRepository(database: Database): SpokenConversationRepository {
  return {
    has: (conversationId) =>
      database.read(
        (sql) =>
          sql.get('SELECT 1 FROM SpokenConversation WHERE conversationId = :conversationId', { conversationId }) !==
          undefined,
      ),
    set: (conversationId, spoken) =>
      database.write((sql) => {
        sql.run(
          spoken
            ? 'INSERT INTO SpokenConversation (conversationId) VALUES (:conversationId) ON CONFLICT DO NOTHING'
            : 'DELETE FROM SpokenConversation WHERE conversationId = :conversationId',
          { conversationId },
        );
      }),
  };
}

import { now, type Database } from './database.ts';
import type { IdempotencyRepository } from './ports.ts';

interface Reserved {
  readonly requestHash: string;
  readonly inboundId: string;
  readonly conversationId: string;
}

export function idempotencyRepository(database: Database): IdempotencyRepository {
  return {
    reserve: (entry) =>
      database.write((sql) => {
        const isNew = sql.run(
          `INSERT INTO Idempotency (key, requestHash, inboundId, conversationId, createdAt)
           VALUES (:key, :requestHash, :inboundId, :conversationId, :at) ON CONFLICT (key) DO NOTHING`,
          {
            key: entry.key,
            requestHash: entry.requestHash,
            inboundId: entry.inboundId,
            conversationId: entry.conversationId,
            at: now(),
          },
        );
        if (isNew > 0) return { existing: null, mismatch: false };
        const first = sql.get<Reserved>(
          'SELECT requestHash, inboundId, conversationId FROM Idempotency WHERE key = :key',
          { key: entry.key },
        ) as Reserved;
        return {
          existing: { inboundId: first.inboundId, conversationId: first.conversationId },
          mismatch: first.requestHash !== entry.requestHash,
        };
      }),
    find: (key) =>
      database.read(
        (sql) =>
          sql.get<{ inboundId: string; conversationId: string }>(
            'SELECT inboundId, conversationId FROM Idempotency WHERE key = :key',
            { key },
          ) ?? null,
      ),
  };
}

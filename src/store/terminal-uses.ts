import { now, type Database, type Sql } from './database.ts';
import type { TerminalUse, TerminalUseRepository } from './environment-ports.ts';

export function terminalUseRepository(database: Database): TerminalUseRepository {
  return {
    begin: (use) => database.writeRelaxed((sql) => begin(sql, use)),
    conversationsOf: (environmentId, since, limit) =>
      database.read((sql) =>
        sql
          .all<{ conversationId: string }>(
            `SELECT conversationId FROM TerminalUse WHERE environmentId = :environmentId AND usedAt >= :since
             ORDER BY usedAt DESC LIMIT :limit`,
            { environmentId, since, limit },
          )
          .map((row) => row.conversationId),
      ),
  };
}

function begin(sql: Sql, use: Parameters<TerminalUseRepository['begin']>[0]): TerminalUse {
  const { conversationId, turn } = use;
  const last = sql.get<TerminalUse & { turn: number }>(
    `SELECT environmentId, backend, movedFrom, turn FROM TerminalUse WHERE conversationId = :conversationId
     ORDER BY turn DESC, usedAt DESC LIMIT 1`,
    { conversationId },
  );
  const pinned = last?.turn === turn ? last : undefined;
  const movedFrom = last === undefined || last.environmentId === use.environmentId ? null : last.backend;
  const chosen: TerminalUse =
    pinned === undefined
      ? { environmentId: use.environmentId, backend: use.backend, movedFrom }
      : { environmentId: pinned.environmentId, backend: pinned.backend, movedFrom: pinned.movedFrom };
  sql.run(
    `INSERT INTO TerminalUse (conversationId, environmentId, backend, turn, movedFrom, usedAt)
     VALUES (:conversationId, :environmentId, :backend, :turn, :movedFrom, :at)
     ON CONFLICT (conversationId, environmentId) DO UPDATE
       SET backend = :backend, turn = :turn, movedFrom = :movedFrom, usedAt = :at`,
    { conversationId, turn, ...chosen, at: now() },
  );
  return chosen;
}

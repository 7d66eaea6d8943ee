import { now, type Database, type Sql } from './database.ts';
import type { PairingRepository, PairingRow } from './platform-ports.ts';
import { putUser } from './platform-users.ts';

export function pairingRepository(database: Database): PairingRepository {
  return {
    request: (pairing, limits) => database.write((sql) => request(sql, pairing, limits)),
    pending: () =>
      database.read((sql) =>
        sql.all<PairingRow>('SELECT * FROM Pairing WHERE expiresAt > :at ORDER BY requestedAt DESC, rowid DESC', {
          at: now(),
        }),
      ),
    approve: (codeHash, user) =>
      database.write((sql) => {
        const { account, userId } = user;
        const gone = sql.run(
          'DELETE FROM Pairing WHERE account = :account AND userId = :userId AND codeHash = :codeHash',
          { account, userId, codeHash },
        );
        if (gone > 0) putUser(sql, user);
        return gone > 0;
      }),
    remove: (account, userId) =>
      database.write(
        (sql) => sql.run('DELETE FROM Pairing WHERE account = :account AND userId = :userId', { account, userId }) > 0,
      ),
  };
}

function request(
  sql: Sql,
  pairing: PairingRow,
  limits: { gapMs: number; maxPending: number },
): Awaited<ReturnType<PairingRepository['request']>> {
  const { account, userId, requestedAt } = pairing;
  sql.run('DELETE FROM Pairing WHERE expiresAt <= :requestedAt', { requestedAt });
  const own = sql.get<PairingRow>('SELECT * FROM Pairing WHERE account = :account AND userId = :userId', {
    account,
    userId,
  });
  if (own?.codeHash === pairing.codeHash) return 'made';
  if (own !== undefined && Date.parse(requestedAt) - Date.parse(own.requestedAt) < limits.gapMs) return 'recent';
  const { others } = sql.get<{ others: number }>(
    'SELECT count(*) AS others FROM Pairing WHERE account = :account AND userId <> :userId',
    { account, userId },
  ) as { others: number };
  if (others >= limits.maxPending) return 'full';
  sql.run(
    `INSERT INTO Pairing (account, userId, name, chat, codeHash, requestedAt, expiresAt)
     VALUES (:account, :userId, :name, :chat, :codeHash, :requestedAt, :expiresAt)
     ON CONFLICT (account, userId) DO UPDATE SET name = excluded.name, chat = excluded.chat,
       codeHash = excluded.codeHash, requestedAt = excluded.requestedAt, expiresAt = excluded.expiresAt`,
    { ...pairing },
  );
  return 'made';
}

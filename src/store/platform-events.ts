import { now, type Database, type Sql } from './database.ts';
import type { PlatformEventRepository, PlatformEventRow } from './platform-ports.ts';

export function platformEventRepository(database: Database): PlatformEventRepository {
  return {
    accept: (event) => database.write((sql) => accept(sql, event)),
    openLanes: (except, limit) =>
      database.read((sql) =>
        sql
          .all<{ lane: string }>(
            `SELECT lane FROM PlatformEvent WHERE state IN ('received', 'taken')
               AND lane NOT IN (SELECT value FROM json_each(:except))
             GROUP BY lane ORDER BY min(seq) LIMIT :limit`,
            { except: JSON.stringify(except), limit },
          )
          .map(({ lane }) => lane),
      ),
    open: (lane, limit) =>
      database.read((sql) =>
        sql.all<PlatformEventRow>(
          `SELECT * FROM PlatformEvent WHERE state IN ('received', 'taken') AND lane = :lane ORDER BY seq LIMIT :limit`,
          { lane, limit },
        ),
      ),
    // Relaxed: what a power cut undoes here it undoes in everything that was written after it, too.
    take: (seq, turn) => database.writeRelaxed((sql) => take(sql, seq, turn)),
    members: (seq) =>
      database.read((sql) =>
        sql.all<PlatformEventRow>('SELECT * FROM PlatformEvent WHERE seq = :seq OR joinedTo = :seq ORDER BY seq', {
          seq,
        }),
      ),
    // Relaxed: undone by a power cut, the event is processed again under the same keys, which changes nothing.
    settle: (seq, end) =>
      database.writeRelaxed((sql) => {
        sql.run(
          `UPDATE PlatformEvent SET endedAt = :at, event = CASE WHEN :state = 'failed' THEN event ELSE '' END,
             state = CASE WHEN seq = :seq THEN :state ELSE state END, error = coalesce(:error, error)
           WHERE (seq = :seq OR joinedTo = :seq) AND endedAt IS NULL`,
          { seq, state: end.state, error: end.error ?? null, at: now() },
        );
      }),
    countFailure: (seq, error) =>
      database.write((sql) => {
        sql.run('UPDATE PlatformEvent SET attempts = attempts + 1, error = :error WHERE seq = :seq', { seq, error });
        return (
          sql.get<{ attempts: number }>('SELECT attempts FROM PlatformEvent WHERE seq = :seq', { seq })?.attempts ?? 0
        );
      }),
    prune: (before) =>
      database.write((sql) => {
        sql.run('DELETE FROM PlatformEvent WHERE endedAt IS NOT NULL AND endedAt < :events', { events: before.events });
        sql.run('DELETE FROM PlatformEventKey WHERE at < :keys', { keys: before.keys });
      }),
  };
}

function accept(
  sql: Sql,
  { account, keys, lane, sender, event }: Parameters<PlatformEventRepository['accept']>[0],
): { created: boolean } {
  const at = now();
  const names = [...new Set(keys)];
  const isKnown = names.some(
    (key) =>
      sql.get('SELECT 1 FROM PlatformEventKey WHERE account = :account AND key = :key', { account, key }) !== undefined,
  );
  for (const key of names) {
    sql.run('INSERT INTO PlatformEventKey (account, key, at) VALUES (:account, :key, :at) ON CONFLICT DO NOTHING', {
      account,
      key,
      at,
    });
  }
  if (isKnown) return { created: false };
  sql.run(
    `INSERT INTO PlatformEvent (account, key, lane, sender, event, receivedAt)
     VALUES (:account, :key, :lane, :sender, :event, :at)`,
    { account, key: keys[0], lane, sender, event, at },
  );
  return { created: true };
}

function take(sql: Sql, seq: number, turn: Parameters<PlatformEventRepository['take']>[1]): void {
  const taken = sql.run(
    `UPDATE PlatformEvent SET state = 'taken', conversationId = :conversationId WHERE seq = :seq AND state = 'received'`,
    { seq, conversationId: turn.conversationId },
  );
  if (taken === 0) return;
  sql.run(
    `UPDATE PlatformEvent SET state = 'joined', joinedTo = :seq
     WHERE state = 'received' AND seq IN (SELECT value FROM json_each(:joined))`,
    { seq, joined: JSON.stringify(turn.joined) },
  );
}

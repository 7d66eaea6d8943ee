import type { Database } from './database.ts';
import type { PlatformValueRepository } from './platform-ports.ts';

export function platformValueRepository(database: Database): PlatformValueRepository {
  return {
    load: (account, name) =>
      database.read(
        (sql) =>
          sql.get<{ value: string }>('SELECT value FROM PlatformValue WHERE account = :account AND name = :name', {
            account,
            name,
          })?.value ?? null,
      ),
    save: (account, values) =>
      database.write((sql) => {
        for (const [name, value] of Object.entries(values)) {
          if (value === null) {
            sql.run('DELETE FROM PlatformValue WHERE account = :account AND name = :name', { account, name });
          } else {
            sql.run(
              `INSERT INTO PlatformValue (account, name, value) VALUES (:account, :name, :value)
               ON CONFLICT (account, name) DO UPDATE SET value = excluded.value`,
              { account, name, value },
            );
          }
        }
      }),
    names: (account, prefix) =>
      database.read((sql) =>
        sql
          .all<{ name: string }>(
            // Not LIKE: a prefix may hold its wildcards.
            `SELECT name FROM PlatformValue WHERE account = :account AND substr(name, 1, length(:prefix)) = :prefix
             ORDER BY name`,
            { account, prefix },
          )
          .map(({ name }) => name),
      ),
  };
}

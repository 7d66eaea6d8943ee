import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type BetterSqlite3 from 'better-sqlite3';
import { PortError } from '../lib/port-error.ts';
import { damaged } from './integrity.ts';

/** One step of the schema's history: `prisma/migrations/<name>/migration.sql`. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file, hexadecimal, as Prisma records it. */
  readonly checksum: string;
}

interface AppliedRow {
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished_at: number | string | null;
}

/** Where this program's own migrations are: the same place seen from `src/store` and from `dist/store`. */
export const ownMigrationsDir = join(import.meta.dirname, '../../prisma/migrations');

/** All migrations of a folder, oldest first. */
export function readMigrations(dir: string): readonly Migration[] {
  return readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
    .map((name) => {
      const bytes = readFileSync(join(dir, name, 'migration.sql'));
      return { name, sql: bytes.toString('utf8'), checksum: createHash('sha256').update(bytes).digest('hex') };
    });
}

/**
 * What the database still lacks. Reads only.
 *
 * @throws PortError `Storage.TooNew` for a migration this program does not know, `Storage.Damaged` for one that was begun
 *   and never finished.
 */
export function pendingMigrations(
  connection: BetterSqlite3.Database,
  known: readonly Migration[],
): readonly Migration[] {
  const applied = appliedMigrations(connection);
  const byName = new Map(known.map((migration) => [migration.name, migration]));
  for (const row of applied.values()) {
    if (row.finished_at === null) {
      throw damaged(connection.name, `its migration ${row.migration_name} was begun and not finished`);
    }
    const ours = byName.get(row.migration_name);
    if (ours?.checksum !== row.checksum) throw tooNew(connection.name, row.migration_name, ours !== undefined);
  }
  return known.filter((migration) => !applied.has(migration.name));
}

/**
 * Brings the database up to date, one transaction per migration: an interrupted one leaves the state before it. Safe
 * when several processes do it at the same time. Keeps Prisma's own books, so `prisma migrate` agrees.
 *
 * @returns The names of the migrations applied.
 * @throws PortError as {@link pendingMigrations}; SQLite's own errors pass.
 */
export function migrate(connection: BetterSqlite3.Database, known: readonly Migration[]): readonly string[] {
  const done: string[] = [];
  // A migration that rebuilds a table must not set off the cascades of the old one; the switch works outside a
  // transaction only. What it leaves behind is checked before the commit.
  connection.pragma('foreign_keys = OFF');
  try {
    while (applyNext(connection, known, done));
  } finally {
    connection.pragma('foreign_keys = ON');
  }
  return done;
}

function applyNext(connection: BetterSqlite3.Database, known: readonly Migration[], done: string[]): boolean {
  const step = connection.transaction((): boolean => {
    // Asked again under the lock: another process may have been faster.
    const [next, ...later] = pendingMigrations(connection, known);
    if (next === undefined) return false;
    connection.exec(bookkeepingTable);
    const startedAt = Date.now();
    connection.exec(next.sql);
    if ((connection.pragma('foreign_key_check') as unknown[]).length > 0) {
      throw new PortError('Internal.Invariant', `Migration ${next.name} leaves rows that point nowhere.`);
    }
    connection
      .prepare(
        `INSERT INTO "_prisma_migrations"
           (id, checksum, finished_at, migration_name, logs, rolled_back_at, started_at, applied_steps_count)
         VALUES (?, ?, ?, ?, NULL, NULL, ?, 1)`,
      )
      .run(randomUUID(), next.checksum, Date.now(), next.name, startedAt);
    done.push(next.name);
    return later.length > 0;
  });
  return step.immediate();
}

function appliedMigrations(connection: BetterSqlite3.Database): ReadonlyMap<string, AppliedRow> {
  const books = connection.prepare(`SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_prisma_migrations'`);
  if (books.get() === undefined) return foreignOrNew(connection);
  const rows = connection
    .prepare('SELECT migration_name, checksum, finished_at FROM "_prisma_migrations" WHERE rolled_back_at IS NULL')
    .all() as AppliedRow[];
  return new Map(rows.map((row) => [row.migration_name, row]));
}

/** A file with tables and no books is somebody else's database: nothing of ours may be put into it. */
function foreignOrNew(connection: BetterSqlite3.Database): ReadonlyMap<string, AppliedRow> {
  const tables = connection.prepare(`SELECT count(*) AS n FROM sqlite_master WHERE type = 'table'`).get() as {
    n: number;
  };
  if (tables.n > 0) throw damaged(connection.name, 'it has tables, but no list of its migrations');
  return new Map();
}

function tooNew(file: string, migration: string, changed: boolean): PortError {
  const what = changed
    ? `its migration ${migration} differs from this program's`
    : `it has a migration this program does not know: ${migration}`;
  return new PortError(
    'Storage.TooNew',
    `The database ${file} was made by another version of Hermes (${what}). It has not been touched. Update Hermes, or ` +
      'bring back a backup made with this version with `hermes restore`.',
    { details: { file, migration } },
  );
}

/** Exactly the table `prisma migrate` makes for SQLite. */
const bookkeepingTable = `CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
    "id"                    TEXT PRIMARY KEY NOT NULL,
    "checksum"              TEXT NOT NULL,
    "finished_at"           DATETIME,
    "migration_name"        TEXT NOT NULL,
    "logs"                  TEXT,
    "rolled_back_at"        DATETIME,
    "started_at"            DATETIME NOT NULL DEFAULT current_timestamp,
    "applied_steps_count"   INTEGER UNSIGNED NOT NULL DEFAULT 0
)`;

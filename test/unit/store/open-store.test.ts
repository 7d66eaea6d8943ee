import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { connect } from '../../../src/store/database.ts';
import { Prisma } from '../../../src/store/generated/client.ts';
import { ownMigrationsDir } from '../../../src/store/migrate.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { tempDir } from './support/open-temp-store.ts';

interface BookRow {
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished_at: number;
  readonly applied_steps_count: number;
}

/** A folder with our own migrations and one more. */
function migrationsWith(dir: string, name: string, sql: string): string {
  const migrations = join(dir, 'migrations');
  cpSync(ownMigrationsDir, migrations, { recursive: true });
  mkdirSync(join(migrations, name));
  writeFileSync(join(migrations, name, 'migration.sql'), sql);
  return migrations;
}

async function makeDatabase(dir: string, migrationsDir?: string): Promise<string> {
  const file = join(dir, 'hermes.db');
  const store = await openStore({
    file,
    backupDir: join(dir, 'backups'),
    ...(migrationsDir === undefined ? {} : { migrationsDir }),
  });
  await store.conversations.create({ id: 'kept', personId: 'anna', platform: 'cli' });
  await store.close();
  return file;
}

function look<T>(file: string, work: (connection: BetterSqlite3.Database) => T): T {
  const connection = new BetterSqlite3(file);
  try {
    return work(connection);
  } finally {
    connection.close();
  }
}

describe('opening the store', () => {
  it('makes a new database with the books Prisma keeps', async () => {
    const dir = tempDir();
    const file = await makeDatabase(join(dir, 'home'));
    const rows = look(file, (db) =>
      db.prepare('SELECT * FROM _prisma_migrations ORDER BY started_at').all(),
    ) as BookRow[];
    const names = readdirSync(ownMigrationsDir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(rows.map((row) => row.migration_name)).toEqual(names.map((entry) => entry.name).sort());
    for (const row of rows) {
      const sql = readFileSync(join(ownMigrationsDir, row.migration_name, 'migration.sql'));
      expect(row.checksum).toBe(createHash('sha256').update(sql).digest('hex'));
      expect(row).toMatchObject({ applied_steps_count: 1, rolled_back_at: null, logs: null });
      expect(Math.abs(Date.now() - row.finished_at)).toBeLessThan(600_000);
    }
    expect(existsSync(join(dir, 'home', 'backups'))).toBe(false);
    if (process.platform !== 'win32') expect(statSync(file).mode & 0o077).toBe(0);
  });

  it('writes every commit through to the disk', async () => {
    const file = await makeDatabase(tempDir());
    expect(look(file, (db) => db.pragma('journal_mode', { simple: true }))).toBe('wal');
    const connection = connect(file);
    expect(connection.pragma('synchronous', { simple: true })).toBe(2);
    expect(connection.pragma('foreign_keys', { simple: true })).toBe(1);
    connection.close();
  });

  it('has exactly the columns that Prisma knows', async () => {
    const file = await makeDatabase(tempDir());
    const fields = {
      Person: Prisma.PersonScalarFieldEnum,
      Conversation: Prisma.ConversationScalarFieldEnum,
      Inbound: Prisma.InboundScalarFieldEnum,
      Message: Prisma.MessageScalarFieldEnum,
      Turn: Prisma.TurnScalarFieldEnum,
      Step: Prisma.StepScalarFieldEnum,
      ToolCall: Prisma.ToolCallScalarFieldEnum,
      Approval: Prisma.ApprovalScalarFieldEnum,
      AllowRule: Prisma.AllowRuleScalarFieldEnum,
      Usage: Prisma.UsageScalarFieldEnum,
      Outbox: Prisma.OutboxScalarFieldEnum,
      OutboxFile: Prisma.OutboxFileScalarFieldEnum,
      Idempotency: Prisma.IdempotencyScalarFieldEnum,
      Blob: Prisma.BlobScalarFieldEnum,
      TodoList: Prisma.TodoListScalarFieldEnum,
      Memory: Prisma.MemoryScalarFieldEnum,
      Environment: Prisma.EnvironmentScalarFieldEnum,
      TerminalUse: Prisma.TerminalUseScalarFieldEnum,
      PlatformEvent: Prisma.PlatformEventScalarFieldEnum,
      PlatformEventKey: Prisma.PlatformEventKeyScalarFieldEnum,
      PlatformValue: Prisma.PlatformValueScalarFieldEnum,
      PlatformUser: Prisma.PlatformUserScalarFieldEnum,
      Pairing: Prisma.PairingScalarFieldEnum,
      ChatConversation: Prisma.ChatConversationScalarFieldEnum,
      LinkCode: Prisma.LinkCodeScalarFieldEnum,
      LinkTry: Prisma.LinkTryScalarFieldEnum,
      PersonLink: Prisma.PersonLinkScalarFieldEnum,
      Handoff: Prisma.HandoffScalarFieldEnum,
      SpokenConversation: Prisma.SpokenConversationScalarFieldEnum,
    } satisfies Record<keyof typeof Prisma.ModelName, Record<string, string>>;
    for (const [table, columns] of Object.entries(fields)) {
      // Generated columns are left out here, as they are in the schema.
      const found = look(file, (db) => db.pragma(`table_info("${table}")`)) as { name: string }[];
      expect(found.map((column) => column.name).sort(), table).toEqual(Object.values(columns).sort());
    }
  });

  it('refuses a database with a migration it does not know, and leaves it alone', async () => {
    const dir = tempDir();
    const later = migrationsWith(dir, '29990101000000_later', 'CREATE TABLE "Later" ("id" TEXT PRIMARY KEY);');
    const file = await makeDatabase(dir, later);
    const before = readFileSync(file);
    const opening = openStore({ file, backupDir: join(dir, 'backups') });
    await expect(opening).rejects.toMatchObject({ code: 'Storage.TooNew', retryable: false });
    await expect(opening).rejects.toThrow(/29990101000000_later.*Update Hermes.*hermes restore/);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('refuses a database whose migration was another one of the same name', async () => {
    const dir = tempDir();
    const file = await makeDatabase(dir);
    look(file, (db) => db.exec(`UPDATE _prisma_migrations SET checksum = 'other'`));
    await expect(openStore({ file, backupDir: dir })).rejects.toMatchObject({ code: 'Storage.TooNew' });
  });

  it.each([
    ['no database at all', (file: string) => writeFileSync(file, 'a letter to a friend, not a database')],
    [
      'a database with broken pages',
      (file: string) => {
        const bytes = readFileSync(file);
        bytes.fill(0x5a, 4096, bytes.length - 4096);
        writeFileSync(file, bytes);
      },
    ],
    ['a database cut short', (file: string) => writeFileSync(file, readFileSync(file).subarray(0, 20_000))],
    ["somebody else's database", (file: string) => look(file, (db) => db.exec('DROP TABLE _prisma_migrations'))],
  ])('refuses %s, and leaves it alone', async (_what, damage) => {
    const dir = tempDir();
    const file = await makeDatabase(dir);
    damage(file);
    const before = readFileSync(file);
    const opening = openStore({ file, backupDir: join(dir, 'backups') });
    await expect(opening).rejects.toMatchObject({ code: 'Storage.Damaged', retryable: false });
    await expect(opening).rejects.toThrow(/hermes restore/);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('refuses to start after a restore that was cut short', async () => {
    const dir = tempDir();
    const file = join(dir, 'hermes.db');
    writeFileSync(`${file}.restoring`, 'half');
    await expect(openStore({ file, backupDir: dir })).rejects.toMatchObject({ code: 'Storage.Damaged' });
    expect(existsSync(file)).toBe(false);
  });
});

describe('migrating an existing database', () => {
  it('backs it up first and keeps the newest backups', async () => {
    const dir = tempDir();
    const file = await makeDatabase(dir);
    const backupDir = join(dir, 'backups');
    for (const number of [1, 2, 3]) {
      const name = `2999010100000${number}_step`;
      const sql = `ALTER TABLE "Conversation" ADD COLUMN "extra${number}" TEXT;`;
      const migrationsDir = number === 1 ? migrationsWith(dir, name, sql) : join(dir, 'migrations');
      mkdirSync(join(migrationsDir, name), { recursive: true });
      writeFileSync(join(migrationsDir, name, 'migration.sql'), sql);
      await (await openStore({ file, backupDir, migrationsDir, keepBackups: 2 })).close();
    }
    const backups = readdirSync(backupDir).sort();
    expect(backups.map((name) => /before-(.*)\.db$/.exec(name)?.[1])).toEqual([
      '29990101000002_step',
      '29990101000003_step',
    ]);
    const kept = look(join(backupDir, backups[0] ?? ''), (db) => ({
      rows: db.prepare('SELECT id FROM Conversation').all(),
      columns: (db.pragma('table_info("Conversation")') as { name: string }[]).map((column) => column.name),
    }));
    expect(kept.rows).toEqual([{ id: 'kept' }]);
    expect(kept.columns).toContain('extra1');
    expect(kept.columns).not.toContain('extra2');
  });

  it('leaves the old state when a migration breaks in the middle', async () => {
    const dir = tempDir();
    const file = await makeDatabase(dir);
    const broken =
      'ALTER TABLE "Conversation" ADD COLUMN "half" TEXT; DELETE FROM "Conversation"; SELECT no_such_function();';
    const migrationsDir = migrationsWith(dir, '29990101000001_broken', broken);
    await expect(openStore({ file, backupDir: join(dir, 'backups'), migrationsDir })).rejects.toMatchObject({
      code: 'Internal.Invariant',
    });
    const store = await openStore({ file, backupDir: join(dir, 'backups') });
    expect((await store.conversations.get('kept'))?.id).toBe('kept');
    await store.close();
    const columns = look(file, (db) => db.pragma('table_info("Conversation")')) as { name: string }[];
    expect(columns.map((column) => column.name)).not.toContain('half');
  });

  it('refuses one that leaves rows pointing nowhere', async () => {
    const dir = tempDir();
    const file = await makeDatabase(dir);
    const sql = `INSERT INTO "TodoList" VALUES ('nobody', '[]', '');`;
    const migrationsDir = migrationsWith(dir, '29990101000001_orphans', sql);
    await expect(openStore({ file, backupDir: dir, migrationsDir })).rejects.toThrow(/point nowhere/);
  });
});

import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { createBackup, verifyBackup } from '../../../src/store/backup-folder.ts';
import { checkStore } from '../../../src/store/check-store.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { restoreBackup } from '../../../src/store/restore-backup.ts';
import { tempDir } from './support/open-temp-store.ts';

/** A home folder with a store, a Temporal file, settings and keys. */
async function makeHome(): Promise<string> {
  const home = join(tempDir(), 'home');
  await putConversation(home, 'first');
  const temporal = new BetterSqlite3(join(home, 'temporal.db'));
  temporal.exec(`CREATE TABLE progress (state TEXT); INSERT INTO progress VALUES ('first')`);
  temporal.close();
  writeFileSync(join(home, 'temporal.db.version'), '{"server":"1"}');
  writeFileSync(join(home, 'config.yaml'), 'model:\n  name: first\n');
  writeFileSync(join(home, 'secrets.yaml'), 'key: hidden\n', { mode: 0o600 });
  return home;
}

async function putConversation(home: string, id: string): Promise<void> {
  const store = await openStore({ file: join(home, 'hermes.db'), backupDir: join(home, 'backups') });
  await store.conversations.create({ id, personId: 'anna', platform: 'cli' });
  await store.close();
}

async function conversationsOf(home: string): Promise<readonly string[]> {
  const store = await openStore({ file: join(home, 'hermes.db'), backupDir: join(home, 'backups') });
  const rows = await store.conversations.list('anna', { limit: 9 });
  await store.close();
  return rows.map((row) => row.id).sort();
}

describe('a backup', () => {
  it('is taken while the store is open, and brings everything back', async () => {
    const home = await makeHome();
    const open = await openStore({ file: join(home, 'hermes.db'), backupDir: join(home, 'backups') });
    await open.conversations.create({ id: 'second', personId: 'anna', platform: 'cli' });
    const to = join(home, 'backups', 'mine');
    const { manifest } = await createBackup({ home, to, withSecrets: false });
    await open.close();
    expect(manifest.files.map((file) => file.name)).toEqual([
      'temporal.db.version',
      'temporal.db',
      'config.yaml',
      'hermes.db',
    ]);
    expect(readdirSync(to).sort()).toEqual([
      'config.yaml',
      'hermes.db',
      'manifest.json',
      'temporal.db',
      'temporal.db.version',
    ]);

    await putConversation(home, 'third');
    writeFileSync(join(home, 'config.yaml'), 'model:\n  name: changed\n');
    const result = await restoreBackup({ home, from: to });
    expect(result.restored).toContain('hermes.db');
    expect(await conversationsOf(home)).toEqual(['first', 'second']);
    expect(readFileSync(join(home, 'config.yaml'), 'utf8')).toContain('first');
    expect(readFileSync(join(home, 'secrets.yaml'), 'utf8')).toBe('key: hidden\n');
    const aside = result.keptAside.find((path) => path.includes('hermes.db.before-restore-')) ?? '';
    const old = new BetterSqlite3(aside, { readonly: true });
    expect(old.prepare('SELECT count(*) AS n FROM Conversation').get()).toEqual({ n: 3 });
    old.close();
    expect(readdirSync(home).filter((name) => name.endsWith('.restoring'))).toEqual([]);
  });

  it('holds keys only when they are asked for, and only for the owner', async () => {
    const home = await makeHome();
    const to = join(home, 'b');
    await createBackup({ home, to, withSecrets: true });
    expect(readFileSync(join(to, 'secrets.yaml'), 'utf8')).toBe('key: hidden\n');
    if (process.platform !== 'win32') expect(statSync(join(to, 'secrets.yaml')).mode & 0o077).toBe(0);
  });

  it('does not overwrite another one', async () => {
    const home = await makeHome();
    await createBackup({ home, to: join(home, 'b'), withSecrets: false });
    await expect(createBackup({ home, to: join(home, 'b'), withSecrets: false })).rejects.toMatchObject({
      code: 'Storage.Conflict',
    });
  });
});

describe('a restore', () => {
  it('refuses a backup that has changed, and changes nothing', async () => {
    const home = await makeHome();
    const from = join(home, 'b');
    await createBackup({ home, to: from, withSecrets: false });
    writeFileSync(join(from, 'config.yaml'), 'evil: true\n');
    await expect(restoreBackup({ home, from })).rejects.toMatchObject({ code: 'Storage.Damaged' });
    rmSync(join(from, 'config.yaml'));
    await expect(verifyBackup(from)).rejects.toThrow(/config.yaml is missing/);
    writeFileSync(join(from, 'manifest.json'), '{"format":1,"files":[{"name":"../x","sizeBytes":0,"sha256":""}]}');
    await expect(verifyBackup(from)).rejects.toThrow(/names files no backup has/);
    writeFileSync(join(from, 'manifest.json'), '{"format":2}');
    await expect(verifyBackup(from)).rejects.toMatchObject({ code: 'Storage.TooNew' });
    expect(await conversationsOf(home)).toEqual(['first']);
    expect(readdirSync(home).some((name) => /before-restore|restoring/.test(name))).toBe(false);
  });

  it('refuses while a part of the service runs', async () => {
    const home = await makeHome();
    const from = join(home, 'b');
    await createBackup({ home, to: from, withSecrets: false });
    mkdirSync(join(home, 'run'));
    writeFileSync(join(home, 'run', 'worker.json'), JSON.stringify({ pid: process.pid }));
    await expect(restoreBackup({ home, from })).rejects.toThrow(/Hermes is running \(worker.*hermes down/);
    writeFileSync(join(home, 'run', 'worker.json'), '{"pid":');
    await restoreBackup({ home, from });
  });

  it('takes a single database, and moves the progress of another store aside', async () => {
    const home = await makeHome();
    const from = join(home, 'b');
    await createBackup({ home, to: from, withSecrets: false });
    await putConversation(home, 'second');
    await restoreBackup({ home, from: join(from, 'hermes.db') });
    expect(await conversationsOf(home)).toEqual(['first']);
    expect(existsSync(join(home, 'temporal.db'))).toBe(false);
    expect(readdirSync(home).some((name) => name.startsWith('temporal.db.before-restore-'))).toBe(true);
    expect(existsSync(join(home, 'config.yaml'))).toBe(true);
  });

  it('refuses a database it could not open afterwards', async () => {
    const home = await makeHome();
    const other = join(home, 'other.db');
    const made = new BetterSqlite3(other);
    made.exec('CREATE TABLE a (b)');
    made.close();
    await expect(restoreBackup({ home, from: other })).rejects.toMatchObject({ code: 'Storage.Damaged' });
    writeFileSync(other, 'not a database');
    await expect(restoreBackup({ home, from: other })).rejects.toMatchObject({ code: 'Storage.Damaged' });
    expect(await conversationsOf(home)).toEqual(['first']);
  });
});

describe('the check', () => {
  it('counts what is there, and finds a damaged database', async () => {
    const home = await makeHome();
    const file = join(home, 'hermes.db');
    expect(checkStore(file)).toMatchObject({ conversations: 1, messages: 0, pendingMigrations: [] });
    const bytes = readFileSync(file);
    bytes.fill(0x5a, 4096, bytes.length - 4096);
    writeFileSync(file, bytes);
    expect(() => checkStore(file)).toThrow(/hermes restore/);
    expect(() => checkStore(join(home, 'none.db'))).toThrow(/no database/);
  });
});

import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { toPortError } from './errors.ts';

/**
 * Copies a database that may be in use into one file, page by page, without stopping its writers; the copy appears under
 * its name only when it is whole.
 *
 * @throws PortError `Storage.*`
 */
export async function backupDatabase(from: string, to: string): Promise<void> {
  const unfinished = `${to}.unfinished`;
  try {
    const connection = new BetterSqlite3(from, { timeout: 5000, fileMustExist: true });
    try {
      await connection.backup(unfinished);
    } finally {
      connection.close();
    }
    // The copy inherits WAL mode; as one plain file it can be moved and hashed.
    const copy = new BetterSqlite3(unfinished);
    copy.pragma('journal_mode = DELETE');
    copy.close();
    renameSync(unfinished, to);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw toPortError(error);
  }
}

/**
 * A backup of the database before `reason` (`before-20260101000000_name`) is done to it. Keeps the newest `keep` of
 * these.
 *
 * @returns The backup's path.
 */
export async function backupBefore(reason: string, file: string, backupDir: string, keep: number): Promise<string> {
  mkdirSync(backupDir, { recursive: true, mode: 0o700 });
  const stamp = new Date().toISOString().replace(/[-:]/g, '').replace('.', '');
  const to = join(backupDir, `hermes-${stamp}-${reason}.db`);
  await backupDatabase(file, to);
  const ours = readdirSync(backupDir)
    .filter((name) => /^hermes-\d{8}T\d{9}Z-before-.*\.db$/.test(name))
    .sort();
  for (const old of ours.slice(0, Math.max(0, ours.length - keep))) rmSync(join(backupDir, old), { force: true });
  return to;
}

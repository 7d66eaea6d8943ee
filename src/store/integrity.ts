import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import type BetterSqlite3 from 'better-sqlite3';
import { PortError } from '../lib/port-error.ts';
import { toPortError } from './errors.ts';

const header = 'SQLite format 3\0';

/**
 * Rejects a file that is no SQLite database, before anything opens it for writing. A missing or empty file is fine: it
 * becomes a new database.
 *
 * @throws PortError `Storage.Damaged`
 */
export function checkHeader(file: string): void {
  if (!existsSync(file) || statSync(file).size === 0) return;
  const found = Buffer.alloc(header.length);
  const handle = openSync(file, 'r');
  try {
    readSync(handle, found, 0, found.length, 0);
  } finally {
    closeSync(handle);
  }
  if (found.toString('latin1') !== header) throw damaged(file, 'it is not a SQLite database');
}

/**
 * Looks through the whole file for broken pages, rows and indexes; takes about a second per gigabyte.
 *
 * @throws PortError `Storage.Damaged`
 */
export function quickCheck(connection: BetterSqlite3.Database): void {
  let rows: readonly { quick_check: string }[];
  try {
    rows = connection.pragma('quick_check(5)') as { quick_check: string }[];
  } catch (error) {
    const port = toPortError(error);
    throw port.code === 'Storage.Damaged' ? damaged(connection.name, 'it cannot be read', error) : port;
  }
  const problems = rows.map((row) => row.quick_check).filter((line) => line !== 'ok');
  if (problems.length > 0) throw damaged(connection.name, problems.join('; '));
}

export function damaged(file: string, why: string, cause?: unknown): PortError {
  return new PortError(
    'Storage.Damaged',
    `The database ${file} is damaged (${why}). It has not been touched. Stop the service, then bring back a backup ` +
      'with `hermes restore`.',
    { details: { file }, cause },
  );
}

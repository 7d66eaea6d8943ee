import { existsSync, statSync } from 'node:fs';
import { PortError } from '../lib/port-error.ts';
import { connect } from './database.ts';
import { toPortError } from './errors.ts';
import { checkHeader, quickCheck } from './integrity.ts';
import { ownMigrationsDir, pendingMigrations, readMigrations } from './migrate.ts';

export interface StoreCheck {
  readonly file: string;
  readonly sizeBytes: number;
  readonly conversations: number;
  readonly messages: number;
  /** Migrations the next start will apply. */
  readonly pendingMigrations: readonly string[];
}

/**
 * Looks through a whole database: pages, rows, indexes, references and the search index. May run beside the service.
 *
 * @throws PortError `Storage.Damaged`, `Storage.TooNew`, `Storage.Unavailable` when there is none
 */
export function checkStore(file: string): StoreCheck {
  try {
    if (!existsSync(file)) {
      throw new PortError('Storage.Unavailable', `There is no database at ${file}.`, { retryable: false });
    }
    checkHeader(file);
    const connection = connect(file);
    try {
      quickCheck(connection);
      const pending = pendingMigrations(connection, readMigrations(ownMigrationsDir)).map(({ name }) => name);
      const orphans = connection.pragma('foreign_key_check') as unknown[];
      if (orphans.length > 0) {
        throw new PortError('Storage.Damaged', `${orphans.length} rows of ${file} point nowhere.`);
      }
      const hasTables = pending.length < readMigrations(ownMigrationsDir).length;
      if (hasTables) connection.exec(`INSERT INTO MessageSearch (MessageSearch) VALUES ('integrity-check')`);
      const count = (table: string): number =>
        hasTables ? (connection.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n : 0;
      return {
        file,
        sizeBytes: statSync(file).size,
        conversations: count('Conversation'),
        messages: count('Message'),
        pendingMigrations: pending,
      };
    } finally {
      connection.close();
    }
  } catch (error) {
    throw toPortError(error);
  }
}

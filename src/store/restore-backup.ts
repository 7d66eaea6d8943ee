import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { PortError } from '../lib/port-error.ts';
import { backupParts, verifyBackup, type BackupPartName } from './backup-folder.ts';
import { toPortError } from './errors.ts';
import { checkHeader, quickCheck } from './integrity.ts';
import { ownMigrationsDir, pendingMigrations, readMigrations } from './migrate.ts';

/** A copy on its way in. While one of the database lies there, a restore was cut short and nothing may be opened. */
export const stagedName = (path: string): string => `${path}.restoring`;

export interface RestoreResult {
  readonly from: string;
  readonly restored: readonly BackupPartName[];
  /** Where the files went that were there before. */
  readonly keptAside: readonly string[];
}

/**
 * Puts a backup in the place of what the home folder holds; what was there stays beside it as
 * `<name>.before-restore-<time>`. `from` is a backup folder or a single database, such as the one kept before a
 * migration. Nothing is changed unless the backup is whole, known to this version and no part of the service runs. May
 * be called again after it was cut short.
 *
 * @throws PortError `Storage.*`; `Storage.Conflict`, not retryable, while the service runs
 */
export async function restoreBackup(options: { home: string; from: string }): Promise<RestoreResult> {
  const { home, from } = options;
  try {
    refuseWhileRunning(join(home, 'run'));
    mkdirSync(home, { recursive: true, mode: 0o700 });
    const sources = await sourcesOf(from);
    const incoming = backupParts.map((part) => part.name).filter((name) => sources.has(name));
    for (const name of incoming) stage(sources.get(name) as string, join(home, name));
    checkUsable(stagedName(join(home, 'hermes.db')));
    const suffix = `.before-restore-${new Date().toISOString().replace(/[-:.]/g, '')}`;
    const keptAside: string[] = [];
    // The database comes last: until then its staged copy says that the restore is not done.
    for (const { name } of backupParts) {
      const target = join(home, name);
      if (!sources.has(name) && !belongsToTheStore(name)) continue;
      keptAside.push(...setAside(target, suffix));
      if (sources.has(name)) renameSync(stagedName(target), target);
    }
    return { from, restored: incoming, keptAside };
  } catch (error) {
    throw toPortError(error);
  }
}

/** Work in progress is that of one store: beside another one it would ask for turns that never were. */
function belongsToTheStore(name: BackupPartName): boolean {
  return name === 'temporal.db' || name === 'temporal.db.version';
}

async function sourcesOf(from: string): Promise<ReadonlyMap<BackupPartName, string>> {
  if (!existsSync(from)) {
    throw new PortError('Storage.Unavailable', `There is no backup at ${from}.`, { retryable: false });
  }
  if (statSync(from).isFile()) return new Map([['hermes.db', from]]);
  const { files } = await verifyBackup(from);
  if (!files.some((file) => file.name === 'hermes.db')) {
    throw new PortError('Storage.Damaged', `${from} holds no database.`);
  }
  return new Map(files.map((file) => [file.name, join(from, file.name)]));
}

function stage(from: string, target: string): void {
  const staged = stagedName(target);
  rmSync(staged, { force: true });
  copyFileSync(from, staged);
  chmodSync(staged, 0o600);
  const handle = openSync(staged, 'r+');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** A database that this version could not open must not replace one that it can; the staged copy goes again. */
function checkUsable(staged: string): void {
  try {
    checkHeader(staged);
    const connection = new BetterSqlite3(staged);
    try {
      // One plain file again, whatever mode the copy was in: a log left beside it would not move with it.
      connection.pragma('journal_mode = DELETE');
      quickCheck(connection);
      pendingMigrations(connection, readMigrations(ownMigrationsDir));
    } finally {
      connection.close();
    }
  } catch (error) {
    for (const name of readdirSync(dirname(staged))) {
      if (name.endsWith('.restoring') || name.startsWith(basename(staged))) {
        rmSync(join(dirname(staged), name), { force: true });
      }
    }
    throw error;
  }
}

/** Moves a file away with what SQLite keeps beside it: its log holds commits that the file does not have yet. */
function setAside(target: string, suffix: string): readonly string[] {
  if (existsSync(target)) renameSync(target, `${target}${suffix}`);
  for (const extra of ['-wal', '-shm']) {
    if (existsSync(`${target}${extra}`)) renameSync(`${target}${extra}`, `${target}${suffix}${extra}`);
  }
  return existsSync(`${target}${suffix}`) ? [`${target}${suffix}`] : [];
}

function refuseWhileRunning(runDir: string): void {
  if (!existsSync(runDir)) return;
  for (const part of ['supervisor', 'worker', 'gateway', 'temporal']) {
    const file = join(runDir, `${part}.json`);
    const pid = pidIn(file);
    if (pid === undefined || !isAlive(pid)) continue;
    throw new PortError(
      'Storage.Conflict',
      `Hermes is running (${part}, process ${pid}): stop it with \`hermes down\` first. If that process is something ` +
        `else, remove ${file}.`,
      { retryable: false, details: { part, pid } },
    );
  }
}

function pidIn(file: string): number | undefined {
  try {
    const { pid } = JSON.parse(readFileSync(file, 'utf8')) as { pid?: unknown };
    return typeof pid === 'number' ? pid : undefined;
  } catch (error) {
    // Not there, or not written to its end by somebody who is gone.
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

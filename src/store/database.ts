import BetterSqlite3 from 'better-sqlite3';
import { toPortError } from './errors.ts';
import { openPrisma, type PrismaClient } from './prisma-connection.ts';

/** What SQLite can hold. */
export type SqlValue = string | number | null | Buffer;
/** Values by name: `:name` in the statement. */
export type SqlValues = Readonly<Record<string, SqlValue>>;

/** Statements inside one transaction. They run at once: no `await` can let another caller in between. */
/* eslint-disable @typescript-eslint/no-unnecessary-type-parameters -- only who writes a statement knows its rows */
export interface Sql {
  get<Row>(statement: string, values?: SqlValues): Row | undefined;
  all<Row>(statement: string, values?: SqlValues): readonly Row[];
  /** Number of rows changed. */
  run(statement: string, values?: SqlValues): number;
}
/* eslint-enable @typescript-eslint/no-unnecessary-type-parameters */

/** How long a statement waits for another process before it fails with `Storage.Unavailable`. */
const busyTimeoutMs = 5000;

/**
 * The open database: hand-written transactions on one connection, Prisma for ordinary single statements on another.
 * Every method rejects with a PortError `Storage.*` and leaves nothing half done.
 */
export class Database {
  readonly #connection: BetterSqlite3.Database;
  readonly #prisma: PrismaClient;
  readonly #statements = new Map<string, BetterSqlite3.Statement>();
  readonly #sql: Sql;

  private constructor(connection: BetterSqlite3.Database, prisma: PrismaClient) {
    this.#connection = connection;
    this.#prisma = prisma;
    this.#sql = {
      get: (statement, values = {}) => this.#prepare(statement).get(values) as never,
      all: (statement, values = {}) => this.#prepare(statement).all(values) as never[],
      run: (statement, values = {}) => this.#prepare(statement).run(values).changes,
    };
  }

  static async open(file: string): Promise<Database> {
    try {
      const connection = connect(file);
      const prisma = openPrisma(file);
      await prisma.$connect();
      return new Database(connection, prisma);
    } catch (error) {
      throw toPortError(error);
    }
  }

  /** One write transaction. Takes the write lock first, so that it never has to give up half-way for another writer. */
  write<T>(work: (sql: Sql) => T): Promise<T> {
    return this.#transaction('BEGIN IMMEDIATE', work);
  }

  /**
   * A write that a power cut (not a kill) may undo, for what is then done again anyway: it spares the wait for the disk.
   * Later durable writes make it durable too.
   */
  writeRelaxed<T>(work: (sql: Sql) => T): Promise<T> {
    this.#connection.pragma('synchronous = NORMAL');
    try {
      return this.#transaction('BEGIN IMMEDIATE', work);
    } finally {
      this.#connection.pragma('synchronous = FULL');
    }
  }

  /** One consistent view of several reads. */
  read<T>(work: (sql: Sql) => T): Promise<T> {
    return this.#transaction('BEGIN', work);
  }

  /** One ordinary statement in Prisma's words. */
  async query<T>(work: (prisma: PrismaClient) => Promise<T>): Promise<T> {
    try {
      return await work(this.#prisma);
    } catch (error) {
      throw toPortError(error);
    }
  }

  async close(): Promise<void> {
    await this.#prisma.$disconnect();
    this.#connection.close();
  }

  #transaction<T>(begin: string, work: (sql: Sql) => T): Promise<T> {
    try {
      this.#prepare(begin).run();
      const result = work(this.#sql);
      this.#prepare('COMMIT').run();
      return Promise.resolve(result);
    } catch (error) {
      // SQLite ends the transaction by itself on some errors (full disk, I/O).
      if (this.#connection.open && this.#connection.inTransaction) this.#connection.exec('ROLLBACK');
      return Promise.reject(toPortError(error));
    }
  }

  #prepare(statement: string): BetterSqlite3.Statement {
    let prepared = this.#statements.get(statement);
    if (prepared === undefined) {
      prepared = this.#connection.prepare(statement);
      this.#statements.set(statement, prepared);
    }
    return prepared;
  }
}

/**
 * Opens one connection with the settings every connection of ours has. FULL: a commit survives a power cut; WAL: readers
 * never wait.
 */
export function connect(file: string): BetterSqlite3.Database {
  const connection = new BetterSqlite3(file, { timeout: busyTimeoutMs });
  try {
    useWal(connection);
    connection.pragma('synchronous = FULL');
    connection.pragma('foreign_keys = ON');
    connection.pragma('journal_size_limit = 67108864');
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function useWal(connection: BetterSqlite3.Database): void {
  const until = Date.now() + busyTimeoutMs;
  for (;;) {
    try {
      connection.pragma('journal_mode = WAL');
      return;
    } catch (error) {
      // The switch does not wait for the busy timeout when another process is switching too.
      const busy = error instanceof BetterSqlite3.SqliteError && error.code.startsWith('SQLITE_BUSY');
      if (!busy || Date.now() > until) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

/** Now, as the store writes it. */
export function now(): string {
  return new Date().toISOString();
}

import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { connect } from '../../../src/store/database.ts';
import { toPortError } from '../../../src/store/errors.ts';
import { openPrisma } from '../../../src/store/prisma-connection.ts';
import { openTempStore, tempDir } from './support/open-temp-store.ts';

const failureOf = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    return toPortError(error);
  }
  throw new Error('it does not fail');
};

describe('what SQLite throws', () => {
  it('is Storage.Full when there is no room, and the transaction leaves nothing', () => {
    const connection = connect(join(tempDir(), 'a.db'));
    connection.exec('CREATE TABLE a (b)');
    const pages = connection.pragma('page_count', { simple: true }) as number;
    connection.pragma(`max_page_count = ${pages + 1}`);
    const fill = connection.transaction(() => {
      for (let row = 0; row < 100; row++) connection.prepare('INSERT INTO a VALUES (zeroblob(4000))').run();
    });
    expect(failureOf(() => fill())).toMatchObject({ code: 'Storage.Full', retryable: true });
    expect(connection.prepare('SELECT count(*) AS n FROM a').get()).toEqual({ n: 0 });
    connection.close();
  });

  it('is Storage.Unavailable while another process writes', () => {
    const file = join(tempDir(), 'a.db');
    const writer = connect(file);
    const other = new BetterSqlite3(file, { timeout: 10 });
    writer.exec('CREATE TABLE a (b); BEGIN IMMEDIATE');
    expect(failureOf(() => other.exec('BEGIN IMMEDIATE'))).toMatchObject({
      code: 'Storage.Unavailable',
      retryable: true,
    });
    writer.close();
    other.close();
  });

  it('is the same through Prisma, which may run single statements only', async () => {
    const store = await openTempStore();
    const prisma = openPrisma(store.file);
    const failure = (work: Promise<unknown>) => work.then(() => undefined, toPortError);
    await prisma.person.create({ data: { id: 'anna' } });
    expect(await failure(prisma.person.create({ data: { id: 'anna' } }))).toMatchObject({ code: 'Storage.Conflict' });
    expect(await failure(prisma.person.create({ data: { id: 'bert', currentConversationId: 'none' } }))).toMatchObject({
      code: 'Storage.Conflict',
      retryable: false,
    });
    expect(await failure(prisma.$transaction((inner) => inner.person.findMany()))).toMatchObject({
      code: 'Internal.Invariant',
      retryable: false,
    });
    await prisma.$disconnect();
  });

  it('never repeats what people wrote', () => {
    const connection = new BetterSqlite3(':memory:');
    const failure = failureOf(() => connection.exec(`SELECT 'my secret' FROM nowhere`));
    expect(failure.code).toBe('Internal.Invariant');
    expect(failure.message).not.toContain('secret');
    connection.close();
  });
});

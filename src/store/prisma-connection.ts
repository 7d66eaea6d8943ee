import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import { PortError } from '../lib/port-error.ts';
import { PrismaClient } from './generated/client.ts';

export type { PrismaClient };

type Adapter = Awaited<ReturnType<PrismaBetterSqlite3['connect']>>;

/**
 * Prisma's connection to the database file, beside the one of {@link Database}. It runs single statements only: the
 * adapter lets queries from elsewhere slip into an open transaction, and a write lock held across an `await` would make
 * the other connection of this process wait for itself. What needs several statements goes through `Database.write`.
 */
export function openPrisma(file: string): PrismaClient {
  const inner = new PrismaBetterSqlite3({ url: file, timeout: 5000 });
  return new PrismaClient({
    adapter: {
      provider: inner.provider,
      adapterName: inner.adapterName,
      connectToShadowDb: () => inner.connectToShadowDb(),
      connect: async () => singleStatements(await inner.connect()),
    },
    errorFormat: 'minimal',
  });
}

async function singleStatements(adapter: Adapter): Promise<Adapter> {
  // In WAL mode the driver's build would default to NORMAL, which may lose the last commits with the power.
  await adapter.executeScript('PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
  adapter.startTransaction = () =>
    Promise.reject(new PortError('Internal.Invariant', 'Prisma was asked for a transaction; use Database.write.'));
  return adapter;
}

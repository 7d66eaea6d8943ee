import { createHash } from 'node:crypto';
import type { Memory, MemoryStore } from '../tools/tool-deps.ts';
import { now, type Database } from './database.ts';

const shown = { id: true, text: true, createdAt: true } as const;

export function memoryStore(database: Database): MemoryStore {
  return {
    list: (personId) =>
      database.query((prisma) =>
        prisma.memory.findMany({
          where: { personId, removedAt: null },
          orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
          select: shown,
        }),
      ),
    add: (memory) =>
      database.write((sql) => {
        sql.run(
          `INSERT INTO Memory (id, key, personId, text, conversationId, turn, createdAt, updatedAt)
           VALUES (:id, :key, :personId, :text, :conversationId, :turn, :at, :at) ON CONFLICT (key) DO NOTHING`,
          {
            id: idOf(memory.key),
            key: memory.key,
            personId: memory.personId,
            text: memory.text,
            conversationId: memory.conversationId,
            turn: memory.turn,
            at: now(),
          },
        );
        return sql.get<Memory>('SELECT id, text, createdAt FROM Memory WHERE key = :key', {
          key: memory.key,
        }) as Memory;
      }),
    replace: (id, personId, text) =>
      database.query(async (prisma) => {
        const { count } = await prisma.memory.updateMany({
          where: { id, personId, removedAt: null },
          data: { text, updatedAt: now() },
        });
        return count > 0;
      }),
    remove: (id, personId) =>
      database.query(async (prisma) => {
        // The words go; the key stays, so that a late retry of `add` does not bring them back.
        const { count } = await prisma.memory.updateMany({
          where: { id, personId, removedAt: null },
          data: { text: '', removedAt: now() },
        });
        return count > 0;
      }),
  };
}

/** Short, because the model has to repeat it. */
function idOf(key: string): string {
  return `m-${createHash('sha256').update(key).digest('hex').slice(0, 10)}`;
}

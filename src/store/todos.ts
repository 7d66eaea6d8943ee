import type { TodoItem, TodoStore } from '../tools/tool-deps.ts';
import { now, type Database } from './database.ts';

export function todoStore(database: Database): TodoStore {
  return {
    read: (conversationId) =>
      database.query(async (prisma) => {
        const row = await prisma.todoList.findUnique({ where: { conversationId } });
        return row === null ? [] : (JSON.parse(row.items) as TodoItem[]);
      }),
    write: (conversationId, list) =>
      database.query(async (prisma) => {
        const row = { items: JSON.stringify(list), updatedAt: now() };
        await prisma.todoList.upsert({
          where: { conversationId },
          create: { conversationId, ...row },
          update: row,
        });
      }),
  };
}

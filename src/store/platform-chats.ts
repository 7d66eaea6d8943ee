import type { Database } from './database.ts';
import type { ChatConversationRepository } from './platform-ports.ts';

export function chatConversationRepository(database: Database): ChatConversationRepository {
  return {
    get: (chat) =>
      database.read(
        (sql) =>
          sql.get<{ conversationId: string }>('SELECT conversationId FROM ChatConversation WHERE chat = :chat', {
            chat,
          })?.conversationId ?? null,
      ),
    set: (chat, conversationId) =>
      database.write((sql) => {
        sql.run(
          `INSERT INTO ChatConversation (chat, conversationId) VALUES (:chat, :conversationId)
           ON CONFLICT (chat) DO UPDATE SET conversationId = excluded.conversationId`,
          { chat, conversationId },
        );
      }),
  };
}

import { randomBytes } from 'node:crypto';
import type { ConversationRow, Store } from '../../store/ports.ts';
import { Lanes } from '../lanes.ts';
import type { PlatformChat } from '../platforms/platform.ts';
import type { Admission } from './admit.ts';
import { chatKeyOf } from './names.ts';
import type { Speaker } from './speaker.ts';

export type MakeSpeaker = (
  account: string,
  chat: PlatformChat,
  admission: Extract<Admission, { kind: 'let-in' }>,
) => Speaker;

/** Gives speakers their conversation: a person's current one, or the one a chat goes on with. */
export function speakerMaker(deps: {
  readonly store: Store;
  readonly scope: () => 'person' | 'platform';
}): MakeSpeaker {
  const { store } = deps;
  // Two threads of one talk may ask for its first conversation at the same moment.
  const making = new Lanes();

  return (account, chat, { user, personId, isAdmin }) => {
    const key = keyOf(account, chat, personId, deps.scope());
    const base = { account, chat, user, personId, isAdmin };
    if (key === null) {
      return {
        ...base,
        conversation: () => store.conversations.current(personId),
        goOnWith: (conversationId) => store.conversations.setCurrent(personId, conversationId),
      };
    }
    return {
      ...base,
      conversation: () => making.run(key, () => conversationOf(store, { key, account, personId })),
      goOnWith: (conversationId) => store.chatConversations.set(key, conversationId),
    };
  };
}

/** Null: the person's current conversation. */
function keyOf(account: string, chat: PlatformChat, personId: string, scope: 'person' | 'platform'): string | null {
  if (chat.kind === 'group') return chatKeyOf(account, chat);
  return scope === 'platform' ? `${personId}@${account}` : null;
}

async function conversationOf(
  store: Store,
  of: { key: string; account: string; personId: string },
): Promise<ConversationRow> {
  const id = await store.chatConversations.get(of.key);
  const row = id === null ? null : await store.conversations.get(id);
  if (row?.personId === of.personId) return row;
  // Never the id of one that was deleted: its workflow may still remember that talk.
  const made = await store.conversations.create({
    id: `chat-${randomBytes(6).toString('hex')}`,
    personId: of.personId,
    platform: of.account,
  });
  await store.chatConversations.set(of.key, made.id);
  return made;
}

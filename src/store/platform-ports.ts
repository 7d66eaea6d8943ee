/** The tables of chat platforms, as interfaces. Every method rejects with a PortError `Storage.*` and nothing else. */

/** Somebody on a platform who may talk to the agent. */
export interface PlatformUser {
  readonly account: string;
  /** The platform's own id. */
  readonly userId: string;
  readonly personId: string;
  readonly role: 'admin' | 'user';
  readonly name: string;
  /** Their direct chat with the agent, once they have written there. */
  readonly directChat: string | null;
  readonly since: string;
}

export interface PlatformUserRepository {
  get(account: string, userId: string): Promise<PlatformUser | null>;
  /** Newest first. */
  list(): Promise<readonly PlatformUser[]>;
  ofPerson(personId: string): Promise<readonly PlatformUser[]>;
  /** Adds or replaces. */
  put(user: PlatformUser): Promise<void>;
  /** False when there was none. */
  remove(account: string, userId: string): Promise<boolean>;
}

/** Small durable values of an account: cursors, sessions, auth state, its home chat. */
export interface PlatformValueRepository {
  load(account: string, name: string): Promise<string | null>;
  /** One transaction; null removes. */
  save(account: string, values: Readonly<Record<string, string | null>>): Promise<void>;
  names(account: string, prefix: string): Promise<readonly string[]>;
}

/**
 * Which conversation a chat goes on with, where that is not the person's current one: groups, threads, and direct chats
 * with `conversation.scope: platform`.
 */
export interface ChatConversationRepository {
  /** @param chat `telegram:-100123:7`, or `owner@telegram`. */
  get(chat: string): Promise<string | null>;
  set(chat: string, conversationId: string): Promise<void>;
}

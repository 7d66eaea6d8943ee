/** The tables of chat platforms, as interfaces. Every method rejects with a PortError `Storage.*` and nothing else. */

/** Somebody on a platform who may talk to the agent. */
export interface PlatformUser {
  readonly account: string;
  /** The platform's own id. */
  readonly userId: string;
  readonly personId: string;
  readonly role: 'admin' | 'user';
  /**
   * What lets them in: a list of the configuration, which counts only as long as it names them, or a pairing (also a
   * link). Absent: a pairing.
   */
  readonly via?: 'owner' | 'allow' | 'pairing';
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
  /**
   * Adds or replaces, unless the person, the role or what lets them in is not as `known` says (null: not there) any more:
   * they were turned away, let in or linked meanwhile. Then it writes nothing and resolves to false.
   */
  update(known: PlatformUser | null, user: PlatformUser): Promise<boolean>;
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

/** Something a platform delivered. */
export interface PlatformEventRow {
  /** Order of arrival over all accounts. */
  readonly seq: number;
  readonly account: string;
  readonly key: string;
  /** Chat and thread; events of one lane are processed one after the other. */
  readonly lane: string;
  readonly sender: string;
  /** The event as JSON; empty once nothing of it is needed any more. */
  readonly event: string;
  /** `taken`: what its turn consists of is fixed. `joined`: it is part of the turn of another event. */
  readonly state: 'received' | 'taken' | 'joined' | 'done' | 'ignored' | 'failed';
  /** Fixed when it is taken. */
  readonly conversationId: string | null;
  /** Tries that failed for a reason that waiting does not mend. */
  readonly attempts: number;
  readonly error: string | null;
  readonly receivedAt: string;
}

export interface PlatformEventRepository {
  /**
   * Keeps an event, on disk when it resolves. `created` is false when it is known under any of the keys; nothing is
   * written then but keys not known yet.
   */
  accept(event: {
    account: string;
    /** The first one names it. */
    keys: readonly [string, ...string[]];
    lane: string;
    sender: string;
    event: string;
  }): Promise<{ created: boolean }>;
  /** Lanes with something to do, the longest waiting first, without those named. */
  openLanes(except: readonly string[], limit: number): Promise<readonly string[]>;
  /** What a lane still has to do, oldest first. */
  open(lane: string, limit: number): Promise<readonly PlatformEventRow[]>;
  /** Fixes what a turn consists of: from now on the events `joined` are part of `seq`. Does nothing the second time. */
  take(seq: number, turn: { joined: readonly number[]; conversationId: string }): Promise<void>;
  /** The event taken and those joined to it, oldest first. */
  members(seq: number): Promise<readonly PlatformEventRow[]>;
  /** Ends an event and those joined to it, and empties them; a failed one keeps what it was. Idempotent. */
  settle(seq: number, end: { state: 'done' | 'ignored' | 'failed'; error?: string }): Promise<void>;
  /** Counts a try that failed; returns how many there were. */
  countFailure(seq: number, error: string): Promise<number>;
  /** Forgets events that ended before, and keys from before. */
  prune(before: { events: string; keys: string }): Promise<void>;
}

/** Somebody unknown who has been given a code. */
export interface PairingRow {
  readonly account: string;
  readonly userId: string;
  readonly name: string;
  /** The direct chat the code went to. */
  readonly chat: string;
  readonly codeHash: string;
  readonly requestedAt: string;
  readonly expiresAt: string;
}

export interface PairingRepository {
  /**
   * Writes a request down unless the user asked less than `gapMs` ago or `maxPending` others of the account wait already.
   * `made` also when the same request (same code) was made before.
   */
  request(pairing: PairingRow, limits: { gapMs: number; maxPending: number }): Promise<'made' | 'recent' | 'full'>;
  /** Not expired ones, newest first. */
  pending(): Promise<readonly PairingRow[]>;
  /** The user is let in and the request is gone, in one transaction. False when there was no such request any more. */
  approve(codeHash: string, user: PlatformUser): Promise<boolean>;
  /** False when there was none. */
  remove(account: string, userId: string): Promise<boolean>;
}

import type { ReplyAddress } from '../contracts/conversation.ts';
import type { PlatformUser } from './platform-ports.ts';

/** The tables of persons with several accounts, as interfaces. Every method rejects with a PortError `Storage.*` only. */

/** A code that joins another account to the person who gave it. */
export interface LinkCode {
  /** The code itself is nowhere in the store. */
  readonly codeHash: string;
  readonly account: string;
  readonly userId: string;
  readonly personId: string;
  readonly role: PlatformUser['role'];
  readonly expiresAt: string;
}

export type Redeemed =
  /** `before` is the person the account was until now; `from` is who gave the code. */
  | { readonly state: 'linked'; readonly user: PlatformUser; readonly before: string; readonly from: LinkCode }
  /** The account belongs to the code's person already; the code stays unused. */
  | { readonly state: 'same' }
  | { readonly state: 'wrong'; readonly triesLeft: number }
  | { readonly state: 'locked'; readonly until: string };

export interface LinkRepository {
  /** Also forgets what expired long ago, and the account's oldest codes beyond a few. */
  issue(code: LinkCode): Promise<void>;
  /**
   * Joins the account to the code's person, in one transaction; idempotent by `key`. A wrong code counts, once per key;
   * `tries` wrong ones in a row lock the account for `lockMs`.
   */
  redeem(attempt: {
    readonly codeHash: string;
    readonly key: string;
    /** As the account is now; a stranger with the person they would get. */
    readonly user: PlatformUser;
    /** ISO. */
    readonly at: string;
    readonly tries: number;
    readonly lockMs: number;
  }): Promise<Redeemed>;
  /** What joined the account to its person; null when nothing did, or it was taken back. */
  of(account: string, userId: string): Promise<{ readonly personId: string; readonly formerPersonId: string } | null>;
  /** Whether the command with this key took the account out of its person. */
  endedBy(account: string, userId: string, key: string): Promise<boolean>;
  /**
   * Gives the account its former person and role back, or `otherwise` where no code had joined it; its unused codes are
   * void. Idempotent by `key`.
   */
  unlink(end: {
    readonly key: string;
    readonly user: PlatformUser;
    readonly otherwise: Pick<PlatformUser, 'personId' | 'role'>;
    readonly at: string;
  }): Promise<PlatformUser>;
}

/** A turn whose answer goes elsewhere. */
export interface HandoffRow {
  readonly conversationId: string;
  readonly turn: number;
  readonly to: ReplyAddress;
  readonly createdAt: string;
}

export interface HandoffRepository {
  /** Replaces an earlier one of the turn. */
  put(handoff: Omit<HandoffRow, 'createdAt'>): Promise<void>;
  /** Where the turn's answer goes instead; null: where it was asked. */
  to(conversationId: string, turn: number): Promise<ReplyAddress | null>;
  /** Not settled yet, oldest first. */
  open(limit: number): Promise<readonly HandoffRow[]>;
  /** The answer has been taken care of. Idempotent. */
  settle(conversationId: string, turn: number): Promise<void>;
}

/** Conversations whose answers are spoken on request. */
export interface SpokenConversationRepository {
  has(conversationId: string): Promise<boolean>;
  set(conversationId: string, spoken: boolean): Promise<void>;
}

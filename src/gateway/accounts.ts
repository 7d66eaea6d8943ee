import type { ReplyAddress } from '../contracts/conversation.ts';
import type { ConnectionState, PlatformConnection, PlatformDescriptor, SettingValues } from './platforms/platform.ts';

/** The accounts that are configured and enabled, connected or not; what inbound and outbound look them up in. */
export interface Accounts {
  /** Undefined for an account that is not enabled (any more). */
  get(accountId: string): OpenAccount | undefined;
  list(): readonly AccountReport[];
}

/** An account as the configuration has it. */
export interface ConfiguredAccount {
  /** `telegram`, `telegram/work`. */
  readonly id: string;
  readonly descriptor: PlatformDescriptor;
  readonly settings: SettingValues<PlatformDescriptor['settings']>;
  readonly conduct: AccountConduct;
}

export interface OpenAccount {
  readonly id: string;
  readonly descriptor: PlatformDescriptor;
  readonly connection: PlatformConnection;
  /** Of `gateway.<platform>.*`. */
  readonly conduct: AccountConduct;
}

export interface AccountConduct {
  readonly owner: readonly string[];
  readonly allow: readonly string[];
  readonly admins: readonly string[];
  readonly groups: readonly string[];
  readonly strangers: 'pair' | 'ignore';
  readonly home: string | null;
}

export interface AccountReport {
  readonly id: string;
  readonly platform: string;
  readonly state: ConnectionState | 'stopped';
  readonly detail: string;
  readonly name: string | null;
  readonly lastEventAt: string | null;
  readonly lastError: string | null;
  /** What the person who sets it up must see now: a QR code as text. */
  readonly shown: string | null;
  /** Messages that wait to be sent, and sends whose fate is unknown. */
  readonly waiting: number;
  readonly ambiguous: number;
}

/** Takes messages that must be sent; the outbox sends them. */
export interface OutboxWriter {
  /** Idempotent by key. Resolves once it is in the store; the sending follows by itself, in order within a chat. */
  enqueue(message: {
    /** Names it for ever: `event/telegram/update/12/reply`. */
    readonly key: string;
    readonly to: ReplyAddress;
    /** Markdown; the outbox writes the platform's dialect and cuts it into parts. */
    readonly text: string;
    readonly conversationId: string | null;
    readonly replyTo?: string;
  }): Promise<void>;
}

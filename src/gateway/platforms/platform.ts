import type { Readable } from 'node:stream';
import type { JsonValue } from '../../contracts/json.ts';

/**
 * What a chat platform is to the gateway. One account of a platform (a bot token, a phone) is one connection; a platform
 * is a folder with a descriptor (light, loaded always) and an adapter (with the SDK, loaded when the account is enabled).
 * Every failure is a PortError with a `Platform.*` code. No SDK retries anything by itself.
 */
export interface PlatformDescriptor<S extends PlatformSettings = PlatformSettings> {
  /** `telegram`; also the key in the configuration and the platform of addresses. */
  readonly id: string;
  readonly title: string;
  readonly capabilities: PlatformCapabilities;
  /** Told to the model: what this platform shows and what it does not. One or two sentences. */
  readonly promptHint: string;
  /** Keys under `gateway.<id>`, beside the ones every platform has (`commonSettings`). */
  readonly settings: S;
  /** What must be set before the account can be enabled. */
  readonly needs: readonly (keyof S & string)[];
  /** Steps a person takes to get the credentials, in order; `setting` is asked for after the step. */
  readonly setup: readonly { readonly text: string; readonly setting?: keyof S & string }[];
  /** Set where an account is not proven by its credentials but paired by a code that `run` shows. */
  readonly pairs?: true;
  /** Loads the SDK. Does not connect. Throws PortError Config.Invalid for settings that cannot work. */
  open(account: PlatformAccount<S>): Promise<PlatformConnection>;
}

/** One configured account. */
export interface PlatformAccount<S extends PlatformSettings = PlatformSettings> {
  /** `telegram`, or `telegram/work` for a second one; unique, and what addresses carry as `platform`. */
  readonly id: string;
  readonly settings: SettingValues<S>;
  readonly log: PlatformLog;
}

export interface PlatformLog {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

export interface PlatformCapabilities {
  /** Longest text of one message, in the unit the platform counts. */
  readonly text: { readonly max: number; readonly unit: 'utf16' | 'codepoints' | 'bytes' };
  readonly dialect: Dialect;
  /** Whether a sent text can be replaced; without it nothing is streamed. */
  readonly edits: boolean;
  /** Shortest pause between two sends or edits in one chat, and over all chats of the account. */
  readonly paceMs: { readonly chat: number; readonly account: number };
  /** Most choices of one message as native buttons; 0: none, choices are typed. */
  readonly buttons: number;
  /** How long "is typing" lasts once shown; null: there is none. */
  readonly typingMs: number | null;
  readonly threads: boolean;
  readonly commands: 'native' | 'text';
  readonly files: { readonly sendBytes: number; readonly receiveBytes: number; readonly captionMax: number };
  readonly voiceNotes: boolean;
  /**
   * What sending one key twice does. `native`: shows one message; `reconcile`: the platform can be asked; `none`: a send
   * without an answer stays ambiguous.
   */
  readonly sendsOnce: 'native' | 'reconcile' | 'none';
  /** How long a native key is known; absent: for ever. Later `reconcile` is asked, where it knows nothing either. */
  readonly keyHoldsMs?: number;
}

/** How Markdown is written there; src/gateway/format has one writer and one property test for each. */
export type Dialect = 'telegram-html' | 'slack-mrkdwn' | 'discord' | 'whatsapp' | 'signal-styles' | 'plain';

export interface PlatformConnection {
  readonly outbound: PlatformOutbound;
  /**
   * Receives until the signal aborts, reconnecting by itself. Rejects only for what waiting does not mend:
   * Platform.Authentication (wrong token), Platform.Conflict (somebody else polls with this token).
   */
  run(inbox: PlatformInbox, signal: AbortSignal): Promise<void>;
  /** Asks the platform for a sign of life over the connection `run` uses. Rejects when there is none within 10 s. */
  probe(): Promise<void>;
  /** Proves the credentials without receiving anything; says who the account is. */
  identify(): Promise<{ readonly id: string; readonly name: string }>;
  /** Handles a webhook request of this account; absent where the platform calls nobody. */
  webhook?(request: WebhookRequest, inbox: PlatformInbox): Promise<WebhookResponse>;
  /** Makes a file of an event readable, also days later and after a restart, as long as the platform keeps it. */
  fetchFile(
    reference: JsonValue,
    signal: AbortSignal,
  ): Promise<{ readonly stream: Readable; readonly sizeBytes: number | null }>;
  /** Lets go of connections and timers. Idempotent. */
  close(): Promise<void>;
}

export interface WebhookRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}
export interface WebhookResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What the gateway gives a connection. Everything here is durable before it resolves. */
export interface PlatformInbox {
  /**
   * Persists an event. Only when it has resolved may the platform be told that the event has arrived. Idempotent by
   * `key`. Rejects when it cannot be kept; then it was not accepted and must be delivered again.
   */
  accept(event: PlatformEvent): Promise<void>;
  /** Small durable values of the account: cursor, session, auth state. Null where nothing was written. */
  load(name: string): Promise<string | null>;
  /** Several names in one transaction; null removes. */
  save(values: Readonly<Record<string, string | null>>): Promise<void>;
  /** Names saved that begin so. */
  names(prefix: string): Promise<readonly string[]>;
  /** Tells people how the connection is; every change, and the reason where it is not `connected`. */
  state(state: ConnectionState, detail?: string): void;
  /** Something for the person who is setting the account up: a QR code as text, a pairing code. */
  show(text: string): void;
}

export type ConnectionState = 'connecting' | 'connected' | 'waiting' | 'failed';

/** Who and where, in the platform's own ids. */
export interface PlatformChat {
  readonly id: string;
  readonly kind: 'direct' | 'group';
  readonly title?: string;
  /** A thread or topic of its own within the chat. */
  readonly thread?: string;
}
export interface PlatformSender {
  /** Stable; names change. */
  readonly id: string;
  readonly name: string;
  readonly isBot?: boolean;
}

interface EventBase {
  /** Names the event for ever within the account: `update/123`, `msg/C1/17.2`. At most 150 characters. */
  readonly key: string;
  /** Further keys under which the platform may deliver the same thing once more. */
  readonly aliases?: readonly string[];
  readonly chat: PlatformChat;
  readonly sender: PlatformSender;
  /** When the person did it, ISO. */
  readonly at: string;
}

/** JSON only. */
export type PlatformEvent = EventBase &
  (
    | {
        readonly kind: 'message';
        /** As Markdown where the platform tells formatting apart, without the mention of the bot. May be empty with files. */
        readonly text: string;
        readonly messageId: string;
        /** True for an edit of a message that was delivered before. */
        readonly edited?: boolean;
        /** The bot is addressed: by mention, by reply to it, by a command; always true in a direct chat. */
        readonly addressed: boolean;
        /** The text of the message this one answers, shortened. */
        readonly quoted?: string;
        readonly files: readonly PlatformFile[];
      }
    | {
        readonly kind: 'command';
        /** Without slash, as the person typed or chose it; unknown ones too. */
        readonly name: string;
        readonly args: string;
        readonly messageId?: string;
      }
    | {
        readonly kind: 'button';
        /** `data` of the button, as it was sent. */
        readonly data: string;
        readonly messageId: string;
      }
    | {
        /** The bot was blocked, removed or the chat is gone. */
        readonly kind: 'gone';
        readonly reason: string;
      }
  );

export interface PlatformFile {
  readonly kind: 'image' | 'audio' | 'voice' | 'video' | 'document';
  readonly name: string;
  readonly mediaType: string;
  readonly sizeBytes: number | null;
  /** What `fetchFile` needs; JSON, no secrets. */
  readonly reference: JsonValue;
}

/** Where a message goes, as in ReplyAddress: platform is the account's id. */
export interface PlatformAddress {
  readonly chat: string;
  readonly thread?: string;
}

export interface OutboundText {
  /** In the platform's dialect, at most its longest text: `split` made it. */
  readonly text: string;
  readonly buttons?: readonly OutboundButton[];
  /** The message this one answers. */
  readonly replyTo?: string;
}
export interface OutboundButton {
  readonly label: string;
  /** At most 40 ASCII characters; comes back in a button event. */
  readonly data: string;
  readonly style?: 'primary' | 'danger';
}

export interface OutboundFile {
  readonly name: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly kind: PlatformFile['kind'];
  /** In the platform's dialect, at most `captionMax`. */
  readonly caption?: string;
  open(): Promise<Readable>;
}

export interface SendOptions {
  /** Names the delivery for ever; at most 200 characters. Native keys are derived from it. */
  readonly key: string;
  readonly signal: AbortSignal;
}

/**
 * One try per call. Rejects with PortError Platform.RateLimited (retryAfterMs; nothing was sent), Unavailable (nothing was
 * sent), Ambiguous (the request went out and no answer came), RecipientGone, MessageRejected, Authentication.
 */
export interface PlatformOutbound {
  sendText(to: PlatformAddress, text: OutboundText, options: SendOptions): Promise<{ readonly messageId: string }>;
  sendFile(to: PlatformAddress, file: OutboundFile, options: SendOptions): Promise<{ readonly messageId: string }>;
  /** Replaces text and buttons. Repeatable: the same content again is success. Rejects where `edits` is false. */
  edit(to: PlatformAddress, messageId: string, text: OutboundText, options: SendOptions): Promise<void>;
  /** Shows "is typing" for `typingMs`. Losing it is harmless. */
  typing(to: PlatformAddress, signal: AbortSignal): Promise<void>;
  /** Looks for what an ambiguous send became. Only where `sendsOnce` is `reconcile`. */
  reconcile(
    to: PlatformAddress,
    key: string,
    sinceAt: string,
  ): Promise<{ readonly state: 'sent'; readonly messageId: string } | { readonly state: 'absent' | 'unknown' }>;
  /** Tells the person's own client that the press was heard, with a short text; where the platform wants that. */
  acknowledgeButton?(event: Extract<PlatformEvent, { kind: 'button' }>, text: string): Promise<void>;
  /** Registers the commands natively. Idempotent; called once per connection. */
  registerCommands?(
    commands: readonly { readonly name: string; readonly args: string; readonly help: string }[],
  ): Promise<void>;
}

/** One key of a platform's settings, as plain data: config, set-up, docs and redaction are made from it. */
export type PlatformSetting =
  | { readonly kind: 'text'; readonly default: string | null; readonly description: string; readonly env?: string }
  | { readonly kind: 'secret'; readonly description: string; readonly env?: string }
  | { readonly kind: 'url'; readonly default: string | null; readonly description: string }
  | { readonly kind: 'list'; readonly default: readonly string[]; readonly description: string }
  | { readonly kind: 'flag'; readonly default: boolean; readonly description: string }
  | {
      readonly kind: 'whole';
      readonly default: number | null;
      readonly min: number;
      readonly max: number;
      readonly description: string;
    }
  | {
      readonly kind: 'choice';
      readonly choices: readonly string[];
      readonly default: string;
      readonly description: string;
    };

export type PlatformSettings = Readonly<Record<string, PlatformSetting>>;

type SettingValue<T extends PlatformSetting> = T extends { kind: 'flag' }
  ? boolean
  : T extends { kind: 'list' }
    ? readonly string[]
    : T extends { kind: 'choice'; choices: readonly (infer C)[] }
      ? C
      : T extends { kind: 'whole'; default: infer D }
        ? D extends null
          ? number | null
          : number
        : T extends { kind: 'secret' }
          ? string | null
          : T extends { default: infer D }
            ? D extends null
              ? string | null
              : string
            : never;

/** Secrets are plain text here: the adapter is where they are used. */
export type SettingValues<S extends PlatformSettings> = { readonly [K in keyof S]: SettingValue<S[K]> };

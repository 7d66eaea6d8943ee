import type {
  PlatformSettings,
  SettingValues,
  WebhookRequest,
  WebhookResponse,
} from '../../../src/gateway/platforms/platform.ts';

/**
 * A chat platform on loopback, as its protocol has it, and what people do on it. The real SDK talks to it; tests say what
 * happens and see what a person would see. One instance is one account of the agent.
 */
export interface PlatformServer {
  /** The descriptor's settings with which the SDK comes here; known after `start`. */
  settings(): Partial<SettingValues<PlatformSettings>> & Readonly<Record<string, unknown>>;
  /** Every secret among the settings; tests look for them in errors and logs. */
  secrets(): readonly string[];
  start(): Promise<void>;
  /** Ends connections and listeners. Idempotent. */
  stop(): Promise<void>;

  /** A person writes; resolves with the platform's message id once the platform has it (not: once it is delivered). */
  says(message: SaidMessage): Promise<string>;
  command(command: {
    readonly chat: TestChat;
    readonly from: TestPerson;
    readonly name: string;
    readonly args: string;
  }): Promise<void>;
  presses(press: {
    readonly chat: TestChat;
    readonly from: TestPerson;
    readonly messageId: string;
    readonly data: string;
  }): Promise<void>;
  /** Delivers the last event once more, as the platform would after a lost acknowledgement. */
  repeatLast(): Promise<void>;
  /** The next two events come in swapped order. */
  swapNext(): void;
  /** A payload that is no event, through the way events take. */
  malformed(payload: unknown): Promise<void>;

  /** What the agent has sent to the chat, in order, as people see it now. */
  messages(chat: TestChat): readonly SeenMessage[];
  /** How often "is typing" was shown. */
  typings(chat: TestChat): number;
  /** Commands registered natively, without slash; null where the platform has none. */
  commands(): readonly string[] | null;
  /** What presses of buttons were answered with, in order. */
  pressAnswers(): readonly string[];

  /** The next `times` (1) API calls that send, edit or upload end so. */
  fail(fault: PlatformFault, times?: number): void;
  /** Drops the connection over which events come; what is unacknowledged stays. */
  cutConnections(): void;
  /** Connections stay open and nothing comes or goes any more, until it is called with false. */
  wedge(on: boolean): void;
  /** Events that would be delivered again. */
  unacknowledged(): number;
  /** Platforms that call the agent: where calls go from now on; null while the agent is away. Absent on all others. */
  webhook?(to: ((request: WebhookRequest) => Promise<WebhookResponse>) | null): void;
}

export interface TestChat {
  readonly id: string;
  readonly kind: 'direct' | 'group';
  readonly title?: string;
  readonly thread?: string;
}
export interface TestPerson {
  readonly id: string;
  readonly name: string;
}
export interface TestFile {
  readonly kind: 'image' | 'audio' | 'voice' | 'video' | 'document';
  readonly name: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
}
export interface SaidMessage {
  readonly chat: TestChat;
  readonly from: TestPerson;
  readonly text: string;
  /** Mentions the agent; in a direct chat it is addressed anyway. */
  readonly mention?: boolean;
  /** Message of the agent that is answered. */
  readonly replyTo?: string;
  readonly files?: readonly TestFile[];
  /** Message id whose text is replaced. */
  readonly edits?: string;
}

export interface SeenMessage {
  readonly id: string;
  /** As it was sent, in the dialect; for files their caption. */
  readonly text: string;
  readonly edits: number;
  readonly buttons: readonly { readonly label: string; readonly data: string }[];
  readonly files: readonly { readonly name: string; readonly mediaType: string; readonly bytes: Buffer }[];
  readonly thread?: string;
  readonly replyTo?: string;
}

export type PlatformFault =
  | { readonly kind: 'rate-limit'; readonly retryAfterMs: number }
  | { readonly kind: 'server-error' }
  /** Taken, no answer, the connection stays open until the client gives up. */
  | { readonly kind: 'hang' }
  /** The message is shown and the connection is cut before the answer. */
  | { readonly kind: 'accepted-then-cut' }
  /** The connection is cut before anything was read. */
  | { readonly kind: 'cut' }
  | { readonly kind: 'refused-token' }
  | { readonly kind: 'recipient-gone' }
  /** Formatting or content the platform does not take. */
  | { readonly kind: 'rejected' };

import type { ReplyAddress } from '../contracts/conversation.ts';

/** Messages on their way to chats. Every method is one transaction and rejects with a PortError `Storage.*` only. */
export interface OutboxRow {
  /** The order of sending within a chat. */
  readonly seq: number;
  /** Names the message for ever: `<conversation>/<turn>`, an approval's id, `event/telegram/update/12/reply`. */
  readonly id: string;
  readonly kind: 'text' | 'file' | 'ask' | 'live';
  readonly to: ReplyAddress;
  /** Null: the gateway's own words, in no conversation. */
  readonly conversationId: string | null;
  readonly turn: number | null;
  /** Markdown. */
  readonly text: string;
  /** What is sent, in order; null until the sender has cut it, from then on always the same cuts. */
  readonly parts: readonly OutboxPart[] | null;
  readonly approvalId: string | null;
  /** Names the message in the data of its buttons. */
  readonly token: string;
  readonly buttons: readonly OutboxButton[];
  readonly file: OutboxFile | null;
  /** The platform's message this one answers. */
  readonly replyTo: string | null;
  /** `ambiguous`: of some part nobody knows whether it arrived; all others are settled. */
  readonly state: 'new' | 'sending' | 'sent' | 'ambiguous' | 'failed' | 'dropped';
  /** It will be edited once more: a live message that grows, a question with buttons. */
  readonly open: boolean;
  /** Tries in a row that did not work; 0 after each that did. */
  readonly attempts: number;
  readonly nextTryAt: string | null;
  readonly error: string | null;
  readonly createdAt: string;
}

export interface OutboxPart {
  readonly carries: 'text' | 'file';
  /** In the platform's dialect; the caption of a file. */
  readonly text: string;
  readonly state: 'new' | 'sending' | 'sent' | 'ambiguous' | 'failed';
  readonly messageId?: string;
  /** When the first try that may have arrived began, and the newest one. */
  readonly startedAt?: string;
  readonly triedAt?: string;
  /** The platform refused it with its formatting; it goes without. */
  readonly plain?: true;
}

/** A button as it was shown; what a press means must not change with the program. */
export interface OutboxButton {
  readonly label: string;
  readonly decision: 'approve' | 'deny' | 'answer';
  readonly scope?: 'once' | 'conversation' | 'always';
  readonly answer?: string;
}

export interface OutboxFile {
  readonly name: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly kind: 'image' | 'audio' | 'voice' | 'video' | 'document';
  /** Where its bytes are: a blob of the conversation, or an outbox file. */
  readonly source: { readonly blobId: string } | { readonly ownId: string };
}

export interface NewOutboxMessage {
  readonly id: string;
  readonly kind: OutboxRow['kind'];
  readonly to: ReplyAddress;
  readonly conversationId: string | null;
  readonly turn?: number;
  readonly text: string;
  readonly approvalId?: string;
  readonly replyTo?: string;
  readonly file?: OutboxFile;
  /** Bytes of `file`, where they are the message's own. */
  readonly bytes?: Buffer;
  /** Of a live message: it is being sent. */
  readonly parts?: readonly OutboxPart[];
}

export interface OutboxChange {
  readonly id: string;
  readonly parts?: readonly OutboxPart[];
  readonly buttons?: readonly OutboxButton[];
  readonly file?: OutboxFile | null;
  readonly state?: OutboxRow['state'];
  readonly open?: boolean;
  readonly attempts?: number;
  readonly nextTryAt?: string | null;
  readonly error?: string | null;
}

export interface OutboxRepository {
  /** Idempotent by id: the row that is there comes back unchanged. */
  enqueue(message: NewOutboxMessage): Promise<OutboxRow>;
  get(id: string): Promise<OutboxRow | null>;
  /** The question with these buttons. */
  byToken(token: string): Promise<OutboxRow | null>;
  /** All changes or none. Rows that are gone are passed over. */
  change(...changes: readonly OutboxChange[]): Promise<void>;
  /** Chats of these accounts whose first message may be tried now, those that wait longest first. */
  dueLanes(accounts: readonly string[], at: string, limit: number): Promise<readonly OutboxLane[]>;
  /** The message of a chat that is next, due or not. */
  head(lane: OutboxLane): Promise<OutboxRow | null>;
  /** Ends what waits for a chat; returns how many messages that were. */
  failLane(lane: OutboxLane, error: string): Promise<number>;
  /** `seq` of the newest message that arrived in a chat; 0 when none ever did. */
  lastSent(lane: OutboxLane): Promise<number>;
  /** Open live messages of a turn, or of a chat, oldest first. */
  openLives(of: { conversationId: string; turn: number } | OutboxLane): Promise<readonly OutboxRow[]>;
  /** Open live messages whose turn has ended. */
  endedLives(limit: number): Promise<readonly OutboxRow[]>;
  /** Shown questions that have been decided or closed since, due for being redrawn. */
  decidedAsks(at: string, limit: number): Promise<readonly OutboxRow[]>;
  /** Per account: what waits, and what is ambiguous. */
  counts(): Promise<readonly { account: string; waiting: number; ambiguous: number }[]>;
  /** Ambiguous and failed ones, newest first. */
  problems(limit: number): Promise<readonly OutboxRow[]>;
  /** Adds or replaces bytes that go with the message when it goes. */
  keepFile(file: { id: string; outboxId: string; bytes: Buffer }): Promise<void>;
  readFile(id: string, range: { offset: number; maxBytes: number }): Promise<Buffer | null>;
  /** Forgets what was sent or dropped before, and nothing is open of. */
  prune(before: string): Promise<number>;
}

export interface OutboxLane {
  readonly account: string;
  readonly chat: string;
}

import type { BaseLogger } from 'pino';
import type { DecisionScope } from '../../contracts/conversation.ts';
import type { Store } from '../../store/ports.ts';
import type { ConfiguredAccount, OutboxWriter } from '../accounts.ts';
import type { Decide } from '../decide.ts';
import type { PlatformChat, PlatformConnection, PlatformSender } from '../platforms/platform.ts';
import type { Submit } from '../submit.ts';
import type { Pairing } from './pairing.ts';
import type { RunCommand } from './speaker.ts';

/** A button's approval, and what each of its choices decides. */
export interface ButtonMeaning {
  readonly approvalId: string;
  readonly choices: readonly {
    readonly label: string;
    readonly decision: 'approve' | 'deny' | 'answer';
    readonly scope?: DecisionScope;
    readonly answer?: string;
  }[];
}

/** Turns a voice note into words. Rejects with PortError Voice.TranscriptionFailed. */
export type TranscribeNote = (
  file: { readonly bytes: Buffer; readonly name: string; readonly mediaType: string },
  signal: AbortSignal,
) => Promise<string>;

export interface InboundDeps {
  readonly store: Store;
  readonly submit: Submit;
  readonly decide: Decide;
  readonly runCommand: RunCommand;
  readonly outbox: OutboxWriter;
  readonly pairing: Pairing;
  /** Id of the person the service belongs to. */
  readonly ownerId: string;
  /** An enabled account, connected or not. Undefined: not enabled (any more); its events wait. */
  account(accountId: string): ConfiguredAccount | undefined;
  /** Undefined while it is not connected. */
  connection(accountId: string): PlatformConnection | undefined;
  /** What a button's token stands for; null when nothing is known of it. */
  buttonOf(token: string, messageId: string): Promise<ButtonMeaning | null>;
  /** Null: voice notes are not transcribed. */
  transcribe(): TranscribeNote | null;
  /** Whether a transcript is shown back to the person. */
  showTranscript(): boolean;
  burstPauseMs(): number;
  /** `conversation.scope`. */
  scope(): 'person' | 'platform';
  /** The bot was blocked or removed, or the chat is gone. Idempotent. */
  onGone(account: string, chat: PlatformChat, reason: string): Promise<void>;
  /** A stranger typed a code of `/link`: lets them in, or not; the words for them. Absent: strangers cannot. */
  readonly linkStranger?: (
    account: string,
    sender: PlatformSender,
    chat: PlatformChat,
    code: { readonly key: string; readonly code: string },
  ) => Promise<string>;
  readonly log: BaseLogger;
  readonly times?: Partial<InboundTimes>;
}

export interface InboundTimes {
  /** First and longest pause before an event that failed is tried again. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** How long a file may take, and how long it may send nothing. */
  readonly fileMs: number;
  readonly fileStallMs: number;
  readonly transcriptionMs: number;
  /** Pause before a transcription is tried once more. */
  readonly transcriptionPauseMs: number;
  /** Between two times that events of long ago are forgotten. */
  readonly pruneEveryMs: number;
}

export const usualTimes: InboundTimes = {
  firstPauseMs: 500,
  longestPauseMs: 60_000,
  fileMs: 300_000,
  fileStallMs: 30_000,
  transcriptionMs: 180_000,
  transcriptionPauseMs: 2_000,
  pruneEveryMs: 6 * 3_600_000,
};

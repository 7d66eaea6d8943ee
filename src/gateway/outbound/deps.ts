import type { Store } from '../../store/ports.ts';
import type { StreamBus } from '../../stream/bus.ts';
import type { Accounts } from '../accounts.ts';
import type { PlatformAddress, PlatformCapabilities, PlatformLog } from '../platforms/platform.ts';

/** Says a text as a voice note; null where it cannot. */
export type SpeakAnswer = (
  text: string,
  signal: AbortSignal,
) => Promise<{ readonly bytes: Buffer; readonly mediaType: string } | null>;

export interface OutboundDeps {
  readonly store: Store;
  readonly accounts: () => Pick<Accounts, 'get' | 'list'>;
  readonly bus: StreamBus;
  readonly settings: () => { readonly streaming: 'edit' | 'off'; readonly toolProgress: boolean };
  readonly redact: (text: string) => string;
  readonly log: PlatformLog;
  /** Every account that is set up, switched on or off. */
  readonly setUp: () => readonly { readonly id: string; readonly capabilities: PlatformCapabilities }[];
  /** The home chat of an account. */
  readonly home: (accountId: string) => Promise<PlatformAddress | null>;
  /** Asked per answer; null: it is only written. */
  readonly speechFor?: (conversationId: string) => Promise<SpeakAnswer | null>;
  readonly times?: Partial<OutboundTimes>;
}

export interface OutboundTimes {
  /** Pause between two looks at the store while nothing wakes the sender. */
  readonly lookMs: number;
  /** First and longest pause after a try that failed for a reason that waiting mends. */
  readonly firstBackoffMs: number;
  readonly longestBackoffMs: number;
  /** How long a message may be under way before its absence is believed. */
  readonly settleMs: number;
  /** Longest time of one send. */
  readonly sendMs: number;
  /** A turn shows what it is doing after this time. */
  readonly liveAfterMs: number;
  /** Shortest pause between two edits of a live message, where the platform's pace is faster. */
  readonly editEveryMs: number;
  /** Longest time for saying an answer. */
  readonly speechMs: number;
  /** How long a stop waits for sends under way. */
  readonly graceMs: number;
}

export const usualTimes: OutboundTimes = {
  lookMs: 1_000,
  firstBackoffMs: 1_000,
  longestBackoffMs: 300_000,
  settleMs: 5_000,
  sendMs: 120_000,
  liveAfterMs: 1_200,
  editEveryMs: 1_000,
  speechMs: 60_000,
  graceMs: 5_000,
};

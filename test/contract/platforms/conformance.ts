import { afterEach, beforeEach, describe } from 'vitest';
import type { PlatformDescriptor } from '../../../src/gateway/platforms/platform.ts';
import type { PlatformServer, TestChat, TestPerson } from '../../support/platforms/platform-server.ts';
import { openBench, type Bench } from './bench.ts';
import { connectionFacts } from './facts-connection.ts';
import { faultFacts } from './facts-faults.ts';
import { fileFacts } from './facts-files.ts';
import { malformedFacts } from './facts-malformed.ts';
import { onceFacts } from './facts-once.ts';
import { receiveFacts } from './facts-receive.ts';
import { sendFacts } from './facts-send.ts';

/** What a platform may declare that it does not have, beside what its capabilities say; everything else is held to. */
type Gap =
  /** There are no credentials that could be wrong. */
  | 'wrong-token'
  /** A text that is too long is taken all the same. */
  | 'text-limit'
  /** An edit by a person does not come in. */
  | 'incoming-edits'
  /** A message of the agent cannot answer another one. */
  | 'replies'
  /** There are no groups. */
  | 'groups'
  /** Events do not come over a connection that could be cut or wedged. */
  | 'connection'
  /** Nothing that comes in can be other than an event. */
  | 'malformed'
  /** What is refused does not come again. */
  | 'redelivery'
  /** A fault of this kind does not exist there. */
  | `fault-${'rate-limit' | 'server-error' | 'hang' | 'accepted-then-cut' | 'cut' | 'refused-token' | 'recipient-gone' | 'rejected'}`
  /** Files of this kind are not sent or do not come in. */
  | `file-${'image' | 'audio' | 'voice' | 'video' | 'document'}-${'in' | 'out'}`;

/** Who is there, by ids the platform could have given. */
export interface Cast {
  readonly anna: TestPerson;
  readonly ben: TestPerson;
  /** Anna alone with the agent. */
  readonly direct: TestChat;
  /** Ben alone with the agent. */
  readonly other: TestChat;
  /** Both and the agent. */
  readonly group: TestChat;
  /** A thread in the group, where the platform has threads. */
  readonly thread?: TestChat;
}

export interface PlatformUnderTest {
  readonly name: string;
  readonly descriptor: PlatformDescriptor;
  /** A new server, not started yet; each fact gets its own. */
  server(): PlatformServer;
  readonly cast: Cast;
  /** The adapter's pure parser: an event, several, null for nothing of interest, or a PortError; it never throws. */
  parse(payload: unknown): unknown;
  /** Payloads as the platform sends them, which are then bent in 10,000 ways. */
  readonly samples: readonly unknown[];
  /** Each with why. */
  readonly lacks?: Partial<Readonly<Record<Gap, string>>>;
}

/** Given to each group of facts. */
export interface Subject extends PlatformUnderTest {
  /** Opened before each fact. */
  readonly bench: () => Bench;
  has(feature: Gap): boolean;
}

/** Everything a platform is held to: its real SDK against its protocol on loopback, through the port. */
export function describePlatform(under: PlatformUnderTest): void {
  describe(`platform ${under.name}`, () => {
    let bench: Bench | undefined;
    const subject: Subject = {
      ...under,
      has: (feature) => under.lacks?.[feature] === undefined,
      bench: () => {
        if (bench === undefined) throw new Error('The account is not connected yet.');
        return bench;
      },
    };
    beforeEach(async () => {
      bench = await openBench(under.descriptor, under.server());
    });
    // Also looks for secrets in every error and log line of the fact.
    afterEach(async () => {
      await bench?.close();
      bench = undefined;
    });
    receiveFacts(subject);
    onceFacts(subject);
    sendFacts(subject);
    fileFacts(subject);
    faultFacts(subject);
    connectionFacts(subject);
    malformedFacts(subject);
  });
}

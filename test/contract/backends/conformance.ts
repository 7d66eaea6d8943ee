import { afterAll, beforeAll, describe } from 'vitest';
import type { Backend } from '../../../src/backends/backend.ts';
import type { FailureType } from '../../../src/contracts/failure-types.ts';
import { openBench, type Bench, type ClientOptions, type LivingOutside } from './harness.ts';
import { clientFacts } from './facts-clients.ts';
import { filesFacts } from './facts-files.ts';
import { killFacts } from './facts-kill.ts';
import { lifecycleFacts } from './facts-lifecycle.ts';
import { onceFacts } from './facts-once.ts';
import { ptyFacts } from './facts-pty.ts';
import { resultFacts } from './facts-results.ts';
import { reachFacts } from './facts-reach.ts';
import { sessionFacts } from './facts-sessions.ts';
import { shellFacts } from './facts-shell.ts';
import { transferFacts } from './facts-transfer.ts';

const groups = {
  results: resultFacts,
  sessions: sessionFacts,
  kill: killFacts,
  once: onceFacts,
  pty: ptyFacts,
  clients: clientFacts,
  files: filesFacts,
  transfer: transferFacts,
  shell: shellFacts,
  lifecycle: lifecycleFacts,
  reach: reachFacts,
};

/** What a backend may declare that it does not do; everything else is held to. */
type Gap =
  /** Hibernating changes nothing that `describe` shows. */
  | 'hibernation'
  /** A process with an emptied environment that left its group survives. */
  | 'emptied-environment'
  /** The shell has its tools built in, whatever PATH says (busybox, where it is built so). */
  | 'tools-by-path'
  /** There is no path that is refused to this user. */
  | 'denied-paths'
  /** Nothing to make a pseudo-terminal with (neither util-linux `script` nor python3). */
  | 'pty'
  /** There is no shell for a person. */
  | 'shell'
  /** The other side runs in the process of the test, so that its memory cannot be told from the client's. */
  | 'flat-memory';

/** A way of being out of reach: nothing listens, the key is wrong, … */
export interface OutOfReach {
  readonly why: string;
  /** Opens the backend so; nothing is made or asked yet. */
  open(): Promise<Backend> | Backend;
  /** What every method that must ask the other side rejects with. */
  readonly code: FailureType;
}

export interface BackendUnderTest {
  readonly name: string;
  /** Called once; a second call must open the same place, as another client would. */
  open(): Promise<Backend> | Backend;
  /** How a process of its own opens it. */
  readonly client: ClientOptions;
  readonly lacks?: readonly Gap[];
  /** Where one run cannot see the processes of another. */
  readonly living?: LivingOutside;
  /** A folder in the environment on a file system of a few MB, which the suite fills. */
  smallFolder?(): Promise<string>;
  /** What there is of an environment, looked for past the backend: containers, folders, snapshots. */
  leftovers?(environmentId: string): Promise<readonly string[]>;
  readonly outOfReach?: readonly OutOfReach[];
  /** Only these groups, for a variant of a backend that is held to all of them elsewhere. */
  readonly only?: readonly (keyof typeof groups)[];
  close?(): Promise<void>;
}

/** Given to each group of facts. */
export interface Subject extends BackendUnderTest {
  readonly environmentId: string;
  /** Filled in before the first fact. */
  readonly bench: () => Bench;
  has(feature: Gap): boolean;
}

/** Everything a backend is held to. Real programs, real processes; nothing is left running. */
export function describeBackend(under: BackendUnderTest): void {
  describe(`backend ${under.name}`, () => {
    let bench: Bench | undefined;
    const environmentId = `conformance-${process.pid}`;
    const subject: Subject = {
      ...under,
      environmentId,
      has: (feature) => under.lacks?.includes(feature) !== true,
      bench: () => {
        if (!bench) throw new Error('The environment is not open yet.');
        return bench;
      },
    };
    beforeAll(async () => {
      bench = await openBench(await under.open(), environmentId, under.living);
    });
    afterAll(async () => {
      await bench?.run(`rm -rf ${bench.scratch}`, { sessionKey: 'bench' });
      if (bench) await bench.backend.destroy(bench.handle);
      await under.close?.();
    });
    for (const [name, facts] of Object.entries(groups)) {
      if (!under.only || under.only.some((wanted) => wanted === name)) facts(subject);
    }
  });
}

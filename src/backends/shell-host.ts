import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RemoteShell } from './remote-shell.ts';
import type { FolderWatch, RunHost, RunRecords } from './run-host.ts';
import { shellQuote as q } from './run-layout.ts';
import { createAsking } from './shell-asking.ts';
import { createHostFiles, fitsIntoScript } from './shell-host-files.ts';
import {
  beginScript,
  feedScript,
  launchScript,
  observeAllScript,
  observeScript,
  parseRecords,
} from './shell-host-scripts.ts';

/** A FIFO holds 64 KB; base64 makes a third more of it. */
const feedBytes = 49_152;
/** Their names and records fit into a script and an answer. */
const observedAtOnce = 100;
/** A kill asks, waits for its grace and then forces. */
const executeLimitMs = 600_000;
/** Looks soon at first, since most commands are short. */
const watchMs = { least: 5, factor: 1.5, most: 200, slowAfter: 60_000, slow: 500 };

/**
 * The run protocol through sh scripts. All of it may be repeated without harm but `feed`; what is cut off is therefore
 * asked once more by itself, and only `feed` lets Terminal.OutcomeUnknown through at once.
 */
export function createShellHost({ shell, root }: { shell: RemoteShell; root: string }): RunHost {
  const { once, ask } = createAsking(shell);
  const files = createHostFiles({ once, ask });

  return {
    root,
    ...files,
    observe: async (runFolder, range) => {
      const whole = {
        offset: Math.max(0, Math.trunc(range.offset)),
        maxBytes: Math.max(0, Math.trunc(range.maxBytes)),
      };
      const { stdout } = await ask(observeScript(runFolder, whole), runFolder, {
        maxOutputBytes: whole.maxBytes + 131_072,
      });
      return parseRecords(stdout).records;
    },
    observeAll: async (folders) => {
      const records: RunRecords[] = [];
      for (let at = 0; at < folders.length; at += observedAtOnce) {
        const some = folders.slice(at, at + observedAtOnce);
        let { stdout } = await ask(observeAllScript(some), root);
        for (let count = 0; count < some.length; count++) {
          const parsed = parseRecords(stdout);
          records.push({ ...parsed.records, bytes: Buffer.alloc(0) });
          stdout = parsed.rest;
        }
      }
      return records;
    },
    begin: async (beginning) => {
      const { spec, folders, runFolder, logPath } = beginning;
      const isLong = !fitsIntoScript(spec.text);
      if (isLong) {
        await files.makeFolders(folders);
        await files.createFile(spec.path, spec.text);
      }
      // The folder it is in goes when the run ends.
      const draft = isLong ? null : `${runFolder}/next/spec.${randomUUID()}`;
      const { stdout } = await ask(beginScript(beginning, draft), logPath);
      return parseRecords(stdout).records;
    },
    launch: async (script, args, logPath) => {
      // Of many supervisors of one run one has an effect, so this may be repeated too.
      await ask(launchScript(script, args, logPath), logPath);
      return { ended: () => false };
    },
    execute: async (script, args) => {
      const line = `sh ${[script, ...args].map(q).join(' ')} >/dev/null 2>&1; printf %s $?`;
      return Number((await ask(line, script, { timeoutMs: executeLimitMs })).stdout.toString());
    },
    feed: async (path, bytes) => {
      const script = feedScript(path, `${path}.${randomUUID()}`, bytes.subarray(0, feedBytes));
      return Number((await once(script, path)).stdout.toString());
    },
    terminate: async (pid) => {
      await ask(`kill -TERM ${Math.trunc(pid)} 2>/dev/null; :`, String(pid));
    },
    watch: () => Promise.resolve(createWatch()),
  };
}

/** There are no events to be had; `next` waits, at first shortly. */
function createWatch(): FolderWatch {
  const since = Date.now();
  let pause = watchMs.least;
  return {
    waitsOnly: true,
    async next(ms, signal) {
      try {
        await sleep(Math.min(ms, pause), undefined, signal ? { signal } : undefined);
      } catch (error) {
        signal?.throwIfAborted();
        throw error;
      }
      const most = Date.now() - since > watchMs.slowAfter ? watchMs.slow : watchMs.most;
      pause = Math.min(most, pause * watchMs.factor);
    },
    close: () => undefined,
  };
}

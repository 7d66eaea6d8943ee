import { randomUUID } from 'node:crypto';
import { posix } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RemoteShell, ShellResult, ShellRunOptions } from './remote-shell.ts';
import type { FolderWatch, RunHost } from './run-host.ts';
import { shellQuote as q } from './run-layout.ts';
import { shellFileError } from './shell-errors.ts';
import { repeatable } from './shell-repeat.ts';
import { feedScript, launchScript, observeScript, parseRecords } from './shell-host-scripts.ts';

/** A script may be 100 KB long. */
const pieceBytes = 64_000;
/** A FIFO holds 64 KB; base64 makes a third more of it. */
const feedBytes = 49_152;
/** A kill asks, waits for its grace and then forces. */
const executeLimitMs = 600_000;
/** Looks soon at first, since most commands are short. */
const watchMs = { least: 5, factor: 1.5, most: 200, slowAfter: 60_000, slow: 500 };

/**
 * The run protocol through sh scripts. All of it may be repeated without harm but `feed`; what is cut off is therefore
 * asked once more by itself, and only `feed` lets Terminal.OutcomeUnknown through at once.
 */
export function createShellHost({ shell, root }: { shell: RemoteShell; root: string }): RunHost {
  const once = async (script: string, path: string, options?: ShellRunOptions): Promise<ShellResult> => {
    const result = await shell.run(script, options);
    if (result.exitCode !== 0) throw shellFileError(result.stderr, path);
    return result;
  };
  const ask: typeof once = (script, path, options) => repeatable(() => once(script, path, options));

  async function createFile(path: string, text: string): Promise<boolean> {
    const draft = `${path}.${randomUUID()}`;
    const pieces = cut(text);
    for (const [index, piece] of pieces.slice(0, -1).entries()) {
      await ask(`umask 077; printf %s ${q(piece)} | cat >${q(`${draft}.${index}`)}`, path);
    }
    const before = pieces.slice(0, -1).map((_, index) => q(`${draft}.${index}`));
    const script = createScript(path, draft, before, pieces.at(-1) ?? '');
    let asked = 0;
    const { stdout } = await repeatable(() => once(`__h_again=${asked++}\n${script}`, path));
    return stdout.toString() === 'made';
  }

  return {
    root,
    makeFolders: async (paths) => {
      await ask(`umask 077; mkdir -p ${paths.map(q).join(' ')}`, paths[0] ?? root);
    },
    createFile,
    readText: async (path) => {
      const { stdout } = await ask(`[ -e ${q(path)} ] || exit 0; printf 1; exec cat ${q(path)}`, path);
      return stdout.length === 0 ? null : stdout.toString('utf8', 1);
    },
    listFolder: async (path) => {
      const { stdout } = await ask(`[ -e ${q(path)} ] || exit 0; exec ls -1 ${q(path)}`, path);
      return stdout
        .toString()
        .split('\n')
        .filter((name) => name !== '');
    },
    remove: async (path) => {
      // Renamed away first, so that nobody sees half of it.
      const doomed = q(posix.join(posix.dirname(path), `.${posix.basename(path)}.${randomUUID()}`));
      await ask(
        `if [ -e ${q(path)} ]; then mv ${q(path)} ${doomed} || [ ! -e ${q(path)} ] || exit 1; fi; exec rm -rf ${doomed}`,
        path,
      );
    },
    observe: async (runFolder, range) => {
      const whole = {
        offset: Math.max(0, Math.trunc(range.offset)),
        maxBytes: Math.max(0, Math.trunc(range.maxBytes)),
      };
      const { stdout } = await ask(observeScript(runFolder, whole), runFolder, {
        maxOutputBytes: whole.maxBytes + 131_072,
      });
      return parseRecords(stdout);
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

/**
 * Prints `made` where the file was made. `ln` is atomic and refuses an existing name. Asked again after an answer was
 * lost, a file with exactly our text counts as made by us: what must be unique holds a random part.
 */
function createScript(path: string, draft: string, before: readonly string[], last: string): string {
  return `umask 077
__h_p=${q(path)} __h_d=${q(draft)} __h_t=${q(last)}
trap 'rm -f "$__h_d" ${before.join(' ').replaceAll("'", `'\\''`)}' EXIT
${before.length > 0 ? `cat ${before.join(' ')} >"$__h_d" || exit 1` : ': >"$__h_d" || exit 1'}
printf %s "$__h_t" >>"$__h_d" || { printf %s "$__h_t" | cat >"$__h_d" || exit 1; }
if ln "$__h_d" "$__h_p" 2>/dev/null; then
  printf made
elif [ -e "$__h_p" ]; then
  [ $__h_again = 0 ] || [ "$(cat "$__h_p"; printf x)" != "$(cat "$__h_d"; printf x)" ] || printf made
else
  ln "$__h_d" "$__h_p"
fi
`;
}

/** Pieces whose quoted form is short enough for a script; at least one, none cut inside a character. */
function cut(text: string): string[] {
  const pieces: string[] = [];
  let rest = text;
  while (Buffer.byteLength(rest) > pieceBytes / 4 && Buffer.byteLength(q(rest)) > pieceBytes) {
    let length = Math.min(rest.length, pieceBytes);
    while (Buffer.byteLength(q(rest.slice(0, length))) > pieceBytes) length = Math.floor(length / 2);
    const last = rest.charCodeAt(length - 1);
    if (last >= 0xd800 && last <= 0xdbff) length -= 1;
    pieces.push(rest.slice(0, length));
    rest = rest.slice(length);
  }
  return [...pieces, rest];
}

/** There are no events to be had; `next` waits, at first shortly. */
function createWatch(): FolderWatch {
  const since = Date.now();
  let pause = watchMs.least;
  return {
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

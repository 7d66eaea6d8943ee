import { randomUUID } from 'node:crypto';
import { posix } from 'node:path';
import type { RunHost } from './run-host.ts';
import { shellQuote as q } from './run-layout.ts';
import { repeatable, type Ask } from './shell-asking.ts';

/** A script may be 100 KB long. */
const pieceBytes = 64_000;

type HostFiles = Pick<RunHost, 'makeFolders' | 'createFile' | 'readText' | 'listFolder' | 'remove'>;

/** The run protocol's own small files, through sh scripts. All of it may be repeated. */
export function createHostFiles({ once, ask }: { readonly once: Ask; readonly ask: Ask }): HostFiles {
  async function createFile(path: string, text: string): Promise<boolean> {
    const draft = `${path}.${randomUUID()}`;
    const pieces = cut(text);
    const before = pieces.slice(0, -1).map((piece, index) => ({ piece, name: q(`${draft}.${index}`) }));
    for (const { piece, name } of before) await ask(`umask 077; printf %s ${q(piece)} | cat >${name}`, path);
    const names = before.map(({ name }) => name);
    const script = createScript(path, draft, names, pieces.at(-1) ?? '');
    let asked = 0;
    const { stdout } = await repeatable(() => once(`__h_again=${asked++}\n${script}`, path));
    return stdout.toString() === 'made';
  }

  return {
    makeFolders: async (paths) => {
      await ask(`umask 077; mkdir -p ${paths.map(q).join(' ')}`, paths[0] ?? '/');
    },
    createFile,
    readText: async (path) => {
      const { stdout } = await ask(`[ -e ${q(path)} ] || exit 0; printf 1; exec cat ${q(path)}`, path);
      return stdout.length === 0 ? null : stdout.toString('utf8', 1);
    },
    listFolder: async (path) => {
      const { stdout } = await ask(`[ -e ${q(path)} ] || exit 0; exec ls -1 ${q(path)}`, path);
      const names = stdout.toString().split('\n');
      return names.filter((name) => name !== '');
    },
    remove: async (path) => {
      // Renamed away first, so that nobody sees half of it.
      const doomed = q(posix.join(posix.dirname(path), `.${posix.basename(path)}.${randomUUID()}`));
      const rename = `mv ${q(path)} ${doomed} || [ ! -e ${q(path)} ] || exit 1`;
      await ask(`if [ -e ${q(path)} ]; then ${rename}; fi; exec rm -rf ${doomed}`, path);
    },
  };
}

export function fitsIntoScript(text: string): boolean {
  return Buffer.byteLength(q(text)) <= pieceBytes;
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
  while (!fitsIntoScript(rest)) {
    let length = Math.min(rest.length, pieceBytes);
    while (!fitsIntoScript(rest.slice(0, length))) length = Math.floor(length / 2);
    const last = rest.charCodeAt(length - 1);
    if (last >= 0xd800 && last <= 0xdbff) length -= 1;
    pieces.push(rest.slice(0, length));
    rest = rest.slice(length);
  }
  return [...pieces, rest];
}

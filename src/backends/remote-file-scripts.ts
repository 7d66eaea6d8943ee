import type { FileEntry } from './backend.ts';
import { shellQuote as q } from './run-layout.ts';
import { rangeOf, sizeOf } from './shell-host-scripts.ts';

/** Exit codes of ours; any other failure is told by its last words. */
export const exits = { notRegular: 61, tooLarge: 62, incomplete: 63 } as const;

/** Tools speak the language whose words shell-errors.ts knows. */
const plain = 'export LC_ALL=C\n';
/** coreutils and busybox know one `stat`, BSD another. */
const forms = { gnu: '%f %s %.9Y', bsd: '%Xp %z %Fm' };

const inform = (path: string) => `stat -L -c '${forms.gnu}' ${path} 2>/dev/null || stat -L -f '${forms.bsd}' ${path}`;

export function statScript(path: string): string {
  return `${plain}${inform(q(path))}`;
}

/** A line as `stat` says it, then bytes. */
export function readScript(path: string, range: { offset: number; count: number; wholeLimitBytes?: number }): string {
  const { offset, count, wholeLimitBytes } = range;
  const tooLarge =
    wholeLimitBytes === undefined
      ? ''
      : `set -- $__h_i; [ "$2" -le ${offset + wholeLimitBytes} ] || exit ${exits.tooLarge}\n`;
  return `${plain}__h_p=${q(path)}
__h_i=$(${inform('"$__h_p"')}) || exit 1
printf '%s\\n' "$__h_i"
[ -f "$__h_p" ] || exit ${exits.notRegular}
${tooLarge}: <"$__h_p" || exit 1
${rangeOf('"$__h_p"', offset, count)}
`;
}

/** For every entry `mark`, what `stat` says, the name and a newline; a name may hold newlines of its own. */
export function listScript(path: string, mark: string): string {
  return `${plain}__h_p=${q(path)}
ls -d "$__h_p/." >/dev/null || exit 1
if ! [ -r "$__h_p" ] || ! [ -x "$__h_p" ] || ! cd "$__h_p/."; then
  printf '%s\\n' ': Permission denied' >&2
  exit 1
fi
if stat -c %f . >/dev/null 2>&1; then
  find . ! -name . -prune -exec stat -c '${mark}${forms.gnu} %n' {} +
else
  find . ! -name . -prune -exec stat -f '${mark}${forms.bsd} %N' {} +
fi
# Entries that went away meanwhile are none.
:
`;
}

/**
 * The path with its links followed. `readlink -f` knows only ends that exist, so what does not is put aside; a link that
 * leads nowhere is followed by hand. The mark keeps line ends of a name, which a substitution would drop.
 */
export function realPathScript(path: string): string {
  return `${plain}__h_p=${q(path)} __h_rest= __h_left=40
while ! [ -e "$__h_p" ] && [ "$__h_p" != / ]; do
  if [ -L "$__h_p" ]; then
    __h_left=$((__h_left - 1))
    [ "$__h_left" -gt 0 ] || { printf '%s\\n' ': Too many levels of symbolic links' >&2; exit 1; }
    __h_to=$(readlink "$__h_p"; echo .); __h_to=\${__h_to%??}
    case $__h_to in /*) __h_p=$__h_to ;; *) __h_p=\${__h_p%/*}/$__h_to ;; esac
  else
    __h_rest=/\${__h_p##*/}$__h_rest __h_p=\${__h_p%/*}
    [ -n "$__h_p" ] || __h_p=/
  fi
done
__h_real=$(readlink -f "$__h_p"; echo .); __h_real=\${__h_real%??}
[ "$__h_real" != / ] || __h_real=
printf '%s' "$__h_real$__h_rest"
[ -n "$__h_real$__h_rest" ] || printf /
`;
}

export interface FileInfo {
  readonly kind: FileEntry['kind'];
  readonly sizeBytes: number;
  readonly modifiedAt: string;
}

const kinds: Readonly<Record<number, FileEntry['kind']>> = { 0x8000: 'file', 0x4000: 'directory', 0xa000: 'link' };

/** `mode size time` as the scripts above print it. */
export function parseInfo(text: string): FileInfo {
  const [mode = '', size = '', time = ''] = text.trim().split(' ');
  return {
    kind: kinds[parseInt(mode, 16) & 0xf000] ?? 'other',
    sizeBytes: Number(size),
    modifiedAt: new Date(Math.floor(Number(time) * 1000)).toISOString(),
  };
}

export function parseList(answer: Buffer, mark: string): FileEntry[] {
  const entries: FileEntry[] = [];
  for (const record of answer.toString('utf8').split(mark).slice(1)) {
    const [, info = '', name = ''] = /^(\S+ \S+ \S+) \.\/([^]*)\n$/.exec(record) ?? [];
    if (name !== '') entries.push({ name, ...parseInfo(info) });
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Finds what a write to `path` replaces and makes its folder; sets `__h_t` to the file and `__h_d` to a draft beside. */
function beginning(path: string, draftName: string): string {
  return `${plain}__h_p=${q(path)} __h_t=${q(path)}
if [ -L "$__h_p" ]; then
  __h_t=$(readlink -f "$__h_p") && [ -e "$__h_t" ] || { printf '%s\\n' ': No such file or directory' >&2; exit 1; }
fi
if [ -d "$__h_t" ]; then printf '%s\\n' ': Is a directory' >&2; exit 1; fi
if [ -e "$__h_t" ] && ! [ -f "$__h_t" ]; then exit ${exits.notRegular}; fi
__h_f=\${__h_t%/*}/
[ -d "$__h_f" ] || mkdir -p "$__h_f" || exit 1
__h_d=$__h_f${draftName}
`;
}

/** Renames the draft into place, with mode and, where we may, owner of what was there. */
function ending(sizeBytes: number): string {
  return `[ ${sizeOf('"$__h_d"')} -eq ${sizeBytes} ] || exit ${exits.incomplete}
if [ -e "$__h_t" ]; then
  set -- $(stat -c '%a %u:%g' "$__h_t" "$__h_d" 2>/dev/null || stat -f '%Mp%Lp %u:%g' "$__h_t" "$__h_d")
  [ "$2" = "$4" ] || chown "$2" "$__h_d" 2>/dev/null
  # After chown, which clears set-id bits.
  [ "$1" = "$(stat -c %a "$__h_d" 2>/dev/null)" ] || chmod "$1" "$__h_d" || exit 1
fi
sync -d "$__h_d" 2>/dev/null
mv -f "$__h_d" "$__h_t" || exit 1
`;
}

const dropOnExit = `trap 'rm -f "$__h_d"' EXIT\n`;
const decode = (bytes: Buffer) => `printf %s ${bytes.toString('base64')} | base64 -d`;

/** A whole write in one go, for content that fits into a script. */
export function writeScript(path: string, draftName: string, bytes: Buffer): string {
  return `${beginning(path, draftName)}${dropOnExit}${decode(bytes)} >"$__h_d" || exit 1\n${ending(bytes.length)}`;
}

/** Makes an empty draft and prints its path. */
export function draftScript(path: string, draftName: string): string {
  return `${beginning(path, draftName)}: >"$__h_d" || exit 1\nprintf %s "$__h_d"\n`;
}

/** Puts the piece at its place in the draft; may be repeated. All pieces before are `pieceBytes` long. */
export function pieceScript(draft: string, index: number, pieceBytes: number, bytes: Buffer): string {
  return `${plain}${decode(bytes)} | dd of=${q(draft)} bs=${pieceBytes} seek=${index} conv=notrunc\n`;
}

/** Finishes a streamed write; done again, it finds the draft gone and the file in place. */
export function finishScript(path: string, draftName: string, sizeBytes: number): string {
  return `${beginning(path, draftName)}if [ ! -e "$__h_d" ]; then
  [ -e "$__h_t" ] && [ ${sizeOf('"$__h_t"')} -eq ${sizeBytes} ] || exit ${exits.incomplete}
  exit 0
fi
${dropOnExit}${ending(sizeBytes)}`;
}

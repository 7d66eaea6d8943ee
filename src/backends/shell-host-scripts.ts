import { PortError } from '../lib/port-error.ts';
import type { RunBeginning, RunRecords } from './run-host.ts';
import { shellQuote as q } from './run-layout.ts';

/**
 * What shell-host.ts sends. Only what a POSIX sh and the small tools of coreutils, busybox and BSD have in common; and
 * builtins where they do, since every process costs a millisecond.
 */

/** Bytes `skip` to `skip + count` of a file. The tools that can seek come first, so a tail of a long file is cheap. */
export function rangeOf(path: string, skip: number | string, count: number | string): string {
  const flags = 'bs=65536 iflag=skip_bytes,count_bytes,fullblock';
  return `{ dd if=${path} ${flags} skip=${skip} count=${count} 2>/dev/null ||
  tail -c +$((${skip} + 1)) ${path} | head -c ${count}; }`;
}

/** Size of a file that is there; `wc` would read all of it in busybox. */
export function sizeOf(path: string): string {
  return `$(stat -L -c %s ${path} 2>/dev/null || wc -c <${path})`;
}

/**
 * \`__h_observe FOLDER SKIP MAX\` prints five lines, then output. Lines: first line of \`spec\`, \`claimed\`, \`exit\`, the
 * session's directory, each after a 1 (0: none, 2: not looked at); numbers. For no folder it prints five times 0.
 */
const observeFunctions = `set -f
__h_read() { if [ -r "$1" ] && IFS= read -r __h_l <"$1"; then __h_l=1$__h_l; else __h_l=0; fi; }
__h_alive() {
  set -- $__h_claim
  case $1 in '' | 0 | 1 | *[!0-9]*) return 1 ;; esac
  __h_want=\${2-}
  if [ -r /proc/sys/kernel/random/boot_id ]; then
    IFS= read -r __h_l </proc/sys/kernel/random/boot_id && [ "$__h_l" = "\${3-}" ] && [ -r "/proc/$1/stat" ] || return 1
    IFS= read -r __h_l <"/proc/$1/stat" || return 1
    set -- \${__h_l##*) }
    case $1 in Z | X) return 1 ;; esac
    [ "\${20-}" = "$__h_want" ]
  else
    set -- $(LC_ALL=C ps -o lstart= -o stat= -p "$1" 2>/dev/null)
    case \${6-Z} in Z*) return 1 ;; esac
    [ "$1_$2_$3_$4_$5" = "$__h_want" ]
  fi
} 2>/dev/null
__h_look_where() {
  __h_where=2
  while IFS= read -r __h_l; do
    case $__h_l in __h_session=*) eval "$__h_l"; break ;; esac
  done <spec
  if [ ! -e "$__h_session/cwd" ]; then
    __h_where=0
  elif ! IFS= read -r __h_l <"$__h_session/cwd" && [ -n "$__h_l" ]; then
    # One that reads as a whole line has lines in its name; it is asked for by itself.
    __h_where=1$__h_l
  fi
}
__h_observe() {
  cd "$1" 2>/dev/null || { [ ! -e "$1" ] && printf '0\\n0\\n0\\n0\\n0 0 0\\n' || cd "$1"; return; }
  __h_skip=$2 __h_most=$3
  __h_read spec; __h_spec=$__h_l
  __h_read claimed; __h_claimed=$__h_l
  __h_read exit; __h_exit=$__h_l
  __h_living=0
  if [ "$__h_exit" = 0 ] && [ "$__h_claimed" != 0 ]; then
    __h_claim=\${__h_claimed#1}
    # It may have written its record and ended between the two looks.
    if __h_alive; then __h_living=1; else __h_read exit; __h_exit=$__h_l; fi
  fi
  __h_where=2
  [ "$__h_exit" = 0 ] || [ "$__h_spec" = 0 ] || __h_look_where
  __h_killed=0 __h_size=0 __h_count=0
  [ ! -e killed ] || __h_killed=1
  # Last, so that an \`exit\` is never seen without the whole output before it.
  [ ! -s output ] || __h_size=${sizeOf('output')}
  __h_size=$((__h_size))
  [ "$__h_size" -le "$__h_skip" ] || __h_count=$((__h_size - __h_skip))
  [ "$__h_count" -le "$__h_most" ] || __h_count=$__h_most
  printf '%s\\n' "$__h_spec" "$__h_claimed" "$__h_exit" "$__h_where" "$__h_living $__h_killed $__h_size"
  [ "$__h_count" = 0 ] || ${rangeOf('output', '$__h_skip', '$__h_count')}
}
`;

export function observeScript(folder: string, { offset, maxBytes }: { offset: number; maxBytes: number }): string {
  return `${observeFunctions}__h_observe ${q(folder)} ${offset} ${maxBytes}\n`;
}

export function observeAllScript(folders: readonly string[]): string {
  return `${observeFunctions}for __h_i in ${folders.map(q).join(' ')}; do __h_observe "$__h_i" 0 0; done\n`;
}

/** Records from what `__h_observe` printed, and what comes after their lines. */
export function parseRecords(answer: Buffer): { records: RunRecords; rest: Buffer } {
  const lines: string[] = [];
  let at = 0;
  for (let count = 0; count < 5; count++) {
    const end = answer.indexOf(10, at);
    if (end < 0) throw new PortError('Terminal.BackendUnavailable', 'The environment answered with half of an answer.');
    lines.push(answer.toString('utf8', at, end));
    at = end + 1;
  }
  const [spec = '0', claimed = '0', exit = '0', where = '2', numbers = ''] = lines;
  const [living = '0', killed = '0', size = '0'] = numbers.split(' ');
  const known = (line: string) => (line.startsWith('1') ? line.slice(1) : null);
  const rest = answer.subarray(at);
  const records = {
    spec: known(spec),
    claimed: known(claimed),
    exit: known(exit),
    killed: killed === '1',
    supervisorAlive: living === '1',
    outputBytes: Number(size),
    bytes: rest,
    ...(where === '2' ? {} : { sessionCwd: known(where) }),
  };
  return { records, rest };
}

/** How long a start waits there for the claim, in steps of about 6 ms. */
const claimSteps = 150;

/** All of a start; see `RunHost.begin`. `draft` is null where the spec has been written before. */
export function beginScript(beginning: RunBeginning, draft: string | null): string {
  const { runFolder, folders, marks, spec, script, args, logPath } = beginning;
  const claimed = q(`${runFolder}/claimed`);
  const create = `if [ ! -e ${q(spec.path)} ]; then
  __h_d=${q(draft ?? '')} __h_t=${q(spec.text)}
  printf %s "$__h_t" >"$__h_d" || printf %s "$__h_t" | cat >"$__h_d" || exit 1
  ln "$__h_d" ${q(spec.path)} 2>/dev/null || [ -e ${q(spec.path)} ] || ln "$__h_d" ${q(spec.path)} || exit 1
fi`;
  return `if [ ! -e ${claimed} ]; then
(umask 077
mkdir -p ${folders.map(q).join(' ')} || exit 1
${marks.map((mark) => `[ -e ${q(mark)} ] || : >>${q(mark)} || exit 1`).join('\n')}
${draft === null ? '' : create}
) || exit 1
${launchScript(script, args, logPath)}__h_n=0
until [ -e ${claimed} ] || [ $__h_n = ${claimSteps} ]; do
  sleep 0.005 2>/dev/null || { sleep 1; __h_n=$((${claimSteps} - 1)); }
  __h_n=$((__h_n + 1))
done
fi
${observeScript(runFolder, { offset: 0, maxBytes: 0 })}`;
}

/**
 * Starts a script that outlives the shell and its connection. A `setsid` that leads a group already goes to the
 * background by itself; `&` would leave the command deaf to SIGINT and SIGQUIT.
 */
export function launchScript(script: string, args: readonly string[], logPath: string): string {
  const line = `sh ${[script, ...args].map(q).join(' ')} </dev/null >/dev/null 2>>${q(logPath)}`;
  return `(umask 077; : >>${q(logPath)}) || exit 1
if command -v setsid >/dev/null 2>&1; then setsid setsid ${line}; else ${line} & fi
`;
}

/**
 * Writes to a FIFO what fits and prints how much that was. Blocks of 4096 bytes go into a pipe whole or not at all, so
 * the count is exact where dd can be told not to wait (coreutils); elsewhere a block that does not go in is given up
 * after a second.
 */
export function feedScript(fifo: string, draft: string, bytes: Buffer): string {
  const blocks = Math.ceil(bytes.length / 4096);
  return `export LC_ALL=C
[ -p ${q(fifo)} ] || { printf '%s\\n' 'No such file or directory' >&2; exit 1; }
__h_d=${q(draft)} __h_n=0
trap 'rm -f "$__h_d"' EXIT
(umask 077; printf %s ${bytes.toString('base64')} | base64 -d >"$__h_d") || exit 1
if __h_e=$(dd if="$__h_d" of=${q(fifo)} bs=4096 oflag=nonblock conv=notrunc,nocreat 2>&1); then
  printf %s ${bytes.length}
  exit 0
fi
case $__h_e in
  *' records out'*)
    __h_e=\${__h_e%%' records out'*}
    __h_e=\${__h_e##*[!0-9+]}
    printf %s $((\${__h_e%%+*} * 4096))
    exit 0 ;;
  *'No such device'*) printf '%s\\n' "$__h_e" >&2; exit 1 ;;
esac
while [ $__h_n -lt ${blocks} ]; do
  timeout 1 dd if="$__h_d" of=${q(fifo)} bs=4096 skip=$__h_n count=1 conv=notrunc 2>/dev/null || break
  __h_n=$((__h_n + 1))
done
[ $__h_n -lt ${blocks} ] && printf %s $((__h_n * 4096)) || printf %s ${bytes.length}
`;
}

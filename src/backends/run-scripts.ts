import { createHash } from 'node:crypto';
import { killScript } from './run-kill-script.ts';
import { ptyScript } from './run-pty-script.ts';
import { clock, identify } from './run-script-parts.ts';

/**
 * The run protocol's shell side. POSIX sh and the usual small tools (ln, mv, rm, date, sleep, ls, grep) are all it
 * needs; `setsid`, `/proc` and bash are used where they are. Every name of ours starts with `__h_`, so that nothing
 * a command exports can collide with it.
 *
 * Layout of a run folder (see run-layout.ts for who writes `spec`):
 *
 *   spec        what to run; created whole and never changed
 *   claimed     `pid startTime bootId startedNs` of the one supervisor; a hard link, so it appears with its content
 *   pid         process (and group) id of the command's shell
 *   output      standard output and error, appended
 *   next/       all that the command's own shell may write to:
 *     status      exit status as it saw it, and when in microseconds if it can tell; missing when something else ended it
 *     state, cwd  session state to be, moved into the session's folder when the run counts
 *   stdin, stdin-holder   FIFO, and the process that keeps it open for writing
 *   killed, timed-out     markers, set before the first signal is sent
 *   exit        `exitCode signal timedOut endedNs`, `-` where there is none; renamed into place
 *
 * Between supervisor and command there may be relays: a launcher (a program that runs the command in a sandbox) and
 * what makes a pseudo-terminal. They carry HERMES_RELAY where the command carries HERMES_RUN, and are not asked to end,
 * so that they can report how the command did.
 */

const supervise = `# sh supervise.sh SCRIPTS RUN [LAUNCHER]
__h_scripts=$1 __h_run=$2 __h_launcher=\${3-}
${identify}${clock}
__h_identify $$
__h_clock
printf '%s %s %s %s\\n' $$ "$__h_start" "$__h_boot" "$__h_ns" >"$__h_run/claim.$$" || exit 3
if ! ln "$__h_run/claim.$$" "$__h_run/claimed"; then
  rm -f "$__h_run/claim.$$"
  [ -e "$__h_run/claimed" ] && exit 0
  exit 3
fi
. "$__h_run/spec"
# Room for the record, taken while there is some: a command may fill the disk.
printf '%64s\\n' '' >"$__h_run/exit.$$"
__h_generation() {
  __h_gen=none
  [ -r "$__h_session/state" ] && read -r __h_gen <"$__h_session/state"
}
__h_generation
__h_gen_before=$__h_gen
__h_base=$(export -p)
if [ -z "$__h_shell" ]; then
  # The usual places first: asking costs a process.
  for __h_shell in /bin/bash /usr/bin/bash /usr/local/bin/bash; do
    [ ! -x "$__h_shell" ] || break
  done
  [ -x "$__h_shell" ] || __h_shell=$(command -v bash) || __h_shell=/bin/sh
fi
__h_watch= __h_holder=
if [ -n "$__h_timeout" ]; then
  HERMES_WATCH=$__h_marker /bin/sh "$__h_scripts/watch.sh" "$__h_scripts" "$__h_run" "$__h_timeout" &
  __h_watch=$!
fi
if [ -n "$__h_stdin" ]; then
  mkfifo "$__h_run/stdin" && exec 4<>"$__h_run/stdin" 5<"$__h_run/stdin"
  HERMES_RUN=$__h_marker sleep 2147483647 5<&- &
  __h_holder=$!
  exec 4>&-
  printf '%s\\n' "$__h_holder" >"$__h_run/stdin-holder.new"
  mv "$__h_run/stdin-holder.new" "$__h_run/stdin-holder"
else
  exec 5</dev/null
fi
__h_program='. "$1/command.sh"; set --; eval "$__h_command"
{ __h_end "$?"; } 2>/dev/null'
__h_name=\${__h_shell##*/}
__h_begin() {
  exec <&5 5<&- >>"$__h_run/output" 2>&1
  export __h_base
  if [ -z "$__h_launcher$__h_pty" ]; then
    export HERMES_RUN="$__h_marker"
    exec "$@" "$__h_shell" -c "$__h_program" "$__h_name" "$__h_scripts" "$__h_run"
  fi
  export HERMES_RELAY="$__h_marker"
  [ -z "$__h_launcher" ] || set -- "$@" /bin/sh "$__h_launcher" "$__h_session" "$__h_run"
  [ -n "$__h_pty" ] || exec "$@" "$__h_shell" -c "$__h_program" "$__h_name" "$__h_scripts" "$__h_run"
  export __h_marker __h_shell __h_program __h_name __h_scripts __h_run __h_pty
  case \${TERM-dumb} in dumb | '')
    export TERM=xterm-256color __h_base="$__h_base
export TERM=xterm-256color" ;;
  esac
  exec "$@" /bin/sh "$__h_scripts/pty.sh"
}
if [ -e "$__h_run/killed" ]; then
  __h_status=143
elif command -v setsid >/dev/null 2>&1; then
  # In the foreground: a background process of a shell without job control would ignore SIGINT and SIGQUIT.
  # In a subshell, so that what this shell says of its death stays out of the output.
  (__h_begin setsid)
  __h_status=$?
else
  set -m
  (__h_begin) &
  set +m
  wait $!
  __h_status=$?
fi
exec 5<&-
__h_timed_out=0
if [ -e "$__h_run/timed-out" ]; then
  __h_timed_out=1
  # The watcher is still ending what left the group.
  wait "$__h_watch"
elif [ -n "$__h_watch" ]; then
  kill "$__h_watch" 2>/dev/null
fi
[ -z "$__h_holder" ] || kill "$__h_holder" 2>/dev/null
__h_code=$__h_status __h_signal=- __h_own= __h_ended=
[ -r "$__h_run/next/status" ] && read -r __h_own __h_ended <"$__h_run/next/status"
# A shell reports death by signal as 128 + n, and so may a command that exits with such a code by itself.
if [ "$__h_status" -gt 128 ] && [ "$__h_status" -le 192 ] && [ "$__h_own" != "$__h_status" ]; then
  __h_signal=$(kill -l "$__h_status" 2>/dev/null) && __h_code=- __h_signal=SIG\${__h_signal#SIG} || __h_signal=-
fi
# \`cwd\` is written last: with it, \`state\` is whole.
if [ -e "$__h_run/next/cwd" ] && ! [ -e "$__h_run/killed" ] && [ $__h_timed_out = 0 ]; then
  __h_generation
  # Another run of the session that ended meanwhile has the say.
  if [ "$__h_gen" = "$__h_gen_before" ] && mv "$__h_run/next/state" "$__h_run/next/cwd" "$__h_run/"; then
    # Looked at where the command cannot change them: a link would show others what it leads to.
    [ -h "$__h_run/state" ] || [ -h "$__h_run/cwd" ] || mv "$__h_run/state" "$__h_run/cwd" "$__h_session/"
  fi
fi
case $__h_ended in
  *[!0-9]*) __h_clock ;;
  ????????????????) __h_ns=\${__h_ended}000 ;;
  *) __h_clock ;;
esac
until printf '%-64s\\n' "$__h_code $__h_signal $__h_timed_out $__h_ns" 1<>"$__h_run/exit.$$" &&
  mv "$__h_run/exit.$$" "$__h_run/exit"; do
  # The outcome is known and must not be lost for want of a few bytes.
  [ -d "$__h_run" ] || exit 0
  sleep 1
done
rm -rf "$__h_run/next" "$__h_run/stdin" "$__h_run/stdin-holder" "$__h_run/claim.$$"
`;

/** Sourced by the command's shell before the command: session state in, record and session state out. */
const command = `
__h_scripts=$1 __h_run=$2
# A launcher has written it: in a process space of its own, this shell's number means nothing outside.
[ -e "$__h_run/pid" ] || printf '%s\\n' "$$" >"$__h_run/pid"
__h_b=$__h_base
unset __h_base
. "$__h_run/spec"
__h_cwd=$__h_default_cwd
[ -r "$__h_session/state" ] && . "$__h_session/state"
__h_old=\${OLDPWD-}
__h_dir=$__h_cwd
unset __h_cwd
if ! cd "$__h_dir" 2>/dev/null; then
  printf '%s\\n' "hermes: the session's directory $__h_dir is gone; this command runs in $__h_default_cwd" >&2
  cd "$__h_default_cwd" || exit 1
fi
if [ -n "$__h_override" ]; then
  if ! cd "$__h_override" 2>/dev/null; then
    printf '%s\\n' "hermes: no such directory: $__h_override" >&2
    exit 1
  fi
fi
[ -z "$__h_old" ] || OLDPWD=$__h_old
__h_env
unset -f __h_env
__h_from=$__h_dir
[ -z "$__h_override" ] || __h_from=$PWD
__h_was=$(export -p)
__h_end() {
  trap - EXIT
  set +eux
  unset -f printf exit 2>/dev/null
  __h_ended=\${EPOCHREALTIME-}
  printf '%s %s\\n' "$1" "\${__h_ended%[.,]*}\${__h_ended#*[.,]}" >"$__h_run/next/status"
  # Most commands change nothing, and need no process to find out what.
  [ "$PWD" != "$__h_from" ] || [ "$(export -p)" != "$__h_was" ] || exit "$1"
  __h_base=$__h_b PWD=$PWD OLDPWD=\${OLDPWD-} /bin/sh "$__h_scripts/save.sh" "$__h_run"
  exit "$1"
}
trap '{ __h_end "$?"; } 2>/dev/null' EXIT
`;

/**
 * Run by a fresh sh under the command's final environment: what differs from the base becomes the session's state.
 * Builtins only, since that environment may have no usable PATH.
 * The base itself (which may hold secrets that were passed through) stays in memory.
 */
const save = `# sh save.sh RUN
__h_run=$1
. "$__h_run/spec"
__h_now=$PWD
set -f
IFS='
'
# Sets __h_names to the names of the exports in $1. A value of several lines can look like another export; such a name
# is not set, since a fresh shell has no variables but its environment.
__h_list() {
  __h_names='
'
  for __h_line in $1; do
    case $__h_line in "export "*) ;; *) continue ;; esac
    __h_n=\${__h_line#export }
    __h_n=\${__h_n%%=*}
    case $__h_n in
      '' | [0-9]* | *[!A-Za-z0-9_]*) continue ;;
      __h_* | HERMES_RUN | HERMES_WATCH | PWD | SHLVL | _ | IFS | PS1 | PS2 | PS4 | OPTIND | LINENO) continue ;;
      PPID | UID | EUID | SHELLOPTS | BASHOPTS | BASH_*) continue ;;
    esac
    case $__h_names in *"
$__h_n
"*) continue ;; esac
    eval "__h_set=\\\${$__h_n+x}"
    [ -z "$__h_set" ] || __h_names="$__h_names$__h_n
"
  done
}
__h_b=$__h_base
unset __h_base
__h_list "$(export -p)"
__h_after=$__h_names
for __h_n in $__h_after; do
  eval "__h_v_$__h_n=\\$$__h_n"
  unset "$__h_n"
done
eval "$__h_b"
__h_list "$__h_b"
__h_before=$__h_names
for __h_n in $__h_before; do eval "__h_b_$__h_n=\\$$__h_n"; done
__h_cwd=$__h_default_cwd
[ -r "$__h_session/state" ] && . "$__h_session/state"
[ -n "$__h_override" ] || __h_cwd=$__h_now
# A variable given to this run alone goes back to what the session had, unless the command changed it.
for __h_n in $__h_env_names; do
  eval "__h_s_$__h_n=\\\${$__h_n-} __h_had_$__h_n=\\\${$__h_n+x}"
done
__h_env
for __h_n in $__h_env_names; do
  if eval "[ \\"\\\${__h_v_$__h_n+x}\\" = x ] && [ \\"\\$__h_v_$__h_n\\" = \\"\\$$__h_n\\" ]"; then
    unset "__h_v_$__h_n"
    eval "[ \\"\\$__h_had_$__h_n\\" != x ] || __h_v_$__h_n=\\$__h_s_$__h_n"
  fi
done
__h_list "$(export -p)"
for __h_n in $__h_names; do unset "$__h_n"; done
unset PWD OLDPWD HERMES_RUN SHLVL _
__h_gone=
for __h_n in $__h_before; do
  eval "[ \\"\\\${__h_v_$__h_n+x}\\" = x ]" || __h_gone="$__h_gone $__h_n"
done
for __h_n in $__h_after; do
  eval "[ \\"\\\${__h_v_$__h_n+x}\\" = x ]" || continue
  eval "[ \\"\\\${__h_b_$__h_n+x}\\" = x ] && [ \\"\\$__h_b_$__h_n\\" = \\"\\$__h_v_$__h_n\\" ]" && continue
  eval "$__h_n=\\$__h_v_$__h_n"
  export "$__h_n"
done
export __h_cwd
umask 077
{
  printf '# %s\\n' "$__h_marker"
  [ -z "$__h_gone" ] || printf 'unset%s\\n' "$__h_gone"
  export -p
} >"$__h_run/next/state" && printf '%s' "$__h_cwd" >"$__h_run/next/cwd"
`;

const watch = `# sh watch.sh SCRIPTS RUN SECONDS
trap 'kill "$!" 2>/dev/null; exit 0' TERM
sleep "$3" &
wait "$!"
trap - TERM
: >"$2/timed-out"
exec env HERMES_WATCH= /bin/sh "$1/kill.sh" "$2" 1000 watch
`;

/** File name to text; written once per version into `scripts-<version>`, so that a newer release never changes the
 * script under a supervisor that is reading it. */
export const runScripts: Readonly<Record<string, string>> = {
  'supervise.sh': supervise,
  'command.sh': command,
  'save.sh': save,
  'watch.sh': watch,
  'pty.sh': ptyScript,
  'kill.sh': killScript,
};

export const runScriptsVersion = createHash('sha256').update(JSON.stringify(runScripts)).digest('hex').slice(0, 12);

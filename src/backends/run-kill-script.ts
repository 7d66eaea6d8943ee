import { identify, clock } from './run-script-parts.ts';

/**
 * Ends a run's whole tree: the group, what carries the run's marker in its environment (it survives setsid and a
 * double fork), what still writes to the run's output, and all their children. Exits 0 once nothing is left.
 */
export const killScript = `# sh kill.sh RUN GRACE_MS [watch]
__h_run=$1 __h_grace=$2 __h_mode=\${3-}
${identify}${clock}
. "$__h_run/spec"
# As /proc shows paths.
__h_real=$(cd "$__h_run" && pwd -P)
__h_supervisor=0 __h_claim_start=- __h_claim_boot=-
[ -r "$__h_run/claimed" ] && read -r __h_supervisor __h_claim_start __h_claim_boot __h_rest <"$__h_run/claimed"
__h_supervised() {
  [ ! -e "$__h_run/exit" ] && kill -0 "$__h_supervisor" 2>/dev/null || return 1
  __h_identify "$__h_supervisor" 2>/dev/null
  [ "$__h_start" = "$__h_claim_start" ] && [ "$__h_boot" = "$__h_claim_boot" ]
}
__h_table() {
  if [ -r /proc/self/stat ]; then
    for __h_f in /proc/[0-9]*/stat; do
      read -r __h_l <"$__h_f" || continue
      case $__h_l in *") "*) ;; *) continue ;; esac
      __h_p=\${__h_l%% *}
      set -- \${__h_l##*) }
      case $1 in Z | X) ;; *) __h_procs="$__h_procs $__h_p:$2:$3" ;; esac
    done 2>/dev/null
  else
    for __h_l in $(ps -A -o pid= -o ppid= -o pgid= -o stat= | sed 's/^ *//;/ Z/d;s/  */:/g'); do
      __h_procs="$__h_procs \${__h_l%:*}"
    done
  fi
}
# Sets __h_found to the ids of all living processes of the run.
__h_collect() {
  __h_found=' ' __h_procs= __h_group=none __h_seeds= __h_relays=
  # A group's number may belong to others once the supervisor no longer holds it.
  if __h_supervised && [ -r "$__h_run/pid" ]; then read -r __h_group <"$__h_run/pid"; fi
  if [ -r /proc/self/environ ]; then
    __h_what="HERMES_RUN=$__h_marker"
    __h_supervised || __h_what="=$__h_marker"
    __h_relay="HERMES_RELAY=$__h_marker"
    __h_seeds=$(grep -lzF -e "$__h_what" -e "$__h_relay" /proc/[0-9]*/environ 2>/dev/null)
    [ $? -lt 2 ] || [ -n "$__h_seeds" ] || __h_seeds=$(grep -lF -e "$__h_what" -e "$__h_relay" /proc/[0-9]*/environ 2>/dev/null)
    # Their command is asked instead, and they end with it.
    [ -z "$__h_seeds" ] || __h_relays=$(grep -lF -e "$__h_relay" $__h_seeds /dev/null 2>/dev/null)
    __h_ifs=$IFS
    IFS='
'
    for __h_l in $(ls -l /proc/[0-9]*/fd/1 /proc/[0-9]*/fd/2 2>/dev/null); do
      case $__h_l in *" -> $__h_real/output") __h_seeds="$__h_seeds
/proc/\${__h_l#*/proc/}" ;; esac
    done
    IFS=$__h_ifs
  fi
  __h_table
  for __h_l in $__h_seeds; do
    case $__h_l in /proc/*) ;; *) continue ;; esac
    __h_l=\${__h_l#/proc/}
    __h_add "\${__h_l%%/*}"
  done
  __h_more=1
  while [ $__h_more = 1 ]; do
    __h_more=0
    for __h_l in $__h_procs; do
      __h_p=\${__h_l%%:*} __h_l=\${__h_l#*:}
      case $__h_found in *" $__h_p "*) continue ;; esac
      if [ "\${__h_l#*:}" = "$__h_group" ]; then __h_add "$__h_p"; continue; fi
      case $__h_found in *" \${__h_l%%:*} "*) __h_add "$__h_p" ;; esac
    done
  done
}
__h_add() {
  [ "$1" != $$ ] && [ "$1" != "$__h_supervisor" ] || return 0
  case $__h_found in *" $1 "*) return 0 ;; esac
  case "$__h_procs " in *" $1:"*) __h_found="$__h_found$1 " __h_more=1 ;; esac
}
__h_nap() { sleep "$1" 2>/dev/null || sleep 1; }
# Nothing alive, and nothing about to be: a supervisor may be just before the command. It waits for its own watcher.
__h_done() {
  [ "$__h_found" = ' ' ] || return 1
  if [ -n "$__h_mode" ]; then [ -e "$__h_run/pid" ]; else ! __h_supervised; fi
}
__h_clock
__h_asked=\${__h_ns%??????}
__h_collect
__h_told=' '
# Everything is asked once, also what was born after the first look.
__h_ask() {
  for __h_p in $__h_found; do
    case $__h_told in *" $__h_p "*) continue ;; esac
    case $__h_relays in *"/proc/$__h_p/"*) continue ;; esac
    __h_told="$__h_told$__h_p "
    kill -TERM "$__h_p" 2>/dev/null
    kill -CONT "$__h_p" 2>/dev/null
  done
}
__h_ask
__h_pause=0.02
until __h_done; do
  __h_nap $__h_pause
  __h_pause=0.05
  __h_clock
  [ $((\${__h_ns%??????} - __h_asked)) -lt "$__h_grace" ] || break
  __h_collect
  __h_ask
done
__h_tries=0
while [ $__h_tries -lt 200 ]; do
  __h_collect
  if __h_done; then break; fi
  [ "$__h_found" = ' ' ] || kill -KILL $__h_found 2>/dev/null
  __h_nap 0.01
  __h_tries=$((__h_tries + 1))
done
[ "$__h_found" = ' ' ]
`;

/**
 * Puts a command on a pseudo-terminal, with what is there to make one: util-linux `script`, else Python's `pty`.
 * Standard input is typed, its end becomes Ctrl-D; the exit code is the command's, 128 + n for a signal.
 *
 *   sh pty.sh check    exits 0 where there is something, else says what to install and exits 4
 *   sh pty.sh          runs `$__h_shell -c $__h_program …` in the directory it is called in; see supervise.sh
 *   sh pty.sh inside   the part on the terminal
 */
export const ptyScript = `# sh pty.sh [check | inside]
__h_find() {
  __h_maker=
  if command -v stty >/dev/null 2>&1; then
    # Others by that name (BSD, busybox) lose the exit code or need a terminal of their own.
    case $(script --version 2>/dev/null) in *util-linux*) __h_maker=script && return ;; esac
  fi
  for __h_python in python3 python; do
    "$__h_python" -c 'import pty, fcntl, termios, select' 2>/dev/null && __h_maker=python && return
  done
  echo 'There is nothing here to make a pseudo-terminal with: install util-linux (bsdutils on Debian) for script, or python3.' >&2
  return 4
}
case \${1-} in
  check) __h_find; exit ;;
  inside)
    if [ "$__h_maker" = script ]; then
      stty sane rows "\${__h_pty#* }" cols "\${__h_pty% *}"
      if [ -n "$__h_had_shell" ]; then export SHELL="$__h_user_shell"; else unset SHELL; fi
    fi
    export HERMES_RUN="$__h_marker"
    set -- "$__h_shell" -c "$__h_program" "$__h_name" "$__h_scripts" "$__h_run"
    unset HERMES_RELAY __h_shell __h_program __h_name __h_scripts __h_run __h_pty __h_marker __h_maker
    unset __h_had_shell __h_user_shell __h_inside
    exec "$@"
    ;;
esac
__h_find || exit
export __h_maker __h_had_shell=\${SHELL+x} __h_user_shell="\${SHELL-}"
export __h_inside='exec /bin/sh "$__h_scripts/pty.sh" inside'
if [ $__h_maker = script ]; then
  # -e: the command's exit code; -f: each piece at once. It runs its command with $SHELL.
  SHELL=/bin/sh exec script -q -e -f -c "$__h_inside" /dev/null
fi
exec "$__h_python" -c '
import errno, fcntl, os, pty, select, signal, struct, sys, termios
columns, rows = map(int, os.environ["__h_pty"].split())
pid, master = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.execv("/bin/sh", ["/bin/sh", "-c", os.environ["__h_inside"]])
wake, bell = os.pipe()
os.set_blocking(bell, False)
signal.set_wakeup_fd(bell)
signal.signal(signal.SIGCHLD, lambda number, frame: None)
typed, status, reading = b"", None, True
def copy():
    try:
        data = os.read(master, 65536)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        data = b""
    view = memoryview(data)
    while view:
        view = view[os.write(1, view):]
    return len(data) > 0
while True:
    # Looked at first: the signal may have come before the bell was there.
    if status is None:
        ended, result = os.waitpid(pid, os.WNOHANG)
        if ended:
            status = result
    if status is not None and not select.select([master], [], [], 0)[0]:
        break
    ready = select.select([master, wake] + ([0] if reading and not typed else []), [master] if typed else [], [])
    if wake in ready[0]:
        os.read(wake, 4096)
    if master in ready[1]:
        typed = typed[os.write(master, typed):]
    if 0 in ready[0]:
        typed = os.read(0, 1024)
        if not typed:
            reading, typed = False, b"\\x04"
    if master in ready[0] and not copy():
        if status is None:
            status = os.waitpid(pid, 0)[1]
        break
sys.exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
'
`;

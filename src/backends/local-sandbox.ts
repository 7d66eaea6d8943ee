import { execFile } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { promisify } from 'node:util';
import { PortError } from '../lib/port-error.ts';
import { codeOf } from './file-errors.ts';
import { shellQuote } from './run-layout.ts';

const run = promisify(execFile);
const tryLimitMs = 5_000;

/** What a sandboxed command may see and change; absolute paths. Everything else of the machine is read-only. */
export interface SandboxView {
  /** Folders it may write to; those that do not exist are left out. */
  readonly writable: readonly string[];
  /** Folders that look empty to it, but for what is listed in `visible` or lies in `writable`. */
  readonly hidden: readonly string[];
  /** Read-only again inside of `hidden`. */
  readonly visible: readonly string[];
  /** Stands for /tmp and /var/tmp. */
  readonly tmp: string;
}

/** Whoever may talk to these can have commands run outside. */
const doors = [
  '/run/user',
  '/run/dbus',
  '/run/systemd/private',
  '/run/docker.sock',
  '/run/containerd',
  '/run/podman',
  '/run/crio',
];

const isolation = ['--unshare-pid', '--unshare-ipc', '--cap-drop', 'ALL', '--chdir', '/'];

/**
 * A script for sh that runs a command under bubblewrap: own process ids, a read-only machine, a private /tmp. The
 * network is the machine's. It is a launcher of the run protocol (see supervise.sh), and it does not die with its
 * parent: what a command leaves in the background lives on, and killing the run ends the first process of its process
 * space, with which the kernel ends all others.
 *
 * Throws Config.Invalid where the folders make no sense together.
 */
export function launcherScript(view: SandboxView): string {
  const hidden = view.hidden.flatMap(existing);
  const fixed = ['--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc', ...mounts(view, hidden)].map(shellQuote);
  const closing = hidden.flatMap((path) => ['--remount-ro', path]).map(shellQuote);
  return `# sh launcher SESSION RUN COMMAND…   folders of the run protocol, - for none
__h_of=$1 __h_in=$2
shift 2
set -- ${closing.join(' ')} -- "$@"
if [ "$__h_in" = - ]; then
  set -- --die-with-parent "$@"
else
  # Ids inside mean nothing outside; this process becomes the head of the command's group.
  printf '%s\\n' "$$" >"$__h_in/pid.new" && mv "$__h_in/pid.new" "$__h_in/pid" || exit 3
  set -- --ro-bind "$__h_in" "$__h_in" --bind "$__h_in/next" "$__h_in/next" "$@"
  [ -n "\${__h_pty-}" ] || set -- --unsetenv HERMES_RELAY --setenv HERMES_RUN "$HERMES_RELAY" "$@"
fi
[ "$__h_of" = - ] || set -- --ro-bind-try "$__h_of" "$__h_of" "$@"
exec bwrap ${[...isolation, ...fixed].join(' ')} "$@"
`;
}

/** Outer folders first, so that what lies inside of them is mounted over them. */
function mounts(view: SandboxView, hidden: readonly string[]): string[] {
  const writable = view.writable.flatMap(existing);
  const bad = writable.find((path) => path === '/' || hidden.includes(path));
  if (bad !== undefined) {
    const why = bad === '/' ? 'then nothing would be protected' : 'the service keeps its own files there';
    throw new PortError('Config.Invalid', `A sandboxed command cannot have ${bad} to write to: ${why}.`, {
      details: { path: bad },
    });
  }
  const steps = [
    ...['/tmp', '/var/tmp'].flatMap(existing).map((path) => ({ path, args: ['--bind', view.tmp, path] })),
    ...doors.filter((path) => existsSync(path)).map((path) => ({ path, args: closed(path) })),
    ...hidden.map((path) => ({ path, args: ['--tmpfs', path] })),
    ...view.visible.map((path) => ({ path, args: ['--ro-bind-try', path, path] })),
    ...writable.map((path) => ({ path, args: ['--bind', path, path] })),
  ];
  const depth = (path: string) => path.split('/').length;
  return steps.sort((a, b) => depth(a.path) - depth(b.path)).flatMap(({ args }) => args);
}

/** A socket cannot be covered by a folder. */
function closed(path: string): string[] {
  return path.endsWith('.sock') || path.endsWith('/private') ? ['--ro-bind', '/dev/null', path] : ['--tmpfs', path];
}

function existing(path: string): string[] {
  try {
    return [realpathSync(path)];
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

export interface SandboxProblem {
  readonly detail: string;
  readonly fix: string;
}

/** Tries it for real; null where it works. Never throws. */
export async function sandboxProblem(env: Readonly<Record<string, string>>): Promise<SandboxProblem | null> {
  const args = [...isolation, '--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc', '--', '/bin/sh', '-c', ':'];
  try {
    await run('bwrap', args, { env, timeout: tryLimitMs, cwd: '/' });
    return null;
  } catch (error) {
    const off = 'or switch it off: hermes config set terminal.local.sandbox off';
    if (codeOf(error) === 'ENOENT') {
      return {
        detail: 'terminal.local.sandbox is bubblewrap, and the program bwrap is not installed.',
        fix: `Install it (apt install bubblewrap), ${off}`,
      };
    }
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim().split('\n').at(-1) : '';
    return {
      detail: `This machine does not let bubblewrap make a sandbox: ${said === '' ? String(error) : said}`.slice(
        0,
        300,
      ),
      fix: `Allow user namespaces for it (sysctl kernel.unprivileged_userns_clone=1, or an AppArmor profile for bwrap), ${off}`,
    };
  }
}

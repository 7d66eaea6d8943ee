import { execFile, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const rootfs = fileURLToPath(new URL('../../../.cache/rootfs/bookworm', import.meta.url));
const makeRootfs = fileURLToPath(new URL('../rootfs/make-rootfs.sh', import.meta.url));

/** Why machines cannot be made here; null where they can. */
export function missingForMachines(): string | null {
  if (process.platform !== 'linux') return 'sandboxes of the Daytona test server need Linux';
  if (process.getuid?.() !== 0) return 'sandboxes of the Daytona test server need root';
  const path = (process.env['PATH'] ?? '').split(':');
  const lacking = ['unshare', 'nsenter', 'mount', ...(existsSync(join(rootfs, 'usr/bin/ps')) ? [] : ['debootstrap'])];
  const missing = lacking.filter((program) => !path.some((folder) => existsSync(join(folder, program))));
  return missing.length === 0 ? null : `not installed: ${missing.join(', ')}`;
}

/** Makes the tree all machines start from, once for every run. */
export async function prepareMachines(): Promise<void> {
  await run('sh', [makeRootfs, rootfs], { maxBuffer: 64 * 1024 * 1024 });
}

/**
 * A Debian of its own: its files over the common tree (an overlay, or a copy where there are no overlays), its
 * processes in a namespace of their own, and 8 MB at /mnt/small that can be filled up. Its first process ends with this one, and everything else with it.
 */
const boot = `set -e
mkdir -p "$2/up" "$2/work" "$2/merged"
if ! mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/up,workdir=$2/work" "$2/merged" 2>/dev/null; then
  [ -e "$2/up/usr" ] || cp -a "$1/." "$2/up/"
  mount --bind "$2/up" "$2/merged"
fi
mount -t proc proc "$2/merged/proc"
mount --rbind /dev "$2/merged/dev"
mount --rbind /sys "$2/merged/sys"
mkdir -p "$2/merged/mnt/small"
mount -t tmpfs -o size=8m tmpfs "$2/merged/mnt/small"
exec chroot "$2/merged" /usr/bin/perl -e '$SIG{CHLD}="IGNORE"; $|=1; print "up\\n"; sysread(STDIN,$_,1); exit 0'`;

const environment = {
  HOME: '/root',
  USER: 'root',
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
};

export interface Machine {
  start(): Promise<void>;
  /** Ends every process; files stay. */
  stop(): Promise<void>;
  /** Puts the files away until the next start. */
  archive(): Promise<void>;
  remove(): Promise<void>;
  readonly running: boolean;
  /** Starts a program inside, as the leader of a process group. */
  spawn(args: readonly string[], options?: SpawnOptions): ChildProcess;
  /** What to run on a terminal of the host to be inside. */
  command(args: readonly string[]): { file: string; args: string[]; env: Record<string, string> };
}

export function createMachine(folder: string): Machine {
  const place = join(folder, 'disk');
  const archived = join(folder, 'archive');
  let outer: ChildProcess | undefined;
  let first: string | undefined;

  const enter = (args: readonly string[]): string[] => {
    if (first === undefined) throw new Error('The machine is not running.');
    return ['-t', first, '-m', '-p', '-r', '-w', '--', ...args];
  };

  async function stop(): Promise<void> {
    const ending = outer;
    outer = first = undefined;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill('SIGKILL');
    await ended;
  }

  return {
    async start() {
      if (outer) return;
      if (existsSync(archived)) await rename(archived, place);
      await mkdir(place, { recursive: true });
      const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private'];
      const child = spawn('unshare', [...namespaces, 'sh', '-c', boot, 'boot', rootfs, place], {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: environment,
      });
      outer = child;
      await new Promise<void>((resolve, reject) => {
        child.stdout.once('data', () => {
          resolve();
        });
        child.once('exit', (code) => {
          reject(new Error(`The machine did not start: ${String(code)}`));
        });
      });
      const { stdout } = await run('cat', [`/proc/${String(child.pid)}/task/${String(child.pid)}/children`]);
      first = stdout.trim().split(' ')[0];
    },
    stop,
    async archive() {
      await rename(place, archived);
    },
    async remove() {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
    get running() {
      return first !== undefined;
    },
    spawn: (args, options = {}) => spawn('nsenter', enter(args), { env: environment, detached: true, ...options }),
    command: (args) => ({ file: 'nsenter', args: enter(args), env: environment }),
  };
}

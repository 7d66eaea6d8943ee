import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { withEngine } from '../with-engine.ts';

const run = promisify(execFile);
const rootfs = fileURLToPath(new URL('../../../.cache/rootfs/bookworm', import.meta.url));
const makeRootfs = fileURLToPath(new URL('../rootfs/make-rootfs.sh', import.meta.url));

/** What a command in a sandbox starts with. */
const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LANG: 'C.UTF-8' };

/** Defines the tests where the server can be run. Where not, says why and leaves them out; in CI that is a failure. */
export function withModalServer(define: () => void): void {
  withEngine('modal', missing(), define);
}

/** Why sandboxes cannot be had here; null when they can. */
function missing(): string | null {
  if (process.getuid?.() !== 0) return 'the modal test server mounts folders and needs root';
  if (existsSync('/usr/sbin/debootstrap') || existsSync(join(rootfs, 'usr/bin/ps'))) return null;
  return 'debootstrap is not installed (apt-get install debootstrap)';
}

/** Folder of a small Debian, made on first use. */
export async function baseLayer(): Promise<string> {
  await run('sh', [makeRootfs, rootfs], { timeout: 300_000 });
  return rootfs;
}

/** A running tree: folders laid over each other, with processes of its own that end together. */
export interface Tree {
  /** Layers it was made from, topmost first. */
  readonly layers: readonly string[];
  spawn(command: readonly string[], options: { workdir: string }): ChildProcess;
  /** Copies what was changed in it to a new folder, which can then be a layer. */
  copyChanges(to: string): Promise<void>;
  /** Ends every process in it; its changes stay until `remove`. Idempotent. */
  end(): Promise<void>;
  remove(): void;
  /** When its first process has ended. */
  readonly ended: Promise<void>;
}

/** In every tree, on a file system of 4 MB that no snapshot holds. */
export const smallFolder = '/mnt';

const setUp = `set -e
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/changes,workdir=$2/work" "$2/root"
cd "$2/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o size=4m tmpfs ${smallFolder.slice(1)}
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
shift 2
exec chroot . /bin/sh -c 'echo ready; exec "$@" >/dev/null' sh "$@"`;

/** Starts a tree in `folder` (made, must not exist) with `command` as its first process. */
export async function startTree(folder: string, layers: readonly string[], command: readonly string[]): Promise<Tree> {
  for (const part of ['changes', 'work', 'root']) mkdirSync(join(folder, part), { recursive: true });
  const flags = ['--mount', '--pid', '--ipc', '--uts', '--fork', '--kill-child', '--propagation', 'private'];
  const args = [...flags, 'sh', '-c', setUp, 'sh', layers.join(':'), folder, ...command];
  // Ends with this process, however that ends.
  const tied = ['--pdeathsig', 'KILL', 'unshare', ...args];
  const holder = spawn('setpriv', tied, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(holder, 'exit').then(() => undefined);
  let complaints = '';
  holder.stderr.on('data', (data: Buffer) => (complaints += data.toString()));
  const ready = once(holder.stdout, 'data').then(() => true);
  if (!(await Promise.race([ready, ended.then(() => false)])))
    throw new Error(`No tree could be started: ${complaints}`);
  const first = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').trim();

  const end = async () => {
    holder.kill('SIGKILL');
    await ended;
  };
  return {
    layers,
    ended,
    end,
    spawn(inside, { workdir }) {
      const enter = ['-t', first, '-m', '-p', '-i', '-u', '-r', '-w'];
      const start = ['/bin/sh', '-c', 'cd "$0" || exit 126; exec "$@"', workdir, ...inside];
      return spawn('nsenter', [...enter, ...start], { env, stdio: 'pipe', detached: true });
    },
    copyChanges: async (to) => {
      await run('cp', ['-a', join(folder, 'changes'), to]);
    },
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

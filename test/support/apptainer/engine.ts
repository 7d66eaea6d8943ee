import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const cache = here('../../../.cache');
const tree = join(cache, 'sid-apptainer');
const rootfs = join(cache, 'rootfs', 'bookworm');
const image = join(cache, 'rootfs', 'bookworm.sif');

/** A machine with apptainer on it: a process space of its own over a tree of Debian sid. */
export interface ApptainerEngine {
  /** Path of a program that acts as `apptainer` there. */
  readonly bin: string;
  /** A small Debian as a folder, seen under this path on both sides. */
  readonly rootfs: string;
  /** Folder for this test's files, seen under this path on both sides. */
  readonly folder: string;
  /** The same as a .sif file. */
  readonly image: string;
  /** A tree of a few hundred kilobytes with a shell in it. */
  readonly tinyRootfs: string;
  /** Runs a program there and resolves with what it printed; throws when it fails. */
  run(args: readonly string[]): string;
  /** Ends every process there at once, as when the power fails, and starts the machine again. */
  crash(): Promise<void>;
  close(): Promise<void>;
}

/** Why there can be no engine here; null: there can. Throws in CI, where there has to be one. */
export function engineMissing(): string | null {
  const reason = obstacle();
  if (reason !== null && process.env['CI'] !== undefined) throw new Error(`CI must have apptainer: ${reason}`);
  if (reason !== null) console.warn(`apptainer tests are skipped: ${reason}`);
  return reason;
}

function obstacle(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux';
  for (const program of ['unshare', 'nsenter', 'flock']) {
    if (!installed(program)) return `${program} is not installed (util-linux)`;
  }
  const trees = existsSync(join(tree, 'usr/bin/apptainer')) && existsSync(join(rootfs, 'bin/busybox'));
  if (!trees && !installed('debootstrap')) return 'debootstrap is not installed';
  return null;
}

function installed(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

/** Starts one; makes the trees it needs at the first time, which takes a minute. `smallDiskMb`: with a disk of that size at `folder/small`. */
export async function startApptainer(options: { smallDiskMb?: number } = {}): Promise<ApptainerEngine> {
  await make('make-tree.sh', tree);
  await make('../rootfs/make-rootfs.sh', rootfs);
  const folder = mkdtempSync(join(tmpdir(), 'hermes-apptainer-'));
  const disk = options.smallDiskMb === undefined ? null : join(folder, 'small');
  if (disk !== null) {
    mkdirSync(disk);
    command('mount', ['-t', 'tmpfs', '-o', `size=${String(options.smallDiskMb)}m`, 'tmpfs', disk]);
  }
  const pidFile = join(folder, 'machine.pid');
  const bin = join(folder, 'bin', 'apptainer');
  mkdirSync(join(folder, 'bin'));
  // Reads the pid each time, since the machine may have been started again.
  const enter = `exec nsenter -t "$(cat '${pidFile}')" -m -p --wd=/`;
  writeFileSync(bin, `#!/bin/sh\n${enter} /usr/bin/apptainer "$@"\n`);
  chmodSync(bin, 0o755);
  let machine = await boot(folder, pidFile);
  // Compressing takes half a minute on a busy machine, so it is kept.
  const build = `[ "$1" -nt "$2/bin/busybox" ] || { rm -f "$1.new"; "$3" build "$1.new" "$2" && mv "$1.new" "$1"; }`;
  command('flock', [`${image}.lock`, 'sh', '-c', build, 'sh', image, rootfs, bin]);
  return {
    bin,
    rootfs,
    image,
    tinyRootfs: makeTiny(join(folder, 'tiny')),
    folder,
    run: (args) => {
      const pid = readFileSync(pidFile, 'utf8');
      const result = spawnSync('nsenter', ['-t', pid, '-m', '-p', '--wd=/', ...args], {
        encoding: 'utf8',
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: process.env['HOME'] ?? '/root' },
      });
      if (result.status !== 0) throw new Error(`${args.join(' ')}: ${result.stderr}`);
      return result.stdout;
    },
    crash: async () => {
      await end(machine);
      machine = await boot(folder, pidFile);
    },
    close: async () => {
      await end(machine);
      if (disk !== null) command('umount', [disk]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function makeTiny(folder: string): string {
  for (const name of ['bin', 'etc', 'proc', 'root', 'sys', 'dev', 'tmp', 'usr', 'var']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  cpSync(join(rootfs, 'bin', 'busybox'), join(folder, 'bin', 'busybox'));
  const tools = ['sh', 'ln', 'mv', 'rm', 'date', 'sleep', 'ls', 'grep', 'ps', 'mkdir', 'cat', 'stat', 'head', 'tail'];
  for (const name of [...tools, 'wc', 'kill', 'base64', 'tr', 'setsid'])
    symlinkSync('busybox', join(folder, 'bin', name));
  return folder;
}

function command(program: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8', cwd: '/' });
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
}

async function make(script: string, target: string): Promise<void> {
  const child = spawn('sh', [here(script), target], { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (text: Buffer) => (errors = (errors + text.toString()).slice(-2_000)));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${script} ended with ${String(code)}: ${errors}`);
}

async function boot(folder: string, pidFile: string): Promise<ChildProcess> {
  // Its home is in the test's folder, so that engines do not see each other's instances.
  const home = join(folder, 'root');
  mkdirSync(home, { recursive: true });
  const first = String(20_000 + (process.pid % 10_000));
  const words = ['--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private'];
  const machine = spawn('unshare', [...words, 'sh', here('hold-tree.sh'), tree, first, home, folder, cache], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await Promise.race([
    once(machine.stdout, 'data'),
    once(machine, 'exit').then(() => {
      throw new Error('The machine for apptainer did not start.');
    }),
  ]);
  const children = readFileSync(`/proc/${String(machine.pid)}/task/${String(machine.pid)}/children`, 'utf8');
  writeFileSync(pidFile, children.trim());
  return machine;
}

async function end(machine: ChildProcess): Promise<void> {
  if (machine.exitCode !== null || machine.signalCode !== null) return;
  const gone = once(machine, 'exit');
  machine.kill('SIGKILL');
  await gone;
}

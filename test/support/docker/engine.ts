import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';
import { withEngine } from '../with-engine.ts';

/**
 * A real Docker daemon of its own: own data, own socket, own bridge, no firewall rules. Containers outlive the daemon
 * (live restore), so it can be killed and started again under them.
 */
export interface DockerEngine {
  readonly socketPath: string;
  /** Its folder; removed by `stop`. */
  readonly folder: string;
  readonly docker: Docker;
  start(): Promise<void>;
  /** SIGKILL, as in a crash; containers go on. */
  kill(): Promise<void>;
  /** Removes every container, the daemon, its bridge and its files. Idempotent. */
  stop(): Promise<void>;
}

export interface EngineOptions {
  /** Keeps everything of the daemon on a disk of this size. */
  readonly diskMb?: number;
}

const prefix = 'hermes-docker-';
/** A path to a unix socket may have about 100 characters. */
const base = tmpdir().length < 40 ? tmpdir() : '/tmp';
const startLimitMs = 60_000;
let engines = 0;

/** Why no daemon can be run here; null when it can. */
function missing(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'a Docker daemon can only be run by root on Linux';
  const wanted = {
    dockerd: 'docker.io',
    ip: 'iproute2',
    busybox: 'busybox-static',
    debootstrap: 'debootstrap',
    tar: 'tar',
  };
  const absent = Object.entries(wanted).filter(([command]) => spawnSync('which', [command]).status !== 0);
  if (absent.length === 0) return null;
  return `not installed: apt-get install ${absent.map(([, name]) => name).join(' ')}`;
}

/** Defines the tests where a daemon can be run. Where it cannot, says why and leaves them out; in CI that is a failure. */
export function withDockerEngine(define: () => void): void {
  withEngine('docker', missing(), define);
}

export function dockerEngine({ diskMb }: EngineOptions = {}): DockerEngine {
  removeAbandoned();
  const folder = mkdtempSync(join(base, prefix));
  writeFileSync(join(folder, 'owner'), String(process.pid));
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  if (diskMb !== undefined) run('mount', '-t', 'tmpfs', '-o', `size=${diskMb}m,mode=755`, 'tmpfs', disk);
  const socketPath = join(folder, 'docker.sock');
  const docker = new Docker({ socketPath, host: undefined as unknown as string });
  const bridge = `hd${process.pid}x${engines++}`;
  let daemon: ChildProcess | null = null;
  let bridged: boolean | undefined;

  async function start(): Promise<void> {
    bridged ??= makeBridge(bridge);
    // What a daemon that was killed leaves would make the next one believe that it still runs.
    endContainerd(folder);
    rmSync(join(folder, 'dockerd.pid'), { force: true });
    const log = openSync(join(folder, 'dockerd.log'), 'a');
    const args = [
      ...['--data-root', join(disk, 'data'), '--exec-root', join(folder, 'exec')],
      ...['--host', `unix://${socketPath}`, '--pidfile', join(folder, 'dockerd.pid'), '--live-restore'],
      ...['--iptables=false', '--ip6tables=false', '--ip-forward=false', '--ip-masq=false', '--userland-proxy=false'],
      ...['--shutdown-timeout', '5', '--bridge', bridged ? bridge : 'none'],
    ];
    const child = spawn('dockerd', args, { stdio: ['ignore', log, log], env: { ...process.env, DOCKER_HOST: '' } });
    closeSync(log);
    daemon = child;
    const limit = Date.now() + startLimitMs;
    for (;;) {
      try {
        await docker.ping();
        return;
      } catch (error) {
        if (child.exitCode !== null || Date.now() > limit) {
          const said = readFileSync(join(folder, 'dockerd.log'), 'utf8').slice(-2_000);
          throw new Error(`dockerd did not start: ${said}`, { cause: error });
        }
        await sleep(50);
      }
    }
  }

  async function end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = daemon;
    daemon = null;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }

  return {
    socketPath,
    folder,
    docker,
    start,
    kill: () => end('SIGKILL'),
    async stop() {
      if (bridged === undefined) {
        removeEngine(folder, bridge);
        return;
      }
      if (!daemon) await start();
      for (const { Id } of await docker.listContainers({ all: true })) {
        await docker.getContainer(Id).remove({ force: true, v: true });
      }
      await end('SIGTERM');
      removeEngine(folder, bridge);
      bridged = undefined;
    },
  };
}

function endContainerd(folder: string): void {
  const file = join(folder, 'exec', 'containerd', 'containerd.pid');
  const pid = readText(file);
  if (pid !== '' && readText(`/proc/${pid}/cmdline`).includes(`${folder}/`)) process.kill(Number(pid), 'SIGKILL');
  rmSync(file, { force: true });
}

/** False where this machine makes no bridges: then containers have only loopback. */
function makeBridge(name: string): boolean {
  const subnet = `10.${100 + (process.pid % 100)}.${(Math.floor(process.pid / 100) + engines) % 256}.1/24`;
  const made = spawnSync('ip', ['link', 'add', name, 'type', 'bridge']).status === 0;
  if (!made) return false;
  run('ip', 'addr', 'add', subnet, 'dev', name);
  run('ip', 'link', 'set', name, 'up');
  return true;
}

/** What a test process left that was killed. */
function removeAbandoned(): void {
  for (const name of readdirSync(base).filter((entry) => entry.startsWith(prefix))) {
    const folder = join(base, name);
    const owner = Number(readText(join(folder, 'owner')));
    if (owner > 0 && !isAlive(owner)) removeEngine(folder, `hd${owner}x0`);
  }
}

/** Ends every process that has the engine's folder in its command line (daemon, containerd, shims), and its files. */
function removeEngine(folder: string, bridge: string): void {
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const command = readText(`/proc/${pid}/cmdline`);
    if (Number(pid) !== process.pid && command.includes(`${folder}/`)) process.kill(Number(pid), 'SIGKILL');
  }
  const mounts = readText('/proc/self/mounts').split('\n');
  const inside = mounts.map((line) => line.split(' ')[1] ?? '').filter((path) => path.startsWith(`${folder}/`));
  for (const path of inside.reverse()) spawnSync('umount', ['-l', path]);
  spawnSync('ip', ['link', 'del', bridge]);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Gone meanwhile, as processes and folders of others may be.
    return '';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function run(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
}

import { existsSync } from 'node:fs';
import { PortError } from '../../lib/port-error.ts';
import { lastWords, programError } from './errors.ts';
import type { SingularityBackendOptions } from './options.ts';
import type { Program } from './program.ts';

export interface StartRequest {
  readonly name: string;
  readonly imagePath: string;
  readonly overlay: string;
}

/** The program's instances; its own list is the only truth about them. */
export interface Instances {
  /** Names of those that run, of this account on this machine. */
  running(): Promise<ReadonlySet<string>>;
  /** Starts one that does not run. Resolves with the limits that could not be set, each with its reason. */
  start(request: StartRequest): Promise<readonly string[]>;
  /** Ends all its processes; resolves when they are gone. Idempotent. */
  stop(name: string): Promise<void>;
  /** Words of the program for a process in it, up to what is to run. */
  entry(name: string): readonly string[];
  /** Which of the limits asked for cannot be set here, found out by trying each with a throw-away container. */
  refusedLimits(imagePath: string, timeoutMs: number): Promise<readonly string[]>;
  /** Runs nothing in a throw-away container, as environments are run. Throws what is in the way. */
  tryOut(imagePath: string, timeoutMs: number): Promise<void>;
}

const listLimitMs = 10_000;
const startLimitMs = 60_000;
const stopLimitMs = 30_000;
const trialLimitMs = 15_000;

/**
 * Root without capabilities still owns the kernel's settings; these are all it could change of the machine. /sys has no
 * read-only form that would leave its cgroups out, so only what tells programs of processors is shown.
 */
const readOnlyForRoot = [
  '/proc/sys',
  '/proc/sysrq-trigger',
  '/proc/irq',
  '/proc/bus',
  '/proc/fs',
  '/sys/devices/system',
];

export function createInstances(program: Program, options: SingularityBackendOptions): Instances {
  const root = process.getuid?.() === 0;
  const privileges = (options.noPrivs ?? root) ? ['--no-privs'] : [];
  const limits = limitWords(options);
  const shape = [...privileges, ...isolation(root, options)];

  async function running(): Promise<ReadonlySet<string>> {
    const { stdout } = await program.expect(['instance', 'list', '--json'], { timeoutMs: listLimitMs });
    return new Set(parseList(stdout));
  }

  async function trial(imagePath: string, extra: readonly string[], timeoutMs: number): Promise<string | null> {
    const args = ['exec', ...shape, ...extra, imagePath, 'sh', '-c', ':'];
    const { exitCode, stderr } = await program.run(args, { timeoutMs });
    return exitCode === 0 ? null : stderr;
  }

  async function refused(imagePath: string, timeoutMs: number): Promise<{ name: string; reason: string }[]> {
    if (limits.length === 0) return [];
    if (
      (await trial(
        imagePath,
        limits.flatMap(({ words }) => words),
        timeoutMs,
      )) === null
    )
      return [];
    const answers = await Promise.all(limits.map(({ words }) => trial(imagePath, words, timeoutMs)));
    return limits.flatMap(({ name }, at) => {
      const stderr = answers[at] ?? null;
      return stderr === null ? [] : [{ name, reason: lastWords(stderr) }];
    });
  }

  async function tryStart(
    { name, imagePath, overlay }: StartRequest,
    extra: readonly string[],
  ): Promise<string | null> {
    const args = ['instance', 'start', ...shape, '--overlay', overlay, ...extra, imagePath, name];
    const { exitCode, stderr } = await program.run(args, { timeoutMs: startLimitMs });
    // Somebody who died meanwhile may have left it half started; it counts once it is listed.
    if (exitCode === 0 || (/already exists/.test(stderr) && (await running()).has(name))) return null;
    return stderr;
  }

  return {
    running,
    async start(request) {
      const failed = await tryStart(
        request,
        limits.flatMap(({ words }) => words),
      );
      if (failed === null) return [];
      if (limits.length === 0 || !/cgroup|limit|systemd|cpus value|memory/i.test(failed)) throw startError(failed);
      const without = await refused(request.imagePath, trialLimitMs);
      const allowed = limits.filter((limit) => !without.some(({ name }) => name === limit.name));
      const again = await tryStart(
        request,
        allowed.flatMap(({ words }) => words),
      );
      if (again !== null) throw startError(again);
      return without.map(({ name, reason }) => `${name} (${reason})`);
    },
    async stop(name) {
      const args = ['instance', 'stop', '--timeout', '2', name];
      const { exitCode, stderr } = await program.run(args, { timeoutMs: stopLimitMs });
      if (exitCode === 0 || /no instance found/i.test(stderr)) {
        if (!(await running()).has(name)) return;
      }
      const force = await program.run(['instance', 'stop', '--force', name], { timeoutMs: stopLimitMs });
      if ((await running()).has(name)) throw programError(force.stderr || stderr, 'The instance could not be stopped');
    },
    entry: (name) => ['exec', '--cleanenv', ...privileges, `instance://${name}`],
    refusedLimits: async (imagePath, timeoutMs) =>
      (await refused(imagePath, timeoutMs)).map(({ name, reason }) => `${name} (${reason})`),
    async tryOut(imagePath, timeoutMs) {
      const stderr = await trial(imagePath, [], timeoutMs);
      if (stderr !== null) throw startError(stderr);
    },
  };
}

function startError(stderr: string): PortError {
  return programError(stderr, 'The instance could not be started');
}

function isolation(root: boolean, { network, mounts = [] }: SingularityBackendOptions): string[] {
  // Not their own /tmp: what is there is to survive sleep, in the overlay.
  const words = ['--contain', '--cleanenv', '--no-home', '--ipc', '--uts', '--no-mount', root ? 'tmp,sys' : 'tmp'];
  if (root) {
    for (const path of readOnlyForRoot) if (existsSync(path)) words.push('--bind', `${path}:${path}:ro`);
  }
  for (const mount of mounts) words.push('--bind', mount);
  if (network === 'off') words.push('--net', '--network', 'none');
  return words;
}

function limitWords({ memoryMb, cpus, pidsLimit }: SingularityBackendOptions): { name: string; words: string[] }[] {
  const limits: { name: string; words: string[] }[] = [];
  if (memoryMb !== undefined) limits.push({ name: 'memoryMb', words: ['--memory', `${memoryMb}M`] });
  if (cpus !== undefined) limits.push({ name: 'cpus', words: ['--cpus', String(cpus)] });
  if (pidsLimit !== undefined) limits.push({ name: 'pids', words: ['--pids-limit', String(pidsLimit)] });
  return limits;
}

function parseList(text: string): string[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    throw new PortError('Terminal.BackendUnavailable', 'The list of instances could not be read.', { cause: error });
  }
  const { instances } = list as { instances?: readonly { readonly instance: string }[] | null };
  return (instances ?? []).map(({ instance }) => instance);
}

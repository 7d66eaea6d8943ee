import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { PortError } from '../../lib/port-error.ts';
import { codeOf } from '../file-errors.ts';
import { programError } from './errors.ts';

export interface ProgramResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  /** Without colours; at most the last 64 KB. */
  readonly stderr: string;
}

export interface ProgramRunOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Hears what it says on standard error, line by line. */
  readonly onLine?: ((line: string) => void) | undefined;
  /** Registries need what is kept from everything else: proxies and log-in data. */
  readonly fetches?: boolean;
}

/** The apptainer (or singularity) program of this machine. */
export interface Program {
  /** Absolute path. Throws Terminal.BackendUnavailable, not retryable, where there is none. */
  path(): Promise<string>;
  /** Runs it to its end; any exit code is a result. Throws Terminal.BackendUnavailable when it takes too long. */
  run(args: readonly string[], options: ProgramRunOptions): Promise<ProgramResult>;
  /** As `run`, and throws what a failure means in words for people. */
  expect(args: readonly string[], options: ProgramRunOptions): Promise<ProgramResult>;
  start(args: readonly string[]): Promise<ChildProcessWithoutNullStreams>;
  /** Environment it runs with; nothing of the service is in it. */
  readonly env: Readonly<Record<string, string>>;
}

export interface ProgramOptions {
  readonly bin?: string;
  readonly cacheDir: string;
  readonly baseEnv: Readonly<Record<string, string>>;
}

const outputChars = 65_536;
/** A detached child of it may keep a stream open; what it said by then is all there is. */
const lastWordsMs = 200;

export function createProgram(options: ProgramOptions): Program {
  let found: string | undefined;
  const env = closedEnvironment(options);
  const fetchEnv = { ...env, ...fetchVariables(options.baseEnv) };

  async function path(): Promise<string> {
    found ??= await locate(options);
    return found;
  }

  async function run(args: readonly string[], runOptions: ProgramRunOptions): Promise<ProgramResult> {
    const bin = await path();
    if (runOptions.fetches) await mkdir(join(options.cacheDir, 'tmp'), { recursive: true, mode: 0o700 });
    runOptions.signal?.throwIfAborted();
    // In `/`: the caller's own directory would be looked for inside.
    const child = spawn(bin, args, { cwd: '/', env: runOptions.fetches ? fetchEnv : env, detached: true });
    child.stdin.on('error', () => undefined);
    child.stdin.end();
    return ended(child, args, runOptions);
  }

  return {
    env,
    path,
    run,
    expect: async (args, runOptions) => {
      const result = await run(args, runOptions);
      if (result.exitCode === 0) return result;
      throw programError(result.stderr, `${args.slice(0, 2).join(' ')} failed`);
    },
    start: async (args) => spawn(await path(), args, { cwd: '/', env }),
  };
}

function ended(
  child: ChildProcessWithoutNullStreams,
  args: readonly string[],
  { timeoutMs, signal, onLine }: ProgramRunOptions,
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    let line = '';
    let settled = false;
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      const plain = withoutColours(text);
      stderr = (stderr + plain).slice(-outputChars);
      const lines = (line + plain).split(/[\r\n]+/);
      line = lines.pop() ?? '';
      for (const said of lines) if (said.trim() !== '') onLine?.(said.trim());
    });
    const settle = (work: () => void) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      work();
    };
    const giveUp = (reason: Error) =>
      settle(() => {
        endGroup(child.pid);
        reject(reason);
      });
    const onAbort = () => giveUp(signal?.reason as Error);
    const timer = setTimeout(() => {
      const message = `${args.slice(0, 2).join(' ')} did not end within ${timeoutMs / 1000} s. ${stderr.slice(-300)}`;
      giveUp(new PortError('Terminal.BackendUnavailable', message.trim()));
    }, timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    child.once('error', (error) => {
      const message = `The program could not be started (${codeOf(error) ?? error.message}).`;
      settle(() => reject(new PortError('Terminal.BackendUnavailable', message, { cause: error })));
    });
    const finish = (exitCode: number | null) => settle(() => resolve({ exitCode, stdout, stderr }));
    child.once('close', finish);
    child.once('exit', (exitCode) => setTimeout(finish, lastWordsMs, exitCode).unref());
  });
}

/** It hands its work to processes of its own, which must not go on alone. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

function withoutColours(text: string): string {
  return text.replace(/\u001b\[[0-9;]*[A-Za-z]/g, '');
}

async function locate({ bin, baseEnv }: ProgramOptions): Promise<string> {
  const names = bin === undefined || bin === '' ? ['apptainer', 'singularity'] : [bin];
  const folders = (baseEnv['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const name of names) {
    for (const path of name.includes('/') ? [name] : folders.map((folder) => join(folder, name))) {
      if (isAbsolute(path) && (await executable(path))) return path;
    }
  }
  const message =
    bin === undefined || bin === ''
      ? 'Neither apptainer nor singularity is installed here. Install apptainer, or set terminal.singularity.bin to where it is.'
      : `There is no program ${bin}. Set terminal.singularity.bin to where apptainer or singularity is.`;
  throw new PortError('Terminal.BackendUnavailable', message, { retryable: false, details: { missing: 'program' } });
}

async function executable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    // Absent, or not for us: the next one may be.
    return false;
  }
}

/**
 * Without anything that could change what runs or reach the inside: APPTAINERENV_, SINGULARITY_BIND and their like, and
 * proxies, which the program hands on even with --cleanenv.
 */
function closedEnvironment({ baseEnv, cacheDir }: ProgramOptions): Record<string, string> {
  const own = Object.entries(baseEnv).filter(([name]) => !/^(APPTAINER|SINGULARITY)|_proxy$/i.test(name));
  return Object.fromEntries([
    ...own,
    ...['APPTAINER', 'SINGULARITY'].flatMap((maker) => [
      [`${maker}_CACHEDIR`, join(cacheDir, 'layers')],
      [`${maker}_TMPDIR`, join(cacheDir, 'tmp')],
    ]),
  ]) as Record<string, string>;
}

function fetchVariables(baseEnv: Readonly<Record<string, string>>): Record<string, string> {
  const wanted = /^(APPTAINER|SINGULARITY)_(DOCKER_USERNAME|DOCKER_PASSWORD|NOHTTPS)$|^(https?|no|all)_proxy$/i;
  return Object.fromEntries(Object.entries(baseEnv).filter(([name]) => wanted.test(name)));
}

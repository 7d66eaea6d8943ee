import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, constants, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { link, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { codeOf, fileError } from './file-errors.ts';
import { watchFolder } from './folder-watch.ts';
import { isAlive } from './local-process.ts';
import type { LaunchedProcess, RunHost, RunRecords } from './run-host.ts';
import { parseClaim } from './run-state.ts';

const shell = '/bin/sh';
/** The header line of a spec is far shorter. */
const headerLimitBytes = 65_536;

/** The run protocol on this machine: files directly, scripts as child processes under `env`. */
export function createLocalHost({ root, env }: { root: string; env: Readonly<Record<string, string>> }): RunHost {
  return {
    root,
    makeFolders: (paths) =>
      guard(root, async () => {
        for (const path of paths) await mkdir(path, { recursive: true, mode: 0o700 });
      }),
    createFile: (path, text) => guard(path, () => createFile(path, text)),
    readText: (path) => guard(path, () => Promise.resolve(readRecord(path))),
    listFolder: (path) => guard(path, async () => (await orNull(readdir(path))) ?? []),
    remove: (path) => guard(path, () => remove(path)),
    observe: (runFolder, range) => guard(runFolder, () => observe(runFolder, range)),
    launch: (script, args, logPath) => guard(logPath, () => launch([script, ...args], env, logPath)),
    execute: (script, args) => guard(script, () => execute([script, ...args], env)),
    feed: (path, bytes) => guard(path, () => feed(path, bytes)),
    terminate: (pid) =>
      guard(String(pid), () => {
        try {
          process.kill(pid, 'SIGTERM');
        } catch (error) {
          if (codeOf(error) !== 'ESRCH') throw error;
        }
        return Promise.resolve();
      }),
    watch: (folder, names) => Promise.resolve(watchFolder(folder, names)),
  };
}

async function guard<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fileError(error, path);
  }
}

async function orNull<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Linking a finished file is atomic and refuses an existing name, which renaming does not. */
async function createFile(path: string, text: string): Promise<boolean> {
  // Nothing of an empty file can be missing.
  if (text === '') return unlessExists(writeFile(path, '', { mode: 0o600, flag: 'wx' }));
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, text, { mode: 0o600 });
  try {
    return await unlessExists(link(draft, path));
  } finally {
    await rm(draft, { force: true });
  }
}

async function unlessExists(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Renamed away first, so that nobody sees half of it. */
async function remove(path: string): Promise<void> {
  const doomed = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
  try {
    await rename(path, doomed);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  await rm(doomed, { recursive: true, force: true });
}

/** Reads the records synchronously: they are tiny, and a tour through the thread pool costs more than the reading. */
async function observe(folder: string, range: { offset: number; maxBytes: number }): Promise<RunRecords> {
  const spec = readHeader(join(folder, 'spec'));
  const claimed = readRecord(join(folder, 'claimed'));
  let exit = readRecord(join(folder, 'exit'));
  let supervisorAlive = false;
  const claim = claimed === null ? null : parseClaim(claimed);
  if (exit === null && claim !== null) {
    supervisorAlive = await isAlive(claim);
    // It may have written its record and ended between the two looks.
    if (!supervisorAlive) exit = readRecord(join(folder, 'exit'));
  }
  const killed = existsSync(join(folder, 'killed'));
  // Last, so that an `exit` is never seen without the whole output before it.
  const output = await readOutput(join(folder, 'output'), range);
  return { spec, claimed, exit, killed, supervisorAlive, ...output };
}

function readRecord(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

const headerBuffer = Buffer.alloc(headerLimitBytes);

function readHeader(path: string): string | null {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
  try {
    const length = readSync(file, headerBuffer, 0, headerLimitBytes, 0);
    const end = headerBuffer.subarray(0, length).indexOf(10);
    return headerBuffer.toString('utf8', 0, end === -1 ? length : end);
  } finally {
    closeSync(file);
  }
}

async function readOutput(
  path: string,
  { offset, maxBytes }: { offset: number; maxBytes: number },
): Promise<{ outputBytes: number; bytes: Buffer }> {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const wanted = Math.max(0, Math.min(maxBytes, size - offset));
  if (wanted === 0) return { outputBytes: size, bytes: Buffer.alloc(0) };
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(wanted), 0, wanted, offset);
    return { outputBytes: size, bytes: buffer.subarray(0, bytesRead) };
  } finally {
    await file.close();
  }
}

async function launch(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  logPath: string,
): Promise<LaunchedProcess> {
  const log = await open(logPath, 'a', 0o600);
  try {
    // Its own session: neither a signal to our group nor our end reaches it.
    const child = spawn(shell, args, { detached: true, stdio: ['ignore', 'ignore', log.fd], env, cwd: '/' });
    let ended = false;
    child.once('exit', () => (ended = true));
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    return { ended: () => ended };
  } finally {
    await log.close();
  }
}

function execute(args: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(shell, args, { stdio: 'ignore', env, cwd: '/' });
    child.once('error', reject);
    child.once('exit', (code) => {
      resolve(code ?? 1);
    });
  });
}

async function feed(path: string, bytes: Buffer): Promise<number> {
  // Without O_NONBLOCK a full pipe would hold a thread of the pool until the command reads.
  const file = await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    return (await file.write(bytes, 0, Math.min(bytes.length, 65_536))).bytesWritten;
  } catch (error) {
    if (codeOf(error) === 'EAGAIN') return 0;
    throw error;
  } finally {
    await file.close();
  }
}

import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PortError } from '../../lib/port-error.ts';
import { codeOf } from '../file-errors.ts';

/** Of util-linux, which every Linux has; BusyBox has one too. */
const lockProgram = 'flock';

/**
 * Runs `work` while nobody else on this machine does so under the same path. The lock is the kernel's, held by a small
 * process that ends with ours, so nothing is left behind whatever dies, and no time-out has to guess.
 *
 * Throws Terminal.BackendUnavailable when others hold it for all of `timeoutMs`.
 */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  {
    timeoutMs,
    signal,
    env,
  }: { timeoutMs: number; signal?: AbortSignal | undefined; env: Readonly<Record<string, string>> },
): Promise<T> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const release = await acquire(path, timeoutMs, signal, env);
  try {
    return await work();
  } finally {
    await release();
  }
}

function acquire(
  path: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  env: Readonly<Record<string, string>>,
): Promise<() => Promise<void>> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const seconds = (timeoutMs / 1000).toFixed(3);
    // Without `-o` the waiting `cat` holds the lock too, so it lasts exactly as long as our end of the pipe.
    const holder = spawn(lockProgram, ['-w', seconds, path, 'sh', '-c', 'echo held; exec cat >/dev/null'], {
      cwd: '/',
      env,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const onAbort = () => {
      holder.kill('SIGKILL');
      reject(signal?.reason as Error);
    };
    const gone = new Promise<void>((done) => {
      holder.once('exit', () => done());
      holder.once('error', () => done());
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    holder.stdin.on('error', () => undefined);
    holder.once('error', (error) => {
      const message =
        codeOf(error) === 'ENOENT'
          ? 'The program flock is missing; install util-linux.'
          : `A lock could not be taken: ${error.message}`;
      reject(new PortError('Terminal.BackendUnavailable', message, { retryable: false, cause: error }));
    });
    holder.once('exit', () => {
      signal?.removeEventListener('abort', onAbort);
      reject(new PortError('Terminal.BackendUnavailable', `Others were busy with ${path} for ${seconds} s.`));
    });
    holder.stdout.once('data', () => {
      signal?.removeEventListener('abort', onAbort);
      resolve(() => {
        holder.stdin.end();
        return gone;
      });
    });
  });
}

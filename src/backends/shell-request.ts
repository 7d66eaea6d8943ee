import { PortError } from '../lib/port-error.ts';
import type { ShellResult } from './remote-shell.ts';
import type { RequestLimits } from './shell-connection.ts';

/** A script on its way to a resident shell. */
export interface ShellRequest {
  readonly script: string;
  readonly limits: RequestLimits;
  readonly answer: Promise<ShellResult>;
  /** False once it was sent or given up. */
  readonly waits: () => boolean;
  /** Called right before it is sent; from then on it is not given up for want of a connection. */
  take(): void;
  /** At most one of these has an effect. */
  resolve(result: ShellResult): void;
  reject(error: unknown): void;
}

export interface RequestOptions extends RequestLimits {
  readonly signal?: AbortSignal | undefined;
  /** Called once when it still waits after `patienceMs`. */
  readonly patienceMs: number;
  readonly onImpatience: () => void;
}

/** Gives up by itself at the signal, and when it could not be sent within its time. */
export function createRequest(script: string, options: RequestOptions): ShellRequest {
  const { signal, patienceMs, onImpatience, ...limits } = options;
  let taken = false;
  let settle: { resolve: (result: ShellResult) => void; reject: (error: Error) => void };
  const answer = new Promise<ShellResult>((resolve, reject) => (settle = { resolve, reject }));
  const impatience = setTimeout(() => {
    if (!taken) onImpatience();
  }, patienceMs);
  const limit = setTimeout(() => {
    if (taken) return;
    const message = `No connection was free within ${limits.timeoutMs / 1000} s; nothing was sent.`;
    giveUp(new PortError('Terminal.BackendUnavailable', message));
  }, limits.timeoutMs);
  const onAbort = () => {
    giveUp(signal?.reason);
  };
  signal?.addEventListener('abort', onAbort, { once: true });

  function forget(): void {
    clearTimeout(impatience);
    clearTimeout(limit);
    signal?.removeEventListener('abort', onAbort);
  }
  function giveUp(error: unknown): void {
    // One that is under way is answered into the void, and its connection is used again after.
    taken = true;
    forget();
    settle.reject(error as Error);
  }
  return {
    script,
    limits,
    answer,
    waits: () => !taken,
    take: () => (taken = true),
    resolve: (result) => {
      forget();
      settle.resolve(result);
    },
    reject: giveUp,
  };
}

import { PortError } from '../lib/port-error.ts';
import type { RemoteShell, ShellResult, ShellRunOptions, ShellTransport } from './remote-shell.ts';
import { openConnection, type RequestLimits, type ShellConnection } from './shell-connection.ts';

export interface ResidentShellOptions {
  readonly transport: ShellTransport;
  /** Connections are let go of after this long without a request; 30 s where not given. */
  readonly idleMs?: number;
  /** How long opening a connection may take; 20 s where not given. */
  readonly openTimeoutMs?: number;
}

const defaults = { idleMs: 30_000, openTimeoutMs: 20_000, maxOutputBytes: 4 * 1024 * 1024, timeoutMs: 30_000 };
/** A request that waits longer than this for others gets a connection of its own, */
const patienceMs = 50;
/** up to this many. */
const mostConnections = 3;

interface Waiting {
  readonly script: string;
  readonly limits: RequestLimits;
  readonly resolve: (result: ShellResult) => void;
  readonly reject: (error: unknown) => void;
  /** Set once it was sent or given up. */
  taken: boolean;
}

/**
 * Keeps a `sh` running in the environment and asks it one script at a time, so that a request costs a round trip and
 * no log-in. Opened by the first request, opened again when it is lost, closed after `idleMs` without use: an idle
 * environment costs no connection. What a lost connection had been sent is rejected; what waits goes over a new one.
 */
export function createResidentShell(options: ResidentShellOptions): RemoteShell {
  const { transport, idleMs = defaults.idleMs, openTimeoutMs = defaults.openTimeoutMs } = options;
  const idle: ShellConnection[] = [];
  const busy = new Set<ShellConnection>();
  let opening = 0;
  let generation = 0;
  const queue: Waiting[] = [];
  let idleTimer: NodeJS.Timeout | undefined;

  async function open(): Promise<void> {
    const born = generation;
    opening += 1;
    try {
      const connection = await openConnection(transport, openTimeoutMs).finally(() => (opening -= 1));
      if (born !== generation) {
        connection.close();
        return;
      }
      void connection.lost.then(() => {
        const at = idle.indexOf(connection);
        if (at >= 0) idle.splice(at, 1);
      });
      idle.push(connection);
      serve();
    } catch (error) {
      // Others may still be served by the connections there are.
      if (busy.size + idle.length + opening === 0) for (const waiting of queue.splice(0)) waiting.reject(error);
    }
  }

  function next(): Waiting | undefined {
    let waiting = queue.shift();
    while (waiting?.taken) waiting = queue.shift();
    return waiting;
  }

  function serve(): void {
    clearTimeout(idleTimer);
    for (;;) {
      const connection = idle.pop();
      if (!connection) break;
      const waiting = next();
      if (!waiting) {
        idle.push(connection);
        break;
      }
      waiting.taken = true;
      void ask(connection, waiting);
    }
    if (queue.some(({ taken }) => !taken)) {
      if (busy.size + opening === 0) void open();
    } else if (busy.size === 0 && idle.length > 0) {
      idleTimer = setTimeout(closeIdle, idleMs);
      idleTimer.unref();
    }
  }

  async function ask(connection: ShellConnection, waiting: Waiting): Promise<void> {
    busy.add(connection);
    let usable = false;
    try {
      waiting.resolve(await connection.run(waiting.script, waiting.limits));
      usable = true;
    } catch (error) {
      waiting.reject(error);
    } finally {
      busy.delete(connection);
      if (usable) idle.push(connection);
      serve();
    }
  }

  function closeIdle(): void {
    for (const connection of idle.splice(0)) connection.close();
  }

  function enqueue(script: string, limits: RequestLimits, signal: AbortSignal | undefined): Promise<ShellResult> {
    return new Promise((resolve, reject) => {
      const settled = () => {
        clearTimeout(impatience);
        clearTimeout(limit);
        signal?.removeEventListener('abort', onAbort);
      };
      const waiting: Waiting = {
        script,
        limits,
        taken: false,
        resolve: (result) => {
          settled();
          resolve(result);
        },
        reject: (error) => {
          settled();
          reject(error as Error);
        },
      };
      const giveUp = (error: unknown) => {
        // One that is under way is answered into the void, and its connection is used again after.
        waiting.taken = true;
        waiting.reject(error);
      };
      const onAbort = () => {
        giveUp(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      const impatience = setTimeout(() => {
        if (!waiting.taken && opening === 0 && busy.size < mostConnections) void open();
      }, patienceMs);
      const limit = setTimeout(() => {
        if (waiting.taken) return;
        const message = `No connection was free within ${limits.timeoutMs / 1000} s; nothing was sent.`;
        giveUp(new PortError('Terminal.BackendUnavailable', message));
      }, limits.timeoutMs);
      queue.push(waiting);
      serve();
    });
  }

  return {
    run: async (script: string, run: ShellRunOptions = {}) => {
      run.signal?.throwIfAborted();
      const { maxOutputBytes = defaults.maxOutputBytes, timeoutMs = defaults.timeoutMs, signal } = run;
      return enqueue(script, { maxOutputBytes, timeoutMs }, signal);
    },
    close: () => {
      generation += 1;
      clearTimeout(idleTimer);
      const closed = new PortError('Terminal.BackendUnavailable', 'The connection was closed; nothing was sent.');
      for (const waiting of queue.splice(0)) if (!waiting.taken) waiting.reject(closed);
      closeIdle();
      for (const connection of busy) connection.close();
    },
  };
}

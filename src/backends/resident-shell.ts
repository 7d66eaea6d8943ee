import { PortError } from '../lib/port-error.ts';
import type { RemoteShell, ShellTransport } from './remote-shell.ts';
import { openConnection, type ShellConnection } from './shell-connection.ts';
import { createRequest, type ShellRequest } from './shell-request.ts';

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

/**
 * Keeps a `sh` running in the environment and asks it one script at a time, so that a request costs a round trip and
 * no log-in. Opened by the first request, opened again when it is lost, closed after `idleMs` without use: an idle
 * environment costs no connection. What a lost connection had been sent is rejected; what waits goes over a new one.
 * What a script leaves in the background must not keep its output or errors.
 */
export function createResidentShell(options: ResidentShellOptions): RemoteShell {
  const { transport, idleMs = defaults.idleMs, openTimeoutMs = defaults.openTimeoutMs } = options;
  const idle: ShellConnection[] = [];
  const busy = new Set<ShellConnection>();
  const queue: ShellRequest[] = [];
  let opening = 0;
  let closings = 0;
  let idleTimer: NodeJS.Timeout | undefined;

  async function open(): Promise<void> {
    const before = closings;
    opening += 1;
    try {
      const connection = await openConnection(transport, openTimeoutMs).finally(() => (opening -= 1));
      if (before === closings) idle.push(connection);
      else connection.close();
      serve();
    } catch (error) {
      // Others may still be served by the connections there are.
      if (busy.size + idle.length + opening === 0) for (const request of queue.splice(0)) request.reject(error);
    }
  }

  function free(): ShellConnection | undefined {
    let connection = idle.pop();
    while (connection?.usable() === false) connection = idle.pop();
    return connection;
  }

  /** Gives waiting requests to free connections; opens the first one, and lets all go when nothing is asked for long. */
  function serve(): void {
    clearTimeout(idleTimer);
    while (queue.length > 0) {
      if (queue[0]?.waits() !== true) {
        queue.shift();
        continue;
      }
      const connection = free();
      if (!connection) break;
      void ask(connection, queue.shift() as ShellRequest);
    }
    if (queue.length > 0 && busy.size + opening === 0) void open();
    if (queue.length === 0 && busy.size === 0 && idle.length > 0) {
      idleTimer = setTimeout(closeIdle, idleMs);
      idleTimer.unref();
    }
  }

  async function ask(connection: ShellConnection, request: ShellRequest): Promise<void> {
    request.take();
    busy.add(connection);
    try {
      request.resolve(await connection.run(request.script, request.limits));
      busy.delete(connection);
      idle.push(connection);
    } catch (error) {
      busy.delete(connection);
      request.reject(error);
    }
    serve();
  }

  function closeIdle(): void {
    for (const connection of idle.splice(0)) connection.close();
  }

  function onImpatience(): void {
    if (opening === 0 && busy.size > 0 && busy.size < mostConnections) void open();
  }

  return {
    run: async (script, run = {}) => {
      const { maxOutputBytes = defaults.maxOutputBytes, timeoutMs = defaults.timeoutMs, signal } = run;
      signal?.throwIfAborted();
      const request = createRequest(script, { maxOutputBytes, timeoutMs, signal, patienceMs, onImpatience });
      queue.push(request);
      serve();
      return request.answer;
    },
    close: () => {
      closings += 1;
      clearTimeout(idleTimer);
      const closed = new PortError('Terminal.BackendUnavailable', 'The connection was closed; nothing was sent.');
      for (const request of queue.splice(0)) if (request.waits()) request.reject(closed);
      closeIdle();
      for (const connection of busy) connection.close();
    },
  };
}

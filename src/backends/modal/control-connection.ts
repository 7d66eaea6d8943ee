import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import type { ClientMiddleware } from 'nice-grpc';
import { PortError } from '../../lib/port-error.ts';

/** How long one call may stay without an answer. Making a sandbox may have to wait for a machine. */
const patienceMs = { usual: 30_000, SandboxCreateV2: 300_000, ImageGetOrCreate: 120_000, ImageJoinStreaming: 90_000 };

export interface ControlConnection {
  /** For the SDK, on every call to the server. */
  readonly middleware: ClientMiddleware;
  /** Ends the connection; the next call opens a new one. Idempotent. */
  close(): void;
}

/**
 * Sees to two things the SDK leaves open for its calls to the server: a call that is never answered ends, and the
 * connection is let go of after `idleMs` without a call (the SDK keeps it, and pings it, as long as the process lives).
 * The SDK does not hand out its connection, so the socket is taken from where Node tells of it.
 */
export function createControlConnection(place: string, idleMs: number): ControlConnection {
  const sockets = new Set<Socket>();
  const ours = new AsyncLocalStorage<true>();
  let calls = 0;
  let watching = false;
  let idleTimer: NodeJS.Timeout | undefined;

  // Told in the context of whoever opens the socket, which for a call of ours is that call.
  const onSocket = (message: unknown) => {
    if (!ours.getStore()) return;
    const { socket } = message as { socket: Socket };
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  };

  function begin(): void {
    calls += 1;
    clearTimeout(idleTimer);
    if (watching) return;
    watching = true;
    subscribe('net.client.socket', onSocket);
  }

  function end(): void {
    calls -= 1;
    if (calls > 0) return;
    idleTimer = setTimeout(close, idleMs);
    idleTimer.unref();
  }

  function close(): void {
    clearTimeout(idleTimer);
    if (watching) unsubscribe('net.client.socket', onSocket);
    watching = false;
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  }

  const middleware: ClientMiddleware = async function* (call, options) {
    const name = call.method.path.split('/').at(-1) ?? '';
    const limitMs = name in patienceMs ? patienceMs[name as keyof typeof patienceMs] : patienceMs.usual;
    const limit = AbortSignal.timeout(limitMs);
    const signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit;
    begin();
    try {
      const answers = call.next(call.request as never, { ...options, signal })[Symbol.asyncIterator]();
      for (;;) {
        const answer = await ours.run(true, () => answers.next());
        if (answer.done) return answer.value as never;
        yield answer.value as never;
      }
    } catch (error) {
      // Not an error of the kind the SDK tries again: it has had its time.
      if (!limit.aborted || options.signal?.aborted) throw error;
      const message = `Modal at ${place} did not answer ${name} within ${limitMs / 1000} s.`;
      throw new PortError('Terminal.BackendUnavailable', message, { cause: error });
    } finally {
      end();
    }
  };
  return { middleware, close };
}

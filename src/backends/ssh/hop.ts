import { connect as connectTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import ssh2, { type Algorithms, type Client, type ServerHostKeyAlgorithm } from 'ssh2';
import type { Destination } from './destination.ts';
import { connectError, forwardError, lostError, socketError } from './errors.ts';
import type { Login } from './login.ts';

/** One authenticated connection to one server. */
export interface Hop {
  readonly client: Client;
  /** `OpenSSH_9.2p1`; as the server calls itself. */
  readonly software: string;
  /** Resolves when it has ended, whoever ended it. */
  readonly closed: Promise<void>;
  alive(): boolean;
  /** At once; what waits on it fails. Idempotent. */
  destroy(): void;
}

export interface HopOptions {
  readonly destination: Destination;
  /** How to reach it: a socket, or a stream through the hop before. */
  readonly socket: Duplex;
  readonly login: Login;
  /** Types of keys to ask the server for first. */
  readonly keyTypes: readonly string[];
  /** Rejects with the PortError that ends the attempt. */
  readonly verify: (key: Buffer) => Promise<void>;
  readonly timeoutMs: number;
  readonly keepaliveMs: number;
}

/** After so many times `keepaliveMs` without a byte a server counts as frozen. */
const silencesAllowed = 3;

/**
 * Handshake, host key, login. Rejects with a PortError: Terminal.BackendUnavailable, Terminal.Authentication, or what
 * `verify` said; then nothing stays open.
 */
export async function openHop(options: HopOptions): Promise<Hop> {
  const { destination, socket, login } = options;
  const client = new ssh2.Client();
  let alive = true;
  let software = 'an SSH server';
  let refusal: Error | undefined;
  const closed = new Promise<void>((resolve) => {
    const end = () => {
      alive = false;
      resolve();
    };
    client.once('close', end);
    // A socket that dies before the handshake is over may never be told to the client.
    socket.once('close', end);
  });
  const ready = new Promise<void>((resolve, reject) => {
    client.once('ready', resolve);
    // Stays for the whole life: an error without a listener would end the process. Who waits hears of `closed`.
    client.on('error', (error: Error & { level?: string }) => {
      if (error.level === 'agent') login.agentFailed(error);
      else reject(refusal ?? connectError(error, { destination, login, timeoutMs: options.timeoutMs }));
    });
    void closed.then(() => {
      reject(refusal ?? lostError(destination));
    });
  });
  try {
    client.connect({
      sock: socket,
      username: destination.user,
      readyTimeout: options.timeoutMs,
      keepaliveInterval: options.keepaliveMs,
      // The client's own count would take an answer that waits behind a long transfer for silence: see `watchSilence`.
      keepaliveCountMax: Number.MAX_SAFE_INTEGER,
      algorithms: algorithmsFor(options.keyTypes),
      hostVerifier: (key: Buffer, done: (known: boolean) => void) => {
        options.verify(key).then(
          () => done(true),
          (error: unknown) => {
            refusal = error instanceof Error ? error : new Error('The key could not be looked up.', { cause: error });
            done(false);
          },
        );
      },
      authHandler: (accepted, _partial, next) => {
        // Null at first, whatever its type says.
        const method = login.next(accepted);
        if (method === false) client.emit('error', Object.assign(new Error('no way left'), authenticationLevel));
        else next(method);
      },
    });
    // After the client's own, so that this listener does not start the flow before it is there.
    socket.once('data', (chunk: Buffer) => {
      software = /^SSH-[\d.]+-(\S+)/m.exec(chunk.toString('latin1'))?.[1] ?? software;
    });
    await ready;
    watchSilence(socket, options.keepaliveMs);
  } catch (error) {
    alive = false;
    socket.destroy();
    throw error;
  }
  return {
    client,
    software,
    closed,
    alive: () => alive,
    destroy() {
      alive = false;
      client.end();
      socket.destroy();
    },
  };
}

const authenticationLevel = { level: 'client-authentication' };

/** A server that lives answers keepalives, so a socket over which nothing comes at all is dead. */
function watchSilence(socket: Duplex, keepaliveMs: number): void {
  // Counted and not timed: a process that was stopped for long has not listened either.
  let silences = 0;
  socket.on('data', () => (silences = 0));
  const timer = setInterval(() => {
    if (++silences > silencesAllowed) socket.destroy();
  }, keepaliveMs);
  socket.once('close', () => {
    clearInterval(timer);
  });
}

/** A TCP connection. Rejects with Terminal.BackendUnavailable. */
export function dial(destination: Destination, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: destination.host, port: destination.port, noDelay: true });
    const fail = (error: unknown) => {
      clearTimeout(timer);
      socket.destroy();
      reject(socketError(error, destination));
    };
    const timer = setTimeout(() => fail({ code: 'ETIMEDOUT' }), timeoutMs);
    socket.once('error', fail);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

/** A stream through a jump host. Rejects with Terminal.BackendUnavailable or Terminal.Denied. */
export function dialThrough(
  hop: Hop,
  { jump, destination, timeoutMs }: { jump: Destination; destination: Destination; timeoutMs: number },
): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(socketError({ code: 'ETIMEDOUT' }, destination)), timeoutMs);
    void hop.closed.then(() => {
      clearTimeout(timer);
      reject(lostError(jump));
    });
    hop.client.forwardOut('127.0.0.1', 0, destination.host, destination.port, (error, stream) => {
      clearTimeout(timer);
      if (error) reject(forwardError(error, jump, destination));
      else resolve(stream);
    });
  });
}

const algorithmsOf: Readonly<Record<string, readonly ServerHostKeyAlgorithm[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
};

/** A server has keys of several types and shows the first that both sides take. */
function algorithmsFor(keyTypes: readonly string[]): Algorithms {
  const known = keyTypes.flatMap((type) => algorithmsOf[type] ?? []);
  return { serverHostKey: [...new Set([...known, ...Object.values(algorithmsOf).flat()])] };
}

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { readFileSync, existsSync } from 'node:fs';
import { Agent } from 'node:http';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import Docker from 'dockerode';
import { PortError } from '../../lib/port-error.ts';
import { dockerError, type DockerSubject } from './errors.ts';
import type { DockerBackendOptions } from './options.ts';

/** A daemon, and one way to ask it: with a limit, and with the port's errors. */
export interface DockerClient {
  readonly docker: Docker;
  /** Its address as people write it. */
  readonly place: string;
  /** Rejects with a PortError, at the limit also where a request cannot carry the signal. */
  ask<T>(subject: DockerSubject, action: (signal: AbortSignal) => Promise<T>, limits?: AskLimits): Promise<T>;
  close(): void;
}

export interface AskLimits {
  /** 30 s where not given. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Opens nothing yet. Throws Terminal.Invalid for an address that is none. */
export function openDockerClient(options: DockerBackendOptions): DockerClient {
  const { place, ...connection } = connectionOf(options);
  const docker = new Docker({ ...unset, ...connection });
  return {
    docker,
    place,
    async ask(subject, action, { timeoutMs = 30_000, signal } = {}) {
      const limit = AbortSignal.timeout(timeoutMs);
      const either = signal ? AbortSignal.any([limit, signal]) : limit;
      try {
        return await Promise.race([action(either), abortOf(either)]);
      } catch (error) {
        if (signal?.aborted === true) throw signal.reason;
        throw dockerError(error, place, subject);
      }
    },
    close: () => connection.agent?.destroy(),
  };
}

function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const stop = () => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

/** The library fills in what is not given from the process's own environment; settings come from the options alone. */
const unset = {
  host: undefined,
  port: undefined,
  socketPath: undefined,
  protocol: undefined,
  ca: undefined,
  cert: undefined,
  key: undefined,
  timeout: undefined,
  username: undefined,
} as unknown as Docker.DockerOptions;

interface Connection {
  readonly place: string;
  readonly socketPath?: string;
  readonly protocol?: 'http' | 'https';
  readonly host?: string;
  readonly port?: number;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly agent?: Agent;
}

export function connectionOf(options: DockerBackendOptions): Connection {
  const host = options.host ?? '';
  if (host === '') return socket(usualSocket());
  if (host.startsWith('/')) return socket(host);
  if (host.startsWith('unix://')) return socket(host.slice('unix://'.length) || usualSocket());
  if (host.startsWith('npipe://')) return socket(host.slice('npipe://'.length));
  const url = parsed(host);
  switch (url.protocol) {
    case 'tcp:':
    case 'http:':
    case 'https:': {
      const secure = url.protocol === 'https:' || options.certFolder !== undefined;
      const certificates = options.certFolder === undefined ? {} : readCertificates(options.certFolder);
      const protocol = secure ? 'https' : 'http';
      const port = Number(url.port || (secure ? 2376 : 2375));
      return { place: host, protocol, host: url.hostname.replace(/^\[|\]$/g, ''), port, ...certificates };
    }
    case 'ssh:':
      return { place: host, protocol: 'http', host: 'docker', port: 80, agent: sshAgent(url, options.sshProgram) };
    default:
      throw badHost(host);
  }
}

function socket(path: string): Connection {
  return { place: path, socketPath: path };
}

function usualSocket(): string {
  const ofUser = join(homedir(), '.docker', 'run', 'docker.sock');
  return existsSync(ofUser) ? ofUser : '/var/run/docker.sock';
}

function parsed(host: string): URL {
  try {
    return new URL(host);
  } catch {
    throw badHost(host);
  }
}

function badHost(host: string): PortError {
  const forms = 'unix:///path, tcp://host:port, https://host:port or ssh://user@host';
  return new PortError('Terminal.Invalid', `terminal.docker.host is not an address of Docker: ${host}. Use ${forms}.`);
}

function readCertificates(folder: string): { ca: string; cert: string; key: string } {
  const read = (name: string) => {
    try {
      return readFileSync(join(folder, name), 'utf8');
    } catch (error) {
      throw new PortError('Terminal.Authentication', `Docker's certificate cannot be read: ${join(folder, name)}`, {
        cause: error,
      });
    }
  };
  return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') };
}

/**
 * Reaches a daemon as the docker command does: `docker system dial-stdio` over the ssh program, which checks the host
 * key against the person's known hosts. One process per request; it ends with the request.
 */
function sshAgent(url: URL, program = 'ssh'): Agent {
  const agent = new Agent({ keepAlive: false });
  const login = url.username === '' ? [] : ['-l', decodeURIComponent(url.username)];
  const port = url.port === '' ? [] : ['-p', url.port];
  const quiet = ['-T', '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=10'];
  const args = [...quiet, ...login, ...port, '--', url.hostname, 'docker system dial-stdio'];
  const connect = (): Duplex => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const duplex = streamOf(child);
    let said = '';
    child.stderr.on('data', (data: Buffer) => (said = `${said}${data.toString()}`.slice(-1_000)));
    child.once('error', (error) => duplex.destroy(error));
    child.once('close', (code) => {
      if (code !== 0) duplex.destroy(new Error(said.trim() || `${program} ended with ${String(code)}`));
    });
    return duplex;
  };
  return Object.assign(agent, { createConnection: connect });
}

/** Both pipes of a process as one connection. `Duplex.from` calls an input nobody reads any more an error. */
function streamOf(child: ChildProcessWithoutNullStreams): Duplex {
  const { stdin, stdout } = child;
  const duplex = new Duplex({
    read: () => stdout.resume(),
    // Where the other side has ended, its output tells why; a failed write would hide the answer.
    write: (chunk: Buffer, _encoding, done) => void stdin.write(chunk, () => done()),
    final: (done) => void stdin.end(() => done()),
    destroy(error, done) {
      child.kill();
      done(error);
    },
  });
  stdin.on('error', () => undefined);
  stdout.on('data', (chunk: Buffer) => {
    if (!duplex.push(chunk)) stdout.pause();
  });
  stdout.once('end', () => duplex.push(null));
  return duplex;
}

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withEngine } from '../with-engine.ts';

const binary = '/usr/sbin/sshd';

export const isRoot = process.getuid?.() === 0;

/**
 * Defines tests where OpenSSH's server can be run. Where it cannot, says why and leaves them out; in CI that is a
 * failure. Debian: openssh-server, openssh-client.
 */
export async function withSshd(define: () => void | Promise<void>): Promise<void> {
  const missing = [binary, '/usr/bin/ssh-keygen'].filter((path) => !existsSync(path));
  const why = missing.length === 0 ? null : `no ${missing.join(', ')} (Debian: openssh-server)`;
  await withEngine('ssh', why, define);
}

/** An account for the tests that is not root's; made when it is missing, which takes root. */
export function testUser(name = 'hermes-test', shell = '/bin/sh'): string {
  const accounts = readFileSync('/etc/passwd', 'utf8');
  if (!accounts.includes(`\n${name}:`)) {
    // An account without a password is locked, and sshd refuses it even with a key; `*` is no password, and no lock.
    execFileSync('useradd', ['--create-home', '--shell', shell, '--password', '*', name]);
  }
  return name;
}

export interface Sshd {
  readonly host: string;
  readonly port: number;
  /** Everything of it; clients may keep files here too. */
  readonly folder: string;
  /** A private key that may log in as anybody. */
  readonly keyFile: string;
  /** `SHA256:…` of its host key. */
  readonly fingerprint: () => string;
  /** A known_hosts file that knows it. */
  readonly knownHostsFile: string;
  /** Writes what it is known by into a file, under another port if there is something before it. */
  introduce(file: string, port?: number): void;
  /** Lets a public key log in as anybody too. */
  authorize(publicKeyFile: string): void;
  /** Stops it with all its connections. What they started lives on. */
  stop(): Promise<void>;
  /** On the same port again. */
  start(): Promise<void>;
  /** Shows another key from the next start on. */
  newHostKey(): void;
  /** What it wrote. */
  log(): string;
  /** Stops it for good and removes its folder. */
  close(): Promise<void>;
}

/** OpenSSH's server on a free port of loopback, with its own keys; `config` is added to its sshd_config. */
export async function startSshd(config: Readonly<Record<string, string | number>> = {}): Promise<Sshd> {
  const folder = mkdtempSync(join(tmpdir(), 'hermes-sshd-'));
  // The server reads the authorized keys as the account that logs in.
  chmodSync(folder, 0o755);
  const at = (name: string) => join(folder, name);
  makeKey(at('host'));
  makeKey(at('client'));
  writeFileSync(at('authorized'), readFileSync(at('client.pub')), { mode: 0o644 });
  const port = await freePort();
  const settings = {
    Port: port,
    ListenAddress: '127.0.0.1',
    HostKey: at('host'),
    AuthorizedKeysFile: at('authorized'),
    PidFile: 'none',
    UsePAM: 'no',
    StrictModes: 'no',
    PermitRootLogin: 'yes',
    PasswordAuthentication: 'no',
    KbdInteractiveAuthentication: 'no',
    Subsystem: 'sftp internal-sftp',
    MaxStartups: 100,
    LogLevel: 'VERBOSE',
    ...config,
  };
  writeFileSync(
    at('sshd_config'),
    Object.entries(settings)
      .map(([name, value]) => `${name} ${value}\n`)
      .join(''),
  );
  if (isRoot) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  let server: ChildProcess | undefined;
  const hostKey = () => readFileSync(at('host.pub'), 'utf8').split(' ').slice(0, 2).join(' ');

  async function start(): Promise<void> {
    server = spawn(binary, ['-D', '-e', '-f', at('sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] });
    endWithProcess(server);
    server.stderr?.on('data', (text: Buffer) => appendFileSync(at('log'), text));
    for (let tries = 0; !(await answers(port)); tries++) {
      if (server.exitCode !== null || tries > 200)
        throw new Error(`sshd did not start: ${readFileSync(at('log'), 'utf8')}`);
      await sleep(25);
    }
  }
  async function stop(): Promise<void> {
    if (!server || server.exitCode !== null || server.signalCode !== null || server.pid === undefined) return;
    const ended = once(server, 'exit');
    // While its parent is still there to take note of the end; and again for one that has come in between.
    for (const pid of connectionsOf(server.pid)) killQuietly(pid);
    await sleep(20);
    const late = connectionsOf(server.pid);
    server.kill('SIGKILL');
    for (const pid of late) killQuietly(pid);
    await ended;
  }
  const introduce = (file: string, as = port) => {
    appendFileSync(file, `[127.0.0.1]:${as} ${hostKey()}\n`);
  };
  introduce(at('known_hosts'));
  writeFileSync(at('log'), '');
  await start();
  return {
    host: '127.0.0.1',
    port,
    folder,
    keyFile: at('client'),
    knownHostsFile: at('known_hosts'),
    fingerprint: () => execFileSync('ssh-keygen', ['-lf', at('host.pub')], { encoding: 'utf8' }).split(' ')[1] ?? '',
    introduce,
    authorize: (publicKeyFile) => {
      appendFileSync(at('authorized'), readFileSync(publicKeyFile));
    },
    stop,
    start,
    newHostKey() {
      for (const name of ['host', 'host.pub']) rmSync(at(name));
      makeKey(at('host'));
    },
    log: () => readFileSync(at('log'), 'utf8'),
    async close() {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** For a test run that is broken off. */
function endWithProcess(server: ChildProcess): void {
  const end = () => server.kill();
  process.once('exit', end);
  server.once('exit', () => process.off('exit', end));
}

/** `path` and `path.pub`. */
export function makeKey(path: string, { passphrase = '', type = 'ed25519' } = {}): void {
  execFileSync('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-C', 'hermes test', '-f', path]);
}

/** A port nobody listens on at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The server's own processes below its first one: one or two for each connection, and none of what they started. */
function connectionsOf(pid: number): number[] {
  const rows = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .filter((row) => row?.[3]?.startsWith('sshd: '));
  const found = [pid];
  for (const parent of found) {
    for (const row of rows) if (Number(row?.[2]) === parent) found.push(Number(row?.[1]));
  }
  return found.slice(1);
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('data', (banner: Buffer) => done(banner.toString().startsWith('SSH-2.0-')));
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
  });
}

import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import type { ClientChannel } from 'ssh2';
import type { ShellProcess, ShellTransport } from '../remote-shell.ts';
import type { Destination } from './destination.ts';
import { denied, unavailable } from './errors.ts';
import { loginLine } from './login-line.ts';
import type { ChannelPool, PooledChannel } from './pool.ts';

/** A start-up file of the login shell that prints more than this is not waited out. */
const maxPreambleBytes = 256 * 1024;
const keptErrorBytes = 4_096;

/** A bash that takes itself for the one that sshd has started reads the start-up files again, for every command. */
const nested = 'SHLVL=1; export SHLVL\n';

export interface SshTransportOptions {
  readonly destination: Destination;
  readonly pool: ChannelPool;
  /** How long the login shell may take with its start-up files. */
  readonly timeoutMs: number;
}

/** Processes over ssh. What the login shell prints before it gets to our command is no part of the output. */
export function createSshTransport(options: SshTransportOptions): ShellTransport {
  return {
    async open(command) {
      // In two halves, so that a shell that echoes its command line does not print the mark.
      const [one, two] = [randomBytes(12).toString('hex'), randomBytes(12).toString('hex')];
      const pooled = await options.pool.exec(loginLine(`printf %s%s ${one} ${two}\n${nested}${command}`));
      const process = processOn(pooled);
      try {
        await skipPreamble(pooled.channel, process, { ...options, mark: Buffer.from(one + two) });
      } catch (error) {
        process.destroy();
        throw error;
      }
      return process;
    },
  };
}

function processOn({ channel, connectionClosed }: PooledChannel): ShellProcess {
  let errors = Buffer.alloc(0);
  channel.stderr.on('data', (chunk: Buffer) => {
    errors = Buffer.concat([errors, chunk]).subarray(-keptErrorBytes);
  });
  return {
    input: channel,
    output: channel,
    errors: () => errors.toString('utf8'),
    ended: exitOf(channel, connectionClosed),
    destroy() {
      channel.close();
      // Unread output would hold back the end of the channel.
      channel.resume();
    },
  };
}

/** Exit code, 128 + n for a signal, null where none came before the channel or its connection ended. */
export function exitOf(channel: ClientChannel, connectionClosed: Promise<void>): Promise<number | null> {
  let code: number | null = null;
  channel.once('exit', (exitCode: number | null, signal?: string) => {
    const number = (constants.signals as Record<string, number | undefined>)[signal ?? ''];
    code = exitCode ?? (number === undefined ? null : 128 + number);
  });
  return new Promise((resolve) => {
    const end = () => resolve(code);
    channel.once('close', end);
    // A write or read after the end; what counts is that it has ended.
    channel.on('error', end);
    void connectionClosed.then(end);
  });
}

async function skipPreamble(
  channel: ClientChannel,
  process: ShellProcess,
  { mark, timeoutMs, destination }: SshTransportOptions & { readonly mark: Buffer },
): Promise<void> {
  let seen = Buffer.alloc(0);
  let timer: NodeJS.Timeout | undefined;
  let look: (() => void) | undefined;
  const said = () => [seen.toString('utf8').trim(), process.errors().trim()].filter((text) => text !== '').join('\n');
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => {
        reject(unavailable(destination, 'its login shell did not get to the command in time (see its start-up files)'));
      }, timeoutMs);
      const onReadable = (): void => {
        for (let chunk = channel.read() as Buffer | null; chunk; chunk = channel.read() as Buffer | null) {
          seen = Buffer.concat([seen, chunk]);
        }
        const at = seen.indexOf(mark);
        if (at >= 0) {
          // At once: what is put back is announced before a promise could be heard.
          channel.off('readable', onReadable);
          const rest = seen.subarray(at + mark.length);
          if (rest.length > 0) channel.unshift(rest);
          resolve();
        } else if (seen.length > maxPreambleBytes) {
          reject(denied(destination, 'prints without end when somebody logs in; see the start-up files of its shell.'));
        }
      };
      look = onReadable;
      channel.on('readable', onReadable);
      void process.ended.then((code) => {
        if (code === null) reject(unavailable(destination, 'the connection ended'));
        else
          reject(
            denied(destination, `did not run sh. It says: ${said().slice(-500) || `nothing (exit code ${code})`}`),
          );
      });
    });
  } finally {
    clearTimeout(timer);
    if (look) channel.off('readable', look);
  }
}

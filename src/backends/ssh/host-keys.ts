import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PortError } from '../../lib/port-error.ts';
import { codeOf, fileError } from '../file-errors.ts';
import { entriesFor, fingerprintOf, keyTypeOf, knownHostLine, knownHostName, type KnownHost } from './known-hosts.ts';

/** Which servers are known, and what happens where one is not. */
export interface HostKeys {
  /** Types of the keys known of a server, so that it is asked for one of those. */
  typesOf(server: Server): Promise<readonly string[]>;
  /**
   * Resolves where the key is known. Terminal.NeedsDecision (`ask: 'trust-host-key'`) where the server is unknown,
   * Terminal.Denied where another key of it is known or this one was revoked.
   */
  verify(server: Server, key: Buffer): Promise<void>;
  /** Writes the key down. Idempotent. Terminal.Denied where another key of the server is known. */
  trust(server: Server, key: Buffer): Promise<void>;
}

export interface Server {
  readonly host: string;
  readonly port: number;
}

interface Entry extends KnownHost {
  readonly file: string;
}

/** `file` is ours and is written to; `others` are only read. A file that does not exist holds nothing. */
export function createHostKeys(file: string, others: readonly string[]): HostKeys {
  const entriesOf = async ({ host, port }: Server): Promise<Entry[]> => {
    const entries: Entry[] = [];
    for (const path of [file, ...others]) {
      const text = (await readIfThere(path)) ?? '';
      entries.push(...entriesFor(knownHostName(host, port), text).map((entry) => ({ ...entry, file: path })));
    }
    return entries;
  };
  const judge = async (server: Server, key: Buffer): Promise<'known' | 'unknown'> => {
    const entries = await entriesOf(server);
    const revoked = entries.find((entry) => entry.revoked && entry.key.equals(key));
    if (revoked) throw revokedError(server, revoked);
    const usable = entries.filter((entry) => !entry.revoked);
    if (usable.some((entry) => entry.key.equals(key))) return 'known';
    // A key of another type counts as changed too: the server was asked for the types that are known.
    if (usable.length > 0) throw changedError(server, key, usable);
    return 'unknown';
  };
  return {
    typesOf: async (server) => [
      ...new Set((await entriesOf(server)).filter(({ revoked }) => !revoked).map(({ keyType }) => keyType)),
    ],
    async verify(server, key) {
      if ((await judge(server, key)) === 'unknown') throw unknownError(server, key);
    },
    async trust(server, key) {
      if ((await judge(server, key)) === 'unknown') {
        await append(file, knownHostLine(knownHostName(server.host, server.port), key));
      }
    },
  };
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw fileError(error, path);
  }
}

/** In one write at the end of the file, so that two processes cannot mix their lines. */
async function append(path: string, line: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const before = await readIfThere(path);
    const handle = await open(path, 'a', 0o600);
    try {
      await handle.write(before === null || before === '' || before.endsWith('\n') ? line : `\n${line}`);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(error, path);
  }
}

function unknownError(server: Server, key: Buffer): PortError {
  const fingerprint = fingerprintOf(key);
  const message = `The server ${serverName(server)} is not known yet. It shows a key of type ${keyTypeOf(key)} with the fingerprint ${fingerprint}. Accept it if the server's owner confirms it (there: ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub).`;
  return new PortError('Terminal.NeedsDecision', message, {
    details: { ask: 'trust-host-key', host: server.host, port: server.port, keyType: keyTypeOf(key), fingerprint },
  });
}

function changedError(server: Server, key: Buffer, known: readonly Entry[]): PortError {
  const presented = fingerprintOf(key);
  const places = known.map((entry) => `${fingerprintOf(entry.key)} (${entry.file}, line ${entry.line})`);
  const name = knownHostName(server.host, server.port);
  const files = [...new Set(known.map((entry) => entry.file))];
  const remove = files.map((file) => `ssh-keygen -R '${name}' -f '${file}'`).join(' && ');
  const message = `The key of ${serverName(server)} has changed: known is ${places.join(', ')}, the server shows ${presented}. Somebody may be between here and the server, or it was set up anew. Only if its owner confirms the new fingerprint: ${remove}`;
  return new PortError('Terminal.Denied', message, {
    details: { host: server.host, port: server.port, known: known.map((entry) => fingerprintOf(entry.key)), presented },
  });
}

function revokedError(server: Server, entry: Entry): PortError {
  const message = `The key of ${serverName(server)}, ${fingerprintOf(entry.key)}, is revoked in ${entry.file}, line ${entry.line}. The server's owner must give it a new one.`;
  return new PortError('Terminal.Denied', message, { details: { host: server.host, port: server.port } });
}

function serverName({ host, port }: Server): string {
  return port === 22 ? host : `${host}, port ${port}`;
}

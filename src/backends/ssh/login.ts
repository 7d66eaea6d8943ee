import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import ssh2, { type AnyAuthMethod, type ParsedKey } from 'ssh2';
import { PortError } from '../../lib/port-error.ts';
import { codeOf, fileError } from '../file-errors.ts';
import { destinationName, type Destination } from './destination.ts';
import { fingerprintOf } from './known-hosts.ts';

export interface Credentials {
  /** Absolute path of a private key. */
  readonly keyFile?: string;
  /** Opens the key; secret. */
  readonly passphrase?: string;
  /** Socket of an ssh-agent. */
  readonly agent?: string;
  /** Secret; given only to the place itself, never to a jump host. */
  readonly password?: string;
  /** The person's own `~/.ssh`: its usual keys are tried where no key file is set. */
  readonly userSshFolder?: string;
}

/** Ways to log in to one server, tried one after another. */
export interface Login {
  /** What to try next, of the methods the server still accepts (null: not known yet); false: nothing is left. */
  next(accepted: readonly string[] | null): AnyAuthMethod | false;
  /** An agent that failed is passed over, and named when nothing else helps. */
  agentFailed(error: Error): void;
  refused(reason?: string): PortError;
}

interface Way {
  /** `publickey` and so on, as servers call it. */
  readonly method: string;
  readonly name: string;
  readonly auth: AnyAuthMethod;
}

const usualKeys = ['id_ed25519', 'id_ecdsa', 'id_rsa'];

/**
 * Reads keys once and again when their file has changed. Terminal.NotFound: the key file is not there;
 * Terminal.Authentication: it cannot be opened, or nothing is set to log in with.
 */
export function createLogins(credentials: Credentials) {
  const opened = new Map<string, { readonly version: string; readonly key: ParsedKey }>();

  async function key(path: string): Promise<ParsedKey> {
    const { mtimeMs, size } = await stat(path);
    const version = `${mtimeMs} ${size}`;
    const known = opened.get(path);
    if (known?.version === version) return known.key;
    const parsed = parseKey(await readFile(path), path, credentials.passphrase);
    opened.set(path, { version, key: parsed });
    return parsed;
  }

  async function keyWays(username: string): Promise<Way[]> {
    const { keyFile, userSshFolder } = credentials;
    const way = async (path: string): Promise<Way> => {
      const parsed = await key(path);
      const name = `the key ${path} (${parsed.type}, ${fingerprintOf(parsed.getPublicSSH())})`;
      return { method: 'publickey', name, auth: { type: 'publickey', username, key: parsed } };
    };
    if (keyFile !== undefined) {
      try {
        return [await way(keyFile)];
      } catch (error) {
        if (codeOf(error) === 'ENOENT') throw noKeyFile(keyFile);
        throw fileError(error, keyFile);
      }
    }
    const ways: Way[] = [];
    for (const path of userSshFolder === undefined ? [] : usualKeys.map((name) => join(userSshFolder, name))) {
      try {
        ways.push(await way(path));
      } catch (error) {
        // Nobody asked for these keys by name: one that is missing, locked or unreadable is no way in, and no failure.
        if (!PortError.is(error) && codeOf(error) === undefined) throw error;
      }
    }
    return ways;
  }

  return async function loginFor(destination: Destination, isLast: boolean): Promise<Login> {
    const username = destination.user;
    const ways = await keyWays(username);
    const { agent, password } = credentials;
    if (agent !== undefined) {
      ways.push({ method: 'publickey', name: `the agent ${agent}`, auth: { type: 'agent', username, agent } });
    }
    if (password !== undefined && isLast) ways.push(...passwordWays(username, password));
    if (ways.length === 0) throw nothingToTry(destination);
    return createLogin(destination, ways);
  };
}

function passwordWays(username: string, password: string): Way[] {
  const name = 'the password';
  return [
    { method: 'password', name, auth: { type: 'password', username, password } },
    {
      method: 'keyboard-interactive',
      name,
      auth: {
        type: 'keyboard-interactive',
        username,
        // A prompt whose answer may be seen asks for something else than the password.
        prompt: (_name, _instructions, _language, prompts, finish) => {
          finish(prompts.map(({ echo }) => (echo === true ? '' : password)));
        },
      },
    },
  ];
}

function createLogin(destination: Destination, ways: readonly Way[]): Login {
  const left = [...ways];
  const tried = new Set<string>();
  const notes: string[] = [];
  let methods: readonly string[] | null = null;
  return {
    next(accepted) {
      methods = accepted ?? methods;
      for (let way = left.shift(); way; way = left.shift()) {
        if (accepted && !accepted.includes(way.method)) continue;
        tried.add(way.name);
        return way.auth;
      }
      return false;
    },
    agentFailed: (error) => notes.push(`The agent did not answer: ${error.message}.`),
    refused(reason) {
      const what = tried.size === 0 ? 'no way of those that are set' : [...tried].join(', ');
      const accepts = methods && methods.length > 0 ? `; the server accepts ${methods.join(', ')}` : '';
      const why = reason === undefined ? '' : ` It says: ${reason}.`;
      const advice =
        'Check terminal.ssh.user and terminal.ssh.keyFile, that the public key is in ~/.ssh/authorized_keys there, and that the account is not locked.';
      const message = `${destinationName(destination)} refused the login with ${what}${accepts}.${why} ${[...notes, advice].join(' ')}`;
      return new PortError('Terminal.Authentication', message, { details: { host: destination.host } });
    },
  };
}

function parseKey(text: Buffer, path: string, passphrase: string | undefined): ParsedKey {
  // A file may hold several keys; OpenSSH uses the first.
  const [parsed] = [ssh2.utils.parseKey(text, passphrase)].flat();
  if (parsed !== undefined && !(parsed instanceof Error) && parsed.isPrivateKey()) return parsed;
  throw new PortError('Terminal.Authentication', keyProblem(parsed, path, passphrase !== undefined), {
    details: { path },
  });
}

function keyProblem(parsed: ParsedKey | Error | undefined, path: string, hasPassphrase: boolean): string {
  const said = parsed instanceof Error ? parsed.message : '';
  if (/no passphrase given/i.test(said)) {
    return `The key ${path} is locked: hermes config set terminal.ssh.keyPassphrase`;
  }
  if (hasPassphrase && /passphrase|integrity|decrypt/i.test(said)) {
    return `The passphrase does not open the key ${path}: hermes config set terminal.ssh.keyPassphrase`;
  }
  if (parsed !== undefined && !(parsed instanceof Error)) {
    return `${path} is a public key; terminal.ssh.keyFile must name the private one.`;
  }
  return `${path} holds no private key that can be read: terminal.ssh.keyFile must name one in the format of OpenSSH or PEM.`;
}

function noKeyFile(path: string): PortError {
  return new PortError('Terminal.NotFound', `There is no key file ${path}: see terminal.ssh.keyFile.`, {
    details: { path },
  });
}

function nothingToTry(destination: Destination): PortError {
  const message = `Nothing is set to log in to ${destinationName(destination)} with: set terminal.ssh.keyFile, or start an ssh-agent.`;
  return new PortError('Terminal.Authentication', message, { details: { host: destination.host } });
}

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { PortError } from '../../lib/port-error.ts';

const shortest = 32;

/**
 * Reads the API's token from the file, making file (mode 0600) and token where there is none. Two processes that start
 * at once agree on one token.
 *
 * @throws PortError `Config.Invalid` when the file holds no usable token or cannot be read.
 */
export function loadToken(file: string): string {
  try {
    return readToken(file) ?? makeToken(file);
  } catch (error) {
    if (PortError.is(error)) throw error;
    throw new PortError('Config.Invalid', `The API token file ${file} cannot be used: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Compares in constant time; the hash hides the length as well. */
export function sameToken(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

function readToken(file: string): string | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  if (text.length < shortest || /\s/.test(text)) {
    throw new PortError(
      'Config.Invalid',
      `The API token file ${file} holds no usable token (at least ${String(shortest)} characters, no blanks). ` +
        'Delete it to get a new one.',
    );
  }
  // Whoever can read the token can command the agent.
  if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600);
  return text;
}

/** Writes beside the file and links, so that the file appears whole or not at all and never replaces another's token. */
function makeToken(file: string): string {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${String(process.pid)}.${randomBytes(4).toString('hex')}`;
  const token = randomBytes(32).toString('base64url');
  writeFileSync(draft, `${token}\n`, { mode: 0o600, flag: 'wx' });
  try {
    linkSync(draft, file);
    return token;
  } catch (error) {
    const other = (error as NodeJS.ErrnoException).code === 'EEXIST' ? readToken(file) : null;
    if (other === null) throw error;
    return other;
  } finally {
    rmSync(draft, { force: true });
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const form = /^[0-9a-f]{12}$/;

/**
 * Twelve hex digits that name this installation for ever, made on first use. They are part of the names of containers
 * and sandboxes, where several installations share an engine or an account.
 *
 * @throws Error when the file holds something else.
 */
export function installationId(file: string): string {
  if (!existsSync(file)) make(file);
  const id = readFileSync(file, 'utf8').trim();
  if (form.test(id)) return id;
  throw new Error(`${file} does not hold the id of an installation (12 hex digits); put it back from a backup.`);
}

/** A link appears with its whole content, and refuses a name that another process made meanwhile. */
function make(file: string): void {
  const id = randomBytes(6).toString('hex');
  const draft = `${file}.${id}`;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(draft, `${id}\n`, { mode: 0o600 });
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

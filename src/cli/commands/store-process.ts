import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CliError } from '../errors.ts';

/** The same place seen from `src/cli/commands` and from `dist/cli/commands`. */
const entry = fileURLToPath(new URL('../../../dist/store/main.js', import.meta.url));

/**
 * Runs the store's own process, since the command loads no database, with this one's standard streams.
 *
 * @returns its exit code.
 */
export async function runStoreProcess(args: readonly string[]): Promise<number> {
  if (!existsSync(entry)) throw new CliError('Hermes is not built.', { hint: 'npm run build' });
  return new Promise((done, reject) => {
    const child = spawn(process.execPath, [entry, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', reject);
    child.once('close', (code) => done(code ?? 1));
  });
}

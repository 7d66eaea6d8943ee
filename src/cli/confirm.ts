import { createInterface } from 'node:readline/promises';
import { CliError } from './errors.ts';

/** Asks for a yes at the terminal. @throws CliError where there is none: `--yes` says it there. */
export async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new CliError('This needs a yes.', { hint: 'Say it with --yes.' });
  const ask = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await ask.question(`${question} [y/N] `)).trim());
  } finally {
    ask.close();
  }
}

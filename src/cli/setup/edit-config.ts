import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { homePaths, type Environment } from '../../config/home.ts';
import { describeProblem, hasErrors, loadConfig } from '../../config/load.ts';
import { writeFileAtomic } from '../../config/atomic-file.ts';
import { CliError } from '../errors.ts';
import { openDialogue } from './dialogue.ts';

export interface EditOptions {
  readonly home: string;
  readonly env: Environment;
  /** secrets.yaml instead of config.yaml. */
  readonly secrets: boolean;
}

/**
 * Opens the file in the person's editor, says what is wrong afterwards and offers to go back. What was written stays as
 * it is: a running service keeps its last good settings until the file is right.
 *
 * @returns the exit code: 1 when errors stay in the file.
 */
export async function editConfig({ home, env, secrets }: EditOptions): Promise<number> {
  const { configFile, secretsFile } = homePaths(home);
  const file = secrets ? secretsFile : configFile;
  mkdirSync(home, { recursive: true, mode: 0o700 });
  if (!existsSync(file)) writeFileAtomic(file, '# All keys with their meaning: hermes config list\n', 0o600);
  const dialogue = process.stdin.isTTY ? openDialogue : null;
  for (;;) {
    await runEditor(editorOf(env), file);
    // Some editors make a new file, which others may then read.
    if (secrets) chmodSync(file, 0o600);
    const { problems } = loadConfig({ home, env });
    for (const problem of problems) process.stderr.write(`${describeProblem(problem)}\n`);
    if (!hasErrors(problems)) return 0;
    if (dialogue === null) return 1;
    const talk = dialogue({ stdin: process.stdin, stdout: process.stdout, stderr: process.stderr });
    const answer = (await talk.ask('Edit again? [Y/n]'))?.trim().toLowerCase();
    talk.close();
    if (answer !== '' && answer !== 'y' && answer !== 'yes') return 1;
  }
}

function editorOf(env: Environment): string {
  const named = [env['VISUAL'], env['EDITOR']].find((editor) => (editor?.trim() ?? '') !== '');
  return named ?? (process.platform === 'win32' ? 'notepad' : 'vi');
}

/** Through a shell, since EDITOR may hold arguments (`code --wait`); the file is an argument of its own. */
function runEditor(editor: string, file: string): Promise<void> {
  return new Promise((done, reject) => {
    const child =
      process.platform === 'win32'
        ? spawn(`${editor} "${file}"`, { stdio: 'inherit', shell: true })
        : spawn('/bin/sh', ['-c', `${editor} "$1"`, 'editor', file], { stdio: 'inherit' });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (code === 0) done();
      else reject(new CliError(`The editor (${editor}) ended with ${signal ?? `code ${code ?? 'unknown'}`}.`));
    });
  });
}

import { PortError } from '../lib/port-error.ts';
import * as scripts from './remote-file-scripts.ts';
import type { RemoteShell, ShellResult } from './remote-shell.ts';
import { repeatable, type Ask } from './shell-asking.ts';
import { shellFileError } from './shell-errors.ts';

/**
 * Runs a script of remote-file-scripts.ts, all of which may be done twice. Throws what it failed with; an answer with
 * the code for a file that is too large is the caller's to read.
 */
export function createFileAsking(shell: RemoteShell): Ask {
  return (script, path, options) =>
    repeatable(async () => {
      const result = await shell.run(script, options);
      const { exitCode, stderr, stdout } = result;
      if (exitCode === scripts.exits.notRegular) throw notRegular(path, stdout);
      if (exitCode === scripts.exits.incomplete) throw incomplete(path);
      if (exitCode !== 0 && exitCode !== scripts.exits.tooLarge) throw shellFileError(stderr, path);
      return result satisfies ShellResult;
    });
}

function notRegular(path: string, stdout: Buffer): PortError {
  const directory = scripts.parseInfo(`${stdout.toString('latin1').split('\n')[0] ?? ''} 0 0 0`).kind === 'directory';
  const what = directory ? 'It is a directory' : 'It is not a regular file';
  return new PortError('Terminal.Invalid', `${what}: ${path}`, { details: { path } });
}

function incomplete(path: string): PortError {
  return new PortError('Terminal.BackendUnavailable', `The file did not arrive whole and was not written: ${path}`);
}

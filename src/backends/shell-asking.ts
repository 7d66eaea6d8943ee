import { PortError } from '../lib/port-error.ts';
import type { RemoteShell, ShellResult, ShellRunOptions } from './remote-shell.ts';
import { shellFileError } from './shell-errors.ts';

/** Runs a script that fails as work on `path` does. */
export type Ask = (script: string, path: string, options?: ShellRunOptions) => Promise<ShellResult>;

/** Two ways to ask: `once`, and `ask` for what may be done twice. Both throw where the script does not exit with 0. */
export function createAsking(shell: RemoteShell): { readonly once: Ask; readonly ask: Ask } {
  const once: Ask = async (script, path, options) => {
    const result = await shell.run(script, options);
    if (result.exitCode !== 0) throw shellFileError(result.stderr, path);
    return result;
  };
  return { once, ask: (script, path, options) => repeatable(() => once(script, path, options)) };
}

/** Does once more what may be done twice, when nobody knows whether it was done. */
export async function repeatable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!PortError.is(error) || error.code !== 'Terminal.OutcomeUnknown') throw error;
    return work();
  }
}

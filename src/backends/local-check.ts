import { constants } from 'node:fs';
import { access, mkdir, realpath, stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { PortError } from '../lib/port-error.ts';
import type { BackendCheck } from './backend.ts';
import { codeOf, fileError } from './file-errors.ts';
import { sandboxProblem } from './local-sandbox.ts';
import type { LocalBackendOptions } from './local.ts';

/** Whether commands can be run on this machine as the settings want it. */
export interface LocalCheck {
  check(): Promise<BackendCheck>;
  /** Throws Terminal.NotFound (no such directory), Config.Invalid (no sandbox to be had). */
  require(): Promise<void>;
}

export function createLocalCheck(options: LocalBackendOptions): LocalCheck {
  const sandboxed = options.sandbox === 'bubblewrap';
  let sandboxWorks = !sandboxed;

  async function requireCwd(): Promise<void> {
    if (isAbsolute(options.cwd) && (await isDirectory(options.cwd))) return;
    throw new PortError('Terminal.NotFound', `The directory for commands does not exist: ${options.cwd}`);
  }

  async function check(): Promise<BackendCheck> {
    try {
      await requireCwd();
      await mkdir(options.runsDir, { recursive: true, mode: 0o700 });
      await access(options.runsDir, constants.W_OK);
    } catch (error) {
      const { code, message } = fileError(error, options.runsDir);
      const fix = code === 'Terminal.NotFound' ? 'Create it, or set terminal.cwd to one that exists.' : undefined;
      return { usable: false, detail: message, ...(fix === undefined ? {} : { fix }) };
    }
    const problem = sandboxed ? await sandboxProblem(options.baseEnv) : null;
    if (problem) return { usable: false, ...problem };
    return { usable: true, detail: `this machine, in ${options.cwd}${sandboxed ? ', sandboxed by bubblewrap' : ''}` };
  }

  return {
    check,
    async require() {
      await requireCwd();
      if (sandboxWorks) return;
      const problem = await sandboxProblem(options.baseEnv);
      if (problem) throw new PortError('Config.Invalid', `${problem.detail} ${problem.fix}`);
      sandboxWorks = true;
    },
  };
}

/** With links resolved, as /proc shows paths; null when there is nothing. */
export async function existing(path: string): Promise<string | null> {
  try {
    return await realpath(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw fileError(error, path);
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw fileError(error, path);
  }
}

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createSshBackend, type SshBackend, type SshBackendOptions } from '../../../src/backends/ssh/ssh.ts';
import { readToEnd, type Finished } from '../../contract/backends/harness.ts';
import type { EnvironmentHandle, TerminalSession } from '../../../src/backends/backend.ts';
import type { Sshd } from './sshd.ts';

/** The account the tests run as. */
export const me = userInfo().username;

/** Options that work, as the account the tests run as, with a root folder that nobody else uses. */
export function optionsFor(sshd: Sshd, changes: Partial<SshBackendOptions> = {}): SshBackendOptions {
  const { host, port, keyFile, knownHostsFile } = sshd;
  return { host, port, user: me, keyFile, knownHostsFile, installationId: 'ba5eba11ba5e', ...changes };
}

export interface Opened {
  readonly backend: SshBackend;
  readonly handle: EnvironmentHandle;
  readonly session: TerminalSession;
  readonly start: (command: string) => Promise<string>;
  readonly run: (command: string) => Promise<Finished>;
}

let count = 0;

/** A backend with one environment of its own. */
export async function openAccount(options: SshBackendOptions): Promise<Opened> {
  const backend = createSshBackend(options);
  const handle = await backend.create(`bad-day-${process.pid}-${count++}`);
  const session = await backend.connect(handle);
  const start = async (command: string) => {
    const key = `bad-day/${process.pid}/${count++}`;
    await session.start({ key, command, sessionKey: 'main' });
    return key;
  };
  return { backend, handle, session, start, run: async (command) => readToEnd(session, await start(command)) };
}

export async function closeAccount({ backend, handle }: Opened): Promise<void> {
  await backend.destroy(handle);
  await backend.close();
}

/** A folder that is gone after `use`. */
export async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hermes-ssh-'));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A disk of its own with so little space; takes root. */
export function mountSmallDisk(kilobytes: number): { readonly folder: string; readonly unmount: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'hermes-small-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k,mode=777`, 'tmpfs', folder]);
  return {
    folder,
    unmount() {
      execFileSync('umount', ['-l', folder]);
      rmSync(folder, { recursive: true });
    },
  };
}

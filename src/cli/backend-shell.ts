import { randomUUID } from 'node:crypto';
import type { InteractiveShell } from '../backends/backend.ts';
import { hermesHome } from '../config/home.ts';
import { loadConfig } from '../config/load.ts';
import { openConfiguredBackend } from '../workers/compose/backend-options.ts';
import type { HermesClient } from './client/client.ts';
import { CliError } from './errors.ts';

const leaseMs = 120_000;

/**
 * A shell in an environment, on this terminal. A lease keeps the environment awake until the shell ends; should this
 * process die, the lease runs out by itself.
 *
 * @returns the shell's exit code; 255 where its connection ended without one.
 */
export async function openBackendShell(client: HermesClient, environmentId: string): Promise<number> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new CliError('A shell needs a terminal.', { hint: 'For one command: hermes -z "run …".', exitCode: 2 });
  }
  const holder = `shell/${randomUUID()}`;
  const lease = await client.leaseEnvironment(environmentId, { holder, leaseMs });
  const renewal = setInterval(() => {
    // A service that is away meanwhile does no harm: the lease outlasts a few missed renewals.
    client.leaseEnvironment(environmentId, { holder, leaseMs }).catch(() => undefined);
  }, leaseMs / 4);
  const home = hermesHome(process.env);
  const { config } = loadConfig({ home, env: process.env });
  const backend = await openConfiguredBackend(lease.handle.backend, { config, home, env: process.env });
  try {
    const { columns, rows } = process.stdout;
    const term = process.env['TERM'] ?? 'xterm';
    return await attach(await backend.openShell(lease.handle, { columns, rows, term, sessionKey: 'shell' }));
  } finally {
    clearInterval(renewal);
    await backend.close();
    await client.releaseEnvironment(environmentId, holder);
  }
}

async function attach(shell: InteractiveShell): Promise<number> {
  const { stdin, stdout } = process;
  const resized = (): void => shell.resize(stdout.columns, stdout.rows);
  stdin.setRawMode(true);
  stdout.on('resize', resized);
  stdin.pipe(shell.input);
  shell.output.pipe(stdout, { end: false });
  try {
    return (await shell.ended) ?? 255;
  } finally {
    stdout.off('resize', resized);
    stdin.unpipe(shell.input);
    stdin.setRawMode(false);
    stdin.pause();
    shell.close();
  }
}

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { serviceEntry } from '../../workers/supervise/entry.ts';
import { CliError } from '../errors.ts';

/** `hermes worker`: a worker alone in the foreground, so that several machines share the work of one Temporal. */
export function command(): Command {
  return new Command('worker')
    .description('run a worker alone, in the foreground; for several machines on one Temporal')
    .addHelpText('after', '\nThe Temporal server is named by TEMPORAL_ADDRESS or `hermes config set temporal.address`.')
    .action(worker);
}

async function worker(): Promise<void> {
  const { script, nodeArgs } = serviceEntry();
  if (!existsSync(script)) throw new CliError('Hermes is not built.', { hint: 'npm run build' });
  process.exitCode = await new Promise<number>((resolve, reject) => {
    const child = spawn(process.execPath, [...nodeArgs, script, '--role', 'worker'], {
      stdio: 'inherit',
      // Ctrl-C reaches us alone and is handed on once.
      detached: true,
    });
    for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => void child.kill('SIGTERM'));
    process.on('SIGTERM', () => void child.kill('SIGTERM'));
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

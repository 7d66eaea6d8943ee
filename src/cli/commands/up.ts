import { spawn } from 'node:child_process';
import { Command } from 'commander';
import { hermesHome } from '../../config/home.ts';
import { supervisorEntry } from '../../workers/supervise/entry.ts';
import { homeTakenExitCode } from '../../workers/supervise/exit-codes.ts';
import { CliError } from '../errors.ts';
import { ensureService } from '../service/ensure-service.ts';
import { installUnit } from '../service/install-unit.ts';
import { readStatus } from '../service/read-status.ts';
import { printText } from './with-client.ts';

/** `hermes up`: starts the service and returns when it answers. */
export function command(): Command {
  return new Command('up')
    .description('start the service in the background; returns when it answers')
    .option('--foreground', 'stay with it and end it with Ctrl-C, for a container or another supervisor')
    .option('--install', 'also have the system start it at login (systemd user unit, launchd agent)')
    .action(up);
}

async function up(options: { foreground?: true; install?: true }): Promise<void> {
  const home = hermesHome(process.env);
  if (options.foreground === true) {
    process.exitCode = await runInForeground(home);
    return;
  }
  const report = (line: string): void => void process.stderr.write(`${line}\n`);
  if (options.install === true) installUnit(home, process.env).forEach(report);
  await ensureService({ home, report });
  const { api, temporal } = await readStatus(home, process.env);
  const ui = temporal.uiUrl === null ? '' : `, Temporal UI ${temporal.uiUrl}`;
  await printText(`Hermes is up: API ${api.url}${ui}\n`);
}

/** The supervisor with this terminal's streams; signals go on to it and its exit code is ours. */
function runInForeground(home: string): Promise<number> {
  const { script, nodeArgs } = supervisorEntry();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...nodeArgs, script], {
      stdio: 'inherit',
      // Ctrl-C reaches us alone and is handed on once; the supervisor would take a second one for impatience.
      detached: true,
      env: { ...process.env, HERMES_HOME: home },
    });
    const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, forward);
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === homeTakenExitCode) {
        reject(new CliError('the service runs already', { hint: '`hermes down` stops it.' }));
      } else resolve(code ?? 1);
    });
  });
}

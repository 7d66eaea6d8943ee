import { Command } from 'commander';
import { hermesHome } from '../../config/home.ts';
import type { Status } from '../../contracts/api.ts';
import { readStatus } from '../service/read-status.ts';
import { readServiceState } from '../service/service-state.ts';
import { printJson, printText } from './with-client.ts';

/** `hermes status`: what runs and where. Starts nothing; exit code 1 when the service does not answer. */
export function command(): Command {
  return new Command('status')
    .description('what runs, and where; exit code 1 when the service does not answer')
    .option('--json', 'as JSON')
    .action(status);
}

async function status(options: { json?: true }): Promise<void> {
  const home = hermesHome(process.env);
  const current = await readStatus(home, process.env);
  if (!current.ready) process.exitCode = 1;
  if (options.json === true) return printJson(current);
  const { troubles } = readServiceState(home);
  const lines = Object.entries(troubles).map(([part, { deaths, reason, logFile }]) => {
    return `trouble   ${part} died ${deaths} times in a row: ${reason} (${logFile})\n`;
  });
  await printText(describe(current) + lines.join(''));
}

function describe(status: Status): string {
  const process = (pid: number | null): string => (pid === null ? 'none of this installation' : `pid ${pid}`);
  const ui = status.temporal.uiUrl === null ? '' : `, UI ${status.temporal.uiUrl}`;
  const rows: readonly (readonly [string, string])[] = [
    ['hermes', `${status.version}, ${status.ready ? 'ready' : 'not running (`hermes up` starts it)'}`],
    ['home', status.home],
    ['api', status.api.url],
    ['temporal', `${status.temporal.address} (${process(status.temporal.pid)})${ui}`],
    ['worker', process(status.worker.pid)],
    ['gateway', process(status.gateway.pid)],
    ['model', status.model],
    ['backend', status.backend],
    ['turns', `${status.openTurns} open`],
    ['waiting', `${status.waitingApprovals} for your decision`],
  ];
  return rows.map(([name, value]) => `${name.padEnd(10)}${value}\n`).join('');
}

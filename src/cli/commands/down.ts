import { Command } from 'commander';
import { hermesHome } from '../../config/home.ts';
import { uninstallUnit } from '../service/install-unit.ts';
import { stopService } from '../service/stop-service.ts';
import { printText } from './with-client.ts';

/** Longer than the longest ordinary drain; the supervisor kills what does not end by then. */
export const stopLimitMs = 120_000;

/** `hermes down`: stops the service; what is in progress goes on at the next start. */
export function command(): Command {
  return new Command('down')
    .description('stop the service; what is in progress goes on at the next start')
    .option('--uninstall', 'also undo `hermes up --install`')
    .action(down);
}

async function down(options: { uninstall?: true }): Promise<void> {
  const home = hermesHome(process.env);
  const report = (line: string): void => void process.stderr.write(`${line}\n`);
  const stopped = await stopService({ home, report, limitMs: stopLimitMs });
  if (options.uninstall === true && !uninstallUnit(home, process.env)) report('nothing was installed');
  await printText(stopped ? 'Hermes is down.\n' : 'Hermes was not running.\n');
}

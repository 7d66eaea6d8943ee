import { Command } from 'commander';
import { hermesHome } from '../../config/home.ts';
import { ensureService } from '../service/ensure-service.ts';
import { stopService } from '../service/stop-service.ts';
import { stopLimitMs } from './down.ts';
import { printText } from './with-client.ts';

/** `hermes restart`: stop and start, for instance after an upgrade. */
export function command(): Command {
  return new Command('restart').description('stop the service and start it again').action(restart);
}

async function restart(): Promise<void> {
  const home = hermesHome(process.env);
  const report = (line: string): void => void process.stderr.write(`${line}\n`);
  await stopService({ home, report, limitMs: stopLimitMs });
  await ensureService({ home, report });
  await printText('Hermes is up.\n');
}

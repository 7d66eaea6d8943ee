import { Command } from 'commander';
import { hermesHome } from '../../config/home.ts';
import { runStoreProcess } from './store-process.ts';

/** `hermes restore`: brings a backup back; what was there before stays beside it. */
export const command = (): Command =>
  new Command('restore')
    .description('bring a backup back; what is there now stays beside it. The service must be stopped')
    .argument('<backup>', 'a folder made by `hermes backup`, a name `hermes backup list` shows, or `latest`')
    .option('--json', 'as JSON')
    .action(async (backup: string, options: { json?: true }) => {
      process.exitCode = await runStoreProcess([
        'restore',
        `--home=${hermesHome(process.env)}`,
        `--from=${backup}`,
        ...(options.json === true ? ['--json'] : []),
      ]);
    });

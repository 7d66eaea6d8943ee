import { Command } from 'commander';
import { hermesHome } from '../../config/home.ts';
import { runStoreProcess } from './store-process.ts';

/** `hermes backup`: copies the data aside while everything runs. */
export const command = (): Command => {
  const backup = new Command('backup')
    .description('copy conversations, memories, settings and work in progress into one folder; nothing has to stop')
    .option('--to <folder>', 'the folder to make (default: a new one in the home folder under backups/)')
    .option('--secrets', 'also the file with keys and tokens')
    .option('--json', 'as JSON')
    .action(async (options: { to?: string; secrets?: true; json?: true }) => {
      process.exitCode = await runStoreProcess([
        'backup',
        ...home(),
        ...(options.to === undefined ? [] : [`--to=${options.to}`]),
        ...(options.secrets === true ? ['--secrets'] : []),
        ...(options.json === true ? ['--json'] : []),
      ]);
    });
  for (const [name, description] of [
    ['list', 'the backups of the home folder'],
    ['check', 'look through the whole database'],
  ] as const) {
    backup
      .command(name)
      .description(description)
      .option('--json', 'as JSON')
      .action(async (_options: unknown, self: Command) => {
        const { json } = self.optsWithGlobals<{ json?: true }>();
        process.exitCode = await runStoreProcess([name, ...home(), ...(json === true ? ['--json'] : [])]);
      });
  }
  return backup;
};

const home = (): readonly string[] => [`--home=${hermesHome(process.env)}`];

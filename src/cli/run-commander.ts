import { CommanderError, type Command } from 'commander';
import type { CommandModule } from './command-table.ts';

/**
 * Runs one command. An action ends well by returning; it throws (CliError for the person's eyes) or sets
 * `process.exitCode` for a result that is no error.
 *
 * @returns the exit code: 2 for wrong usage.
 */
export async function runCommander(name: string, module: CommandModule, args: readonly string[]): Promise<number> {
  const command = module.command();
  command.name(`hermes ${name}`);
  forEachCommand(command, (one) =>
    one.exitOverride().showSuggestionAfterError().showHelpAfterError('(--help says more)'),
  );
  try {
    await command.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 2;
  }
  return typeof process.exitCode === 'number' ? process.exitCode : 0;
}

function forEachCommand(command: Command, visit: (one: Command) => void): void {
  visit(command);
  for (const child of command.commands) forEachCommand(child, visit);
}

import { nearest } from '../../config/nearest.ts';
import { commandsOn, matchSlashCommand, type SlashCommandName } from '../../domain/slash-commands.ts';
import { CliError } from '../errors.ts';
import type { SlashContext } from './context.ts';
import { conversationHandlers } from './conversation-commands.ts';
import { turnHandlers } from './turn-commands.ts';

export type SlashHandler = (context: SlashContext, args: string) => Promise<void> | void;

const handlers: Readonly<Record<SlashCommandName, SlashHandler>> = {
  ...turnHandlers,
  ...conversationHandlers,
  help: (context, args) => context.print(helpText(args)),
  quit: (context) => context.quit(),
  voice: elsewhere('voice'),
  link: elsewhere('link'),
  unlink: elsewhere('unlink'),
  sethome: elsewhere('sethome'),
};

/**
 * Carries out a line that is a command.
 *
 * @returns false when the line is a message. Rejects with CliError (unknown command, wrong arguments) or what the service
 *   says.
 */
export async function runSlash(context: SlashContext, line: string): Promise<boolean> {
  const match = matchSlashCommand(line);
  if (match === null) return false;
  if (match.kind === 'ambiguous') {
    throw new CliError(`/${match.word} could be ${match.candidates.map((name) => `/${name}`).join(', ')}.`);
  }
  if (match.kind === 'unknown') throw unknownCommand(match.word);
  await handlers[match.command.name](context, match.args);
  return true;
}

function elsewhere(name: SlashCommandName): SlashHandler {
  return () => {
    throw new CliError(`/${name} is about a chat platform: type it there, in the chat with the agent.`);
  };
}

function unknownCommand(word: string): CliError {
  const names = commandsOn('terminal').flatMap((command) => [command.name, ...command.aliases]);
  const close = nearest(word, names);
  const hint = close === null ? '/help lists the commands.' : `Did you mean /${close}?`;
  return new CliError(`There is no command /${word}. ${hint}`);
}

/** All commands, or one with its aliases. */
function helpText(about: string): string {
  const name = about.replace(/^\//, '').toLowerCase();
  const rows = commandsOn('terminal').filter(
    (one) => name === '' || one.name.startsWith(name) || one.aliases.includes(name),
  );
  if (rows.length === 0) throw unknownCommand(name);
  const lines = rows.map((one) => {
    const aliases =
      name !== '' && one.aliases.length > 0 ? ` (also ${one.aliases.map((a) => `/${a}`).join(', ')})` : '';
    return `- \`/${one.name}${one.args === '' ? '' : ` ${one.args}`}\` ${one.help}${aliases}`;
  });
  const keys = name === '' ? `\n\n${keyHelp}` : '';
  return `${lines.join('\n')}${keys}`;
}

const keyHelp =
  'Ctrl-C stops the turn, twice leaves; the work goes on. What you type while a turn runs steers it. A backslash at the ' +
  'end of the line, or Alt-Enter, begins a new line. A prefix of a command is enough; `//` sends a slash.';

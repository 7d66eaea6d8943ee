import { slashCommands, type SlashCommand, type SlashCommandName } from '../../domain/slash-commands.ts';
import type { CommandCall, RunCommand } from '../inbound/speaker.ts';
import { Refusal } from '../refusal.ts';
import { conversationCommands } from './conversation-commands.ts';
import type { CommandDeps, CommandHandler } from './deps.ts';
import { peopleCommands } from './people-commands.ts';
import { serviceCommands } from './service-commands.ts';
import { turnCommands } from './turn-commands.ts';
import { firstWords } from './words.ts';

const handlers: Partial<Readonly<Record<SlashCommandName, CommandHandler>>> = {
  ...turnCommands,
  ...conversationCommands,
  ...serviceCommands,
  ...peopleCommands,
};

/** Carries out the commands of chat platforms, on the store and the workflows directly. */
export function createCommands(deps: CommandDeps): RunCommand {
  return async (call) => {
    const command = commandOf(call.name);
    const handler = handlers[command.name];
    if (handler === undefined) throw new Refusal('Api.NotSupported', `/${command.name} is for the terminal only.`);
    refuseUnlessAllowed(command, call);
    const outcome = await handler(deps, { ...call, name: command.name, args: call.args.trim() });
    return typeof outcome === 'string' ? { text: outcome } : outcome;
  };
}

function commandOf(given: string): (typeof slashCommands)[number] {
  const word = given.toLowerCase();
  const command = slashCommands.find(({ name, aliases }) => name === word || aliases.includes(word));
  if (command !== undefined) return command;
  throw new Refusal('Api.NotFound', `There is no command /${firstWords(word, 40)}.`, {
    hint: '/help lists the commands.',
  });
}

function refuseUnlessAllowed({ name, admins }: SlashCommand, { speaker, args }: CommandCall): void {
  const isFree = admins === 'never' || (admins === 'to-change' && args.trim() === '');
  if (isFree || speaker.isAdmin) return;
  throw new Refusal('Api.Unauthorized', `/${name} changes the agent itself: only its owner and admins may do that.`);
}

import { matchSlashCommand, type SlashMatch } from '../../domain/slash-commands.ts';
import type { ConfiguredAccount } from '../accounts.ts';
import type { PlatformEvent } from '../platforms/platform.ts';
import { Refusal } from '../refusal.ts';
import type { MessageEvent } from './burst.ts';
import { inboundIdOf } from './names.ts';
import type { CommandOutcome, RunCommand, Speaker } from './speaker.ts';

/** A command as it was typed, matched against the table. */
export type TypedCommand = SlashMatch;

/** The command an event gives; null for a message that is none. */
export function commandOf(event: PlatformEvent, account: ConfiguredAccount): TypedCommand | null {
  if (event.kind === 'message') return isTyped(event, account) ? matchSlashCommand(event.text, 'platform') : null;
  if (event.kind !== 'command') return null;
  const typed = matchSlashCommand(`/${event.name} ${event.args}`, 'platform');
  return typed ?? { kind: 'unknown', word: event.name };
}

/** Where commands are native they come as such, and a slash in a message is text. */
function isTyped(event: MessageEvent, account: ConfiguredAccount): boolean {
  return account.descriptor.capabilities.commands === 'text' && event.files.length === 0 && event.edited !== true;
}

/** Carries a command out. What the person must hear comes back as text; rejects with what waiting may mend. */
export async function giveCommand(
  typed: TypedCommand,
  event: PlatformEvent,
  speaker: Speaker,
  run: RunCommand,
): Promise<CommandOutcome> {
  if (speaker.chat.kind === 'group' && !speaker.isAdmin) return { text: 'In a group only admins give commands.' };
  if (typed.kind === 'ambiguous') {
    const candidates = typed.candidates.map((name) => `/${name}`).join(', ');
    return { text: `/${typed.word} could be ${candidates}.` };
  }
  if (typed.kind === 'unknown') return { text: unknown(typed.word) };
  try {
    const key = inboundIdOf(speaker.account, event.key);
    return await run({ key, name: typed.command.name, args: typed.args, speaker });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { text: error.hint === undefined ? error.message : `${error.message} ${error.hint}` };
  }
}

function unknown(word: string): string {
  // What messengers send when somebody opens a chat with a bot for the first time.
  if (word === 'start') return 'Hello. Write what you need; /help lists the commands.';
  return `There is no command /${word}. /help lists what there is; a message that begins with // is text.`;
}

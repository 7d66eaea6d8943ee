import { busyModes } from '../../domain/busy-mode.ts';
import { commandsOn, type SlashCommand } from '../../domain/slash-commands.ts';
import type { HermesClient } from '../client/client.ts';

/** What Tab offers for the end of an input line. */
export interface Completion {
  /** Whole lines, in the order of the table. */
  readonly lines: readonly string[];
}

/**
 * Completes a slash command or its first argument. Names of conversations and models are asked of the service.
 *
 * @returns no lines where there is nothing to complete. Rejects as the client does.
 */
export async function completeSlash(client: HermesClient, line: string): Promise<Completion> {
  const command = /^\/(\S*)$/.exec(line);
  if (command !== null) {
    const begin = (command[1] ?? '').toLowerCase();
    const names = commandsOn('terminal').filter((one) => one.name.startsWith(begin));
    return { lines: names.map((one) => `/${one.name}${one.args === '' ? '' : ' '}`) };
  }
  const argument = /^\/(\S+)\s+(\S*)$/.exec(line);
  if (argument === null) return { lines: [] };
  const [, name = '', begin = ''] = argument;
  const found = commandsOn('terminal').find(
    (one) => one.name === name.toLowerCase() || one.aliases.includes(name.toLowerCase()),
  );
  if (found === undefined) return { lines: [] };
  const values = await valuesFor(client, found.completes);
  const fitting = values.filter((value) => value.toLowerCase().startsWith(begin.toLowerCase()));
  return { lines: fitting.map((value) => `/${found.name} ${value}`) };
}

async function valuesFor(client: HermesClient, kind: SlashCommand['completes']): Promise<readonly string[]> {
  switch (kind) {
    case 'command':
      return commandsOn('terminal').map((one) => one.name);
    case 'busy-mode':
      return [...busyModes, 'default'];
    case 'scope':
      return ['once', 'conversation', 'always'];
    case 'model':
      return [...(await client.models()).models.map((one) => one.id), 'default'];
    case 'conversation':
      return (await client.conversations({ limit: 50 })).map((one) => one.name ?? one.id);
    case null:
      return [];
  }
}

/** The longest text all lines begin with. */
export function commonBeginning(lines: readonly string[]): string {
  let common = lines[0] ?? '';
  for (const line of lines) while (!line.startsWith(common)) common = common.slice(0, -1);
  return common;
}

import { CliError } from '../errors.ts';
import type { Ask } from '../chat/item.ts';
import type { Scope, SlashContext } from './context.ts';
import type { SlashHandler } from './run.ts';

/** Commands about the turn that runs or ran. */
export const turnHandlers = {
  stop: async (context) => {
    const { interrupted } = await context.client.interrupt(context.conversationId());
    context.notice(interrupted ? 'Stopping the turn.' : 'Nothing runs.');
  },
  queue: (context, text) => context.send(needed(text, '/queue TEXT'), 'queue'),
  steer: (context, text) => context.send(needed(text, '/steer TEXT'), 'steer'),
  approve: (context, args) => context.decide(approvable(context), 'approve', scopeOf(args), null),
  deny: (context, reason) => context.decide(theOldest(context), 'deny', 'once', reason === '' ? null : reason),
  undo: async (context) => {
    const { turn, text } = await context.client.undo(context.conversationId());
    context.notice(`Turn ${String(turn)} is taken back; its words are in the input line.`);
    context.setInput(text);
  },
  retry: async (context) => {
    await context.client.retry(context.conversationId());
    context.notice('Asking again.');
  },
} satisfies Record<string, SlashHandler>;

export function needed(text: string, usage: string): string {
  if (text === '') throw new CliError(`Usage: ${usage}`);
  return text;
}

function theOldest(context: SlashContext): Ask {
  const ask = context.asks()[0];
  if (ask === undefined) throw new CliError('Nothing waits for a decision.');
  return ask;
}

function approvable(context: SlashContext): Ask {
  const ask = context.asks().find((one) => one.kind !== 'question');
  if (ask !== undefined) return ask;
  if (context.asks().length > 0) throw new CliError('A question waits: type your answer.');
  throw new CliError('Nothing waits for a decision.');
}

const scopes: readonly Scope[] = ['once', 'conversation', 'always'];

function scopeOf(args: string): Scope {
  if (args === '') return 'once';
  const scope = scopes.find((one) => one.startsWith(args.toLowerCase()));
  if (scope === undefined) throw new CliError(`"${args}" is none of: ${scopes.join(', ')}.`);
  return scope;
}

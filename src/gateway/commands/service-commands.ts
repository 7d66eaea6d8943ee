import { commandsOn } from '../../domain/slash-commands.ts';
import { ago, compactNumber, money } from '../../lib/short-forms.ts';
import type { ConversationRow } from '../../store/ports.ts';
import { Refusal } from '../refusal.ts';
import type { CommandDeps, CommandHandler } from './deps.ts';
import { countOf, firstWords, titleOf } from './words.ts';

/** Commands about the agent as a whole. */
export const serviceCommands = {
  help: (_deps, { args, speaker }) => Promise.resolve(helpText(args, speaker.isAdmin)),
  status: async (deps, { speaker }) => {
    const row = await speaker.conversation();
    const lines = [...(await talkLines(deps, row)), ...(speaker.isAdmin ? await serviceLines(deps) : [])];
    return lines.map((line) => `- ${line}`).join('\n');
  },
  usage: async ({ store }, { args, speaker }) => {
    const { usage } = await speaker.conversation();
    const here = `This conversation: ${amounts(usage)}`;
    // What all people together cost is not everybody's business.
    if (!speaker.isAdmin) return here;
    const days = await store.usage.byDay(countOf(args, 7, 500));
    const lines = days.map((day) => `- ${day.day} \`${day.model}\` ${String(day.calls)} calls: ${amounts(day)}`);
    return [here, ...(lines.length === 0 ? [] : ['', ...lines])].join('\n');
  },
} satisfies Record<string, CommandHandler>;

function amounts(usage: { inputTokens: number; outputTokens: number; costUsd: number }): string {
  return `${compactNumber(usage.inputTokens)} in, ${compactNumber(usage.outputTokens)} out, ${money(usage.costUsd)}`;
}

async function talkLines({ store, defaultBusyMode, now }: CommandDeps, row: ConversationRow): Promise<string[]> {
  const [turn, pending, waiting] = await Promise.all([
    store.turns.last(row.id),
    store.inbox.pending(row.id),
    store.approvals.list({ state: 'waiting', conversationId: row.id, limit: 10 }),
  ]);
  const isRunning = turn?.state === 'running';
  const work = isRunning
    ? `working since ${ago(turn.startedAt, now())}, ${String(turn.toolCalls.length)} tool calls`
    : 'idle';
  return [
    `**${titleOf(row)}**: ${work}`,
    ...(pending.length === 0 ? [] : [`messages that wait: ${String(pending.length)}`]),
    ...waiting.map(({ title }) => `waits for your decision: ${firstWords(title, 120)}`),
    ...(row.model === null ? [] : [`model \`${row.model}\``]),
    `a message while a turn runs: ${row.busyMode ?? defaultBusyMode()}`,
  ];
}

async function serviceLines(deps: CommandDeps): Promise<string[]> {
  const status = await deps.status();
  const accounts = deps
    .accounts()
    .list()
    .map(({ id, state, waiting, ambiguous }) => {
      const waits = waiting === 0 ? '' : `, ${String(waiting)} to send`;
      const doubts = ambiguous === 0 ? '' : `, ${String(ambiguous)} perhaps sent`;
      return `${id}: ${state}${waits}${doubts}`;
    });
  return [
    `service ${status.version}, ${status.ready ? 'ready' : 'not ready'}; model \`${status.model}\`, backend \`${status.backend}\``,
    `open turns ${String(status.openTurns)}, waiting decisions ${String(status.waitingApprovals)}`,
    ...accounts,
  ];
}

/** All commands of this surface, or one with its aliases. */
function helpText(about: string, isAdmin: boolean): string {
  const word = about.replace(/^\//, '').toLowerCase();
  const known = commandsOn('platform').filter(({ admins }) => isAdmin || admins !== 'always');
  const rows = known.filter((one) => word === '' || one.name.startsWith(word) || one.aliases.some((a) => a === word));
  if (rows.length === 0) {
    throw new Refusal('Api.NotFound', `There is no command /${firstWords(word, 40)}.`, {
      hint: '/help lists the commands.',
    });
  }
  return rows
    .map((one) => {
      const aliases =
        word === '' || one.aliases.length === 0 ? '' : ` (also ${one.aliases.map((a) => `/${a}`).join(', ')})`;
      return `- \`/${one.name}${one.args === '' ? '' : ` ${one.args}`}\` ${one.help}${aliases}`;
    })
    .join('\n');
}

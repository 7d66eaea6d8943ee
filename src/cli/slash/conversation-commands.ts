import { randomUUID } from 'node:crypto';
import { busyModes } from '../../domain/busy-mode.ts';
import type { UsageDay } from '../../contracts/api.ts';
import { CliError } from '../errors.ts';
import { ago, compactNumber, money } from '../format.ts';
import type { SlashHandler } from './run.ts';
import { needed } from './turn-commands.ts';

/** Commands about conversations and what lies around them. */
export const conversationHandlers = {
  new: async ({ client, switchTo }, title) => {
    const made = await client.create(title === '' ? {} : { title });
    await client.resume(made.id);
    await switchTo(made.id);
  },
  resume: async ({ client, switchTo }, name) => {
    const found = await client.resume(needed(name, '/resume NAME'));
    await switchTo(found.id);
  },
  handoff: async ({ client, conversationId, notice }, to) => {
    const { account } = await client.handOff(conversationId(), {
      key: `handoff-${randomUUID()}`,
      to: needed(to, '/handoff PLATFORM'),
    });
    notice(`This talk goes on at ${account}.`);
  },
  title: async ({ client, conversationId, notice }, title) => {
    const shown =
      title === ''
        ? await client.conversation(conversationId())
        : await client.configure(conversationId(), { title: title.slice(0, 200) });
    notice(`Title: ${shown.title === '' ? '(none yet)' : shown.title}`);
  },
  model: async ({ client, conversationId, notice, print }, wanted) => {
    if (wanted === '') {
      const [here, { current, models }] = await Promise.all([client.conversation(conversationId()), client.models()]);
      const rows = models.slice(0, 30).map((model) => `- \`${model.id}\``);
      print(
        [`Model: \`${here.model ?? current}\`${here.model === null ? ' (as configured)' : ''}`, ...rows].join('\n\n'),
      );
      return;
    }
    const model = wanted === 'default' ? null : wanted;
    const changed = await client.configure(conversationId(), { model });
    notice(`From the next step on: ${changed.model ?? 'the configured model'}`);
  },
  busy: async ({ client, conversationId, notice }, wanted) => {
    if (wanted === '') {
      const { busyMode } = await client.conversation(conversationId());
      notice(`A message while a turn runs: ${busyMode ?? 'as configured'}`);
      return;
    }
    const mode = wanted === 'default' ? null : busyModes.find((one) => one.startsWith(wanted.toLowerCase()));
    if (mode === undefined) throw new CliError(`"${wanted}" is none of: ${busyModes.join(', ')}, default.`);
    await client.configure(conversationId(), { busyMode: mode });
    notice(`A message while a turn runs: ${mode ?? 'as configured'}`);
  },
  status: async ({ client, print }) => {
    const status = await client.status();
    print(
      [
        `- service ${status.version}, ${status.ready ? 'ready' : 'not ready'}: ${status.api.url}`,
        `- Temporal: ${status.temporal.address}${status.temporal.uiUrl === null ? '' : `, UI ${status.temporal.uiUrl}`}`,
        `- model \`${status.model}\`, backend \`${status.backend}\``,
        `- open turns ${String(status.openTurns)}, waiting approvals ${String(status.waitingApprovals)}`,
        `- home \`${status.home}\``,
      ].join('\n'),
    );
  },
  usage: async ({ client, conversationId, print }, args) => {
    const days = countOf(args, 7);
    const [here, rows] = await Promise.all([client.conversation(conversationId()), client.usage(days)]);
    const { inputTokens, outputTokens, costUsd } = here.usage;
    const spent = `${compactNumber(inputTokens)} in, ${compactNumber(outputTokens)} out, ${money(costUsd)}`;
    print([`This conversation: ${spent}`, ...(rows.length === 0 ? [] : ['', usageTable(rows)])].join('\n'));
  },
  history: async ({ client, conversationId, print }, args) => {
    const messages = await client.messages(conversationId(), { limit: countOf(args, 20) });
    const rows = messages
      .filter((message) => message.role !== 'tool' && message.text.trim() !== '')
      .map((message) => `**${message.role === 'user' ? message.speaker || 'you' : message.role}** ${message.text}`);
    print(rows.length === 0 ? 'Nothing has been said yet.' : rows.join('\n\n'));
  },
  conversations: async ({ client, print }, args) => {
    const rows = await client.conversations({ limit: countOf(args, 15) });
    const lines = rows.map((row) => {
      const marks = [row.current ? 'current' : '', row.running ? 'running' : ''].filter((mark) => mark !== '');
      const name = row.title === '' ? '(untitled)' : row.title;
      return `- ${name}  \`${row.name ?? row.id}\` ${ago(row.updatedAt)}${marks.length === 0 ? '' : `, ${marks.join(', ')}`}`;
    });
    print(`${lines.join('\n')}\n\n\`/resume NAME\` goes on with one.`);
  },
  prompt: async ({ client, notice }) => {
    const size = await client.prompt();
    notice(
      `The fixed part of a prompt has ${String(size.totalChars)} characters: ${String(size.systemChars)} of instructions, ` +
        `${String(size.toolSchemaChars)} of tools. hermes prompt shows it.`,
    );
  },
} satisfies Record<string, SlashHandler>;

function usageTable(rows: readonly UsageDay[]): string {
  const lines = rows.map(
    (row) =>
      `| ${row.day} | ${row.model} | ${String(row.calls)} | ${compactNumber(row.inputTokens)} | ` +
      `${compactNumber(row.outputTokens)} | ${money(row.costUsd)} |`,
  );
  return ['| day | model | calls | in | out | cost |', '|---|---|--:|--:|--:|--:|', ...lines].join('\n');
}

function countOf(args: string, otherwise: number): number {
  if (args === '') return otherwise;
  const count = Number(args);
  if (!Number.isInteger(count) || count < 1 || count > 500) throw new CliError(`"${args}" is no number from 1 to 500.`);
  return count;
}

import { writeFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import type { MessageView } from '../../contracts/api.ts';
import { renderMarkdown } from '../../lib/markdown/render.ts';
import { stripControls } from '../../lib/markdown/strip-controls.ts';
import { confirmed } from '../confirm.ts';
import { CliError } from '../errors.ts';
import { ago, compactNumber, money } from '../format.ts';
import { wantsColour } from '../io.ts';
import { formatTable } from '../table.ts';
import { outputWidth, printJson, printText, withClient } from './with-client.ts';

/** `hermes conversations`: what was said, found and taken along. */
export function command(): Command {
  const conversations = new Command('conversations')
    .description('list, show, search, export and delete conversations')
    .action(() => list({ limit: 30 }));
  conversations
    .command('list')
    .description('the newest conversations')
    .option('-n, --limit <count>', 'how many', count, 30)
    .option('--json', 'as JSON')
    .action(list);
  conversations
    .command('show [conversation]')
    .description('the last messages of one, by name or id; without one: of the current')
    .option('-n, --limit <count>', 'how many messages', count, 50)
    .option('--json', 'as JSON')
    .action(show);
  conversations
    .command('search <words...>')
    .description('find what was said')
    .option('-n, --limit <count>', 'how many', count, 10)
    .option('--json', 'as JSON')
    .action(search);
  conversations
    .command('export <conversation>')
    .description('the whole conversation as a document')
    .option('--json', 'as JSON instead of Markdown')
    .option('-o, --output <file>', 'write a file instead of standard output')
    .action(exportOne);
  conversations
    .command('delete <conversation>')
    .description('remove it with all its messages')
    .option('-y, --yes', 'do not ask')
    .option('--json', 'as JSON')
    .action(deleteOne);
  return conversations;
}

/** A positive whole number of at most 500, as the service takes it. */
export function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 500) throw new InvalidArgumentError('A number from 1 to 500.');
  return value;
}

async function list(options: { limit: number; json?: true }): Promise<void> {
  await withClient(async (client) => {
    const rows = await client.conversations({ limit: options.limit });
    if (options.json === true) return printJson(rows);
    if (rows.length === 0) return printText('No conversation yet.\n');
    const columns = [
      { title: '' },
      { title: 'name' },
      { title: 'title', flexible: true },
      { title: 'turns', align: 'right' as const },
      { title: 'tokens', align: 'right' as const },
      { title: 'cost', align: 'right' as const },
      { title: 'last' },
    ];
    const cells = rows.map((row) => [
      `${row.current ? '*' : ' '}${row.running ? '…' : ' '}`.trimEnd(),
      row.name ?? row.id,
      row.title,
      String(row.lastTurn),
      compactNumber(row.usage.inputTokens + row.usage.outputTokens),
      money(row.usage.costUsd),
      ago(row.updatedAt),
    ]);
    await printText(formatTable(columns, cells, outputWidth()));
  });
}

async function show(name: string | undefined, options: { limit: number; json?: true }): Promise<void> {
  await withClient(async (client) => {
    const target = name ?? (await client.conversations({ limit: 50 })).find((one) => one.current)?.id;
    if (target === undefined) throw new CliError('There is no current conversation.', { hint: 'Name one.' });
    const conversation = await client.conversation(target);
    const messages = await client.messages(conversation.id, { limit: options.limit });
    if (options.json === true) return printJson({ conversation, messages });
    const title = conversation.title === '' ? conversation.id : stripControls(conversation.title);
    await printText([title, '', ...messages.flatMap(messageLines)].join('\n') + '\n');
  });
}

function messageLines(message: MessageView): string[] {
  const colour = wantsColour(process.stdout);
  const width = Math.min(120, outputWidth());
  const at = message.createdAt.slice(0, 16).replace('T', ' ');
  if (message.role === 'tool') {
    const status = message.toolStatus === null || message.toolStatus === 'ok' ? '' : ` (${message.toolStatus})`;
    return [`${at}  ${stripControls(message.toolName ?? 'tool')}${status}`, ''];
  }
  const who = message.role === 'user' ? stripControls(message.speaker || 'you') : message.role;
  const calls = message.toolCalls.map((call) => `  → ${stripControls(call.name)} ${shortened(call.argumentsText)}`);
  const text = renderMarkdown(message.text, { width: Number.isFinite(width) ? width : 100, colour });
  return [`${at}  ${who}`, ...text, ...calls, ''];
}

function shortened(text: string): string {
  const line = stripControls(text).replaceAll(/\s+/g, ' ');
  return line.length > 100 ? `${line.slice(0, 99)}…` : line;
}

async function search(words: string[], options: { limit: number; json?: true }): Promise<void> {
  await withClient(async (client) => {
    const hits = await client.search(words.join(' '), options.limit);
    if (options.json === true) return printJson(hits);
    if (hits.length === 0) return printText('Nothing found.\n');
    const columns = [{ title: 'when' }, { title: 'conversation' }, { title: 'who' }, { title: 'what', flexible: true }];
    const cells = hits.map((hit) => [hit.at.slice(0, 10), hit.conversationId, hit.speaker, hit.excerpt]);
    await printText(formatTable(columns, cells, outputWidth()));
  });
}

async function exportOne(name: string, options: { json?: true; output?: string }): Promise<void> {
  await withClient(async (client) => {
    const text = await client.export(name, options.json === true ? 'json' : 'md');
    const whole = text.endsWith('\n') ? text : `${text}\n`;
    if (options.output === undefined) return printText(whole);
    // What was said is nobody else's business.
    await writeFile(options.output, whole, { mode: 0o600 });
  });
}

async function deleteOne(name: string, options: { yes?: true; json?: true }): Promise<void> {
  await withClient(async (client) => {
    const conversation = await client.conversation(name);
    const title = conversation.title === '' ? conversation.id : stripControls(conversation.title);
    if (
      options.yes !== true &&
      !(await confirmed(`Delete "${title}" with ${String(conversation.messageCount)} messages?`))
    ) {
      throw new CliError('Nothing was deleted.');
    }
    await client.delete(conversation.id);
    if (options.json === true) return printJson({ id: conversation.id, deleted: true });
    await printText(`Deleted: ${title}\n`);
  });
}

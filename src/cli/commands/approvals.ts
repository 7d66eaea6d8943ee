import { Command, Option } from 'commander';
import type { ApprovalView, DecideBody } from '../../contracts/api.ts';
import { stripControls } from '../../lib/markdown/strip-controls.ts';
import type { HermesClient } from '../client/client.ts';
import { CliError } from '../errors.ts';
import { ago } from '../format.ts';
import { formatTable } from '../table.ts';
import { outputWidth, printJson, printText, withClient } from './with-client.ts';

/** `hermes approvals`: what waits for a person, and the person's word. */
export function command(): Command {
  const approvals = new Command('approvals')
    .description('what waits for you, and your decision')
    .action(() => list({}));
  approvals
    .command('list')
    .description('what waits')
    .option('--all', 'also what has been decided')
    .option('--json', 'as JSON')
    .action(list);
  const scope = new Option('--scope <scope>', 'for how long')
    .choices(['once', 'conversation', 'always'])
    .default('once');
  approvals
    .command('approve [id]')
    .description('let it happen; without an id: the only one that waits')
    .addOption(scope)
    .option('--json', 'as JSON')
    .action((id: string | undefined, options: { scope: 'once' | 'conversation' | 'always'; json?: true }) =>
      decide(id, { decision: 'approve', scope: options.scope }, options),
    );
  approvals
    .command('deny [id] [reason...]')
    .description('refuse it; the reason is told to the agent')
    .option('--json', 'as JSON')
    .action((id: string | undefined, reason: string[], options: { json?: true }) =>
      decide(id, { decision: 'deny', answer: reason.length === 0 ? null : reason.join(' ') }, options),
    );
  approvals
    .command('answer <id> <words...>')
    .description('answer a question')
    .option('--json', 'as JSON')
    .action((id: string, words: string[], options: { json?: true }) =>
      decide(id, { decision: 'answer', answer: words.join(' ') }, options),
    );
  return approvals;
}

async function list(options: { all?: true; json?: true }): Promise<void> {
  await withClient(async (client) => {
    const rows = await client.approvals(options.all === true ? { state: 'all' } : {});
    if (options.json === true) return printJson(rows);
    if (rows.length === 0) return printText('Nothing waits.\n');
    const columns = [
      { title: 'id' },
      { title: 'kind' },
      { title: 'asked' },
      ...(options.all === true ? [{ title: 'state' }] : []),
      { title: 'what', flexible: true },
    ];
    const cells = rows.map((row) => [
      row.id,
      row.kind,
      ago(row.askedAt),
      ...(options.all === true ? [row.state] : []),
      row.choices.length === 0 ? row.title : `${row.title} [${row.choices.join(' | ')}]`,
    ]);
    await printText(formatTable(columns, cells, outputWidth()));
  });
}

async function decide(id: string | undefined, body: DecideBody, options: { json?: true }): Promise<void> {
  await withClient(async (client) => {
    const row = await client.decide(id ?? (await theOnlyOne(client)), body);
    if (options.json === true) return printJson(row);
    await printText(`${stripControls(row.title)}: ${row.state}\n`);
  });
}

async function theOnlyOne(client: HermesClient): Promise<string> {
  const waiting: readonly ApprovalView[] = await client.approvals();
  const [first, second] = waiting;
  if (first === undefined) throw new CliError('Nothing waits for a decision.');
  if (second !== undefined) {
    throw new CliError(`${waiting.length} decisions wait; name one.`, {
      hint: 'hermes approvals list shows their ids.',
    });
  }
  return first.id;
}

import { Command } from 'commander';
import { compactNumber, money } from '../format.ts';
import { formatTable } from '../table.ts';
import { count } from './conversations.ts';
import { outputWidth, printJson, printText, withClient } from './with-client.ts';

/** `hermes usage`: what model calls took, per day and model. */
export function command(): Command {
  return new Command('usage')
    .description('tokens and money per day and model')
    .option('-d, --days <count>', 'how many days back', count, 14)
    .option('--json', 'as JSON')
    .action(usage);
}

async function usage(options: { days: number; json?: true }): Promise<void> {
  await withClient(async (client) => {
    const rows = await client.usage(options.days);
    if (options.json === true) return printJson(rows);
    if (rows.length === 0) return printText(`No model was called in the last ${String(options.days)} days.\n`);
    const sum = (of: (row: (typeof rows)[number]) => number): number => rows.reduce((all, row) => all + of(row), 0);
    const cells = rows.map((row) => [
      row.day,
      row.model,
      String(row.calls),
      compactNumber(row.inputTokens),
      compactNumber(row.outputTokens),
      money(row.costUsd),
    ]);
    const total = [
      'total',
      '',
      String(sum((row) => row.calls)),
      compactNumber(sum((row) => row.inputTokens)),
      compactNumber(sum((row) => row.outputTokens)),
      money(sum((row) => row.costUsd)),
    ];
    const right = (title: string) => ({ title, align: 'right' as const });
    const columns = [
      { title: 'day' },
      { title: 'model', flexible: true },
      right('calls'),
      right('in'),
      right('out'),
      right('cost'),
    ];
    await printText(formatTable(columns, [...cells, total], outputWidth()));
  });
}

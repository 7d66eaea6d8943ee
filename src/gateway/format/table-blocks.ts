import type { Tokens } from 'marked';
import { textWidth } from '../../lib/markdown/width.ts';
import { plainRun, type Block, type Run } from './block.ts';
import { inlineRuns } from './inline-runs.ts';

/** A table as aligned code where it is narrow enough, else each row as `column: value` lines. No platform has tables. */
export function tableBlocks(table: Tokens.Table, maxWidth: number): Block[] {
  const rows = [table.header, ...table.rows].map((row) => row.map((cell) => words(inlineRuns(cell.tokens, []))));
  const widths = table.header.map((_, column) => Math.max(1, ...rows.map((row) => textWidth(row[column] ?? ''))));
  const total = widths.reduce((sum, width) => sum + width, 3 * (widths.length - 1));
  if (total > maxWidth) return records(table);
  const lines = rows.map((row) =>
    widths
      .map((width, column) => pad(row[column] ?? '', width, table.align[column] ?? null))
      .join(' | ')
      .trimEnd(),
  );
  lines.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('-|-'));
  return [{ kind: 'code', language: '', text: lines.join('\n'), gap: 2 }];
}

function words(runs: readonly Run[]): string {
  return runs
    .map((run) => (run.href === null || run.href === run.text ? run.text : `${run.text} (${run.href})`))
    .join('')
    .replaceAll(/\s+/g, ' ');
}

function pad(text: string, width: number, align: Tokens.Table['align'][number]): string {
  const room = width - textWidth(text);
  const left = align === 'right' ? room : align === 'center' ? Math.floor(room / 2) : 0;
  return ' '.repeat(left) + text + ' '.repeat(room - left);
}

function records(table: Tokens.Table): Block[] {
  return table.rows.flatMap((row) =>
    row.map((cell, column): Block => {
      const name = inlineRuns(table.header[column]?.tokens ?? [], ['bold']);
      const runs = [...name, plainRun(': '), ...inlineRuns(cell.tokens, [])];
      return { kind: 'text', runs, quote: false, gap: column === 0 ? 2 : 1 };
    }),
  );
}

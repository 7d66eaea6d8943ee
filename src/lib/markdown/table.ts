import type { Tokens } from 'marked';
import { inlineSpans } from './inline.ts';
import { lineWidth, wrapSpans, type Line, type Span } from './span.ts';

const narrowestColumn = 5;
const separator: Span = { text: ' │ ', styles: ['dim'] };

/**
 * Lays a table out in at most `width` cells, wrapping inside its cells. One with too many columns for the width is
 * written as records, one `column: value` per line.
 */
export function renderTable(table: Tokens.Table, width: number, plain: boolean): Line[] {
  const header = table.header.map((cell) => inlineSpans(cell.tokens, ['bold'], plain));
  const rows = table.rows.map((row) => row.map((cell) => inlineSpans(cell.tokens, [], plain)));
  const widths = columnWidths([header, ...rows], width - 3 * (header.length - 1));
  if (widths === null) return records(header, rows, width);
  const rule: Line = [{ text: widths.map((one) => '─'.repeat(one)).join('─┼─'), styles: ['dim'] }];
  const aligned = (row: readonly Span[][]): Line[] => layRow(row, widths, table.align);
  return [...aligned(header), rule, ...rows.flatMap(aligned)];
}

/** Natural widths where they fit; else the widest give way. Null when even narrow columns do not fit. */
function columnWidths(rows: readonly Span[][][], room: number): number[] | null {
  const count = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(1, ...rows.map((row) => Math.max(0, ...wrapSpans(row[column] ?? [], Infinity).map(lineWidth)))),
  );
  const least = widths.reduce((sum, one) => sum + Math.min(one, narrowestColumn), 0);
  if (least > room) return null;
  for (let over = widths.reduce((sum, one) => sum + one, 0) - room; over > 0; over -= 1) {
    const widest = widths.indexOf(Math.max(...widths));
    widths[widest] = (widths[widest] ?? 1) - 1;
  }
  return widths;
}

function layRow(row: readonly Span[][], widths: readonly number[], align: Tokens.Table['align']): Line[] {
  const cells = widths.map((width, column) => wrapSpans(row[column] ?? [], width));
  const height = Math.max(1, ...cells.map((cell) => cell.length));
  return Array.from({ length: height }, (_, index) =>
    widths.flatMap((width, column) => {
      const line = cells[column]?.[index] ?? [];
      const padded = pad(line, width, align[column] ?? null);
      return column === 0 ? padded : [separator, ...padded];
    }),
  );
}

function pad(line: Line, width: number, align: Tokens.Table['align'][number]): Span[] {
  const room = Math.max(0, width - lineWidth(line));
  const left = align === 'right' ? room : align === 'center' ? Math.floor(room / 2) : 0;
  const space = (size: number): Span[] => (size === 0 ? [] : [{ text: ' '.repeat(size), styles: [] }]);
  return [...space(left), ...line, ...space(room - left)];
}

function records(header: readonly Span[][], rows: readonly Span[][][], width: number): Line[] {
  return rows.flatMap((row, index) => [
    ...(index === 0 ? [] : [[]]),
    ...row.flatMap((cell, column) =>
      wrapSpans([...(header[column] ?? []), { text: ': ', styles: ['bold'] }, ...cell], width),
    ),
  ]);
}

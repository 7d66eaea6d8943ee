import { stripControls } from '../lib/markdown/strip-controls.ts';
import { textWidth, truncate } from '../lib/markdown/width.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** Columns that give way when the table is too wide; the others keep what they need. */
  readonly flexible?: boolean;
}

/**
 * Lays out rows in columns two spaces apart. Where the width is too small, flexible columns are cut with an ellipsis;
 * none becomes narrower than eight cells. Controls are stripped and line breaks become spaces. Pure.
 *
 * @param width in terminal cells; Infinity where nobody looks (a pipe).
 */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string {
  const cells = [columns.map((column) => column.title), ...rows].map((row) => row.map(oneLine));
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => textWidth(row[index] ?? ''))));
  shrink(columns, widths, width);
  const lines = cells.map((row) =>
    columns
      .map((column, index) => {
        const cell = truncate(row[index] ?? '', widths[index] ?? 0);
        const padding = ' '.repeat(Math.max(0, (widths[index] ?? 0) - textWidth(cell)));
        return column.align === 'right' ? padding + cell : cell + padding;
      })
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

const narrowest = 8;

/** Takes cells from the widest flexible column until the table fits. */
function shrink(columns: readonly Column[], widths: number[], width: number): void {
  const total = (): number => widths.reduce((sum, one) => sum + one, 0) + 2 * (widths.length - 1);
  for (let over = total() - width; over > 0; over -= 1) {
    let widest = -1;
    columns.forEach((column, index) => {
      const size = widths[index] ?? 0;
      if (column.flexible === true && size > narrowest && size > (widths[widest] ?? 0)) widest = index;
    });
    if (widest < 0) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

function oneLine(text: string): string {
  return stripControls(text).replaceAll(/\s+/g, ' ').trim();
}

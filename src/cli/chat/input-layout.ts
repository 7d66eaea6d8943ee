import { clusters } from '../../lib/markdown/width.ts';
import type { EditorState } from './line-editor.ts';

export interface InputLayout {
  /** Without prompt. At least one. */
  readonly rows: readonly string[];
  readonly cursorRow: number;
  /** In cells from the start of the row. */
  readonly cursorColumn: number;
}

/**
 * Breaks the input into rows of at most `width` cells and finds the cursor in them. Of an input higher than `height`
 * only the rows around the cursor are given. Pure.
 */
export function layoutInput(state: EditorState, width: number, height: number): InputLayout {
  const rows: string[] = [];
  let row = '';
  let used = 0;
  let at = 0;
  let cursor: { row: number; column: number } | null = null;
  const next = (): void => {
    rows.push(row);
    row = '';
    used = 0;
  };
  for (const { cluster, width: cells } of inputClusters(state.text)) {
    if (cluster !== '\n' && used + cells > width) next();
    if (at === state.cursor) cursor = { row: rows.length, column: used };
    at += cluster.length;
    if (cluster === '\n') next();
    else {
      row += cluster === '\t' ? ' ' : cluster;
      used += cells;
    }
  }
  if (cursor === null && used >= width) next();
  cursor ??= { row: rows.length, column: used };
  rows.push(row);
  const from = Math.max(0, Math.min(cursor.row - Math.floor(height / 2), rows.length - height));
  return { rows: rows.slice(from, from + height), cursorRow: cursor.row - from, cursorColumn: cursor.column };
}

function* inputClusters(text: string): Generator<{ cluster: string; width: number }> {
  for (const part of text.split(/([\n\t])/)) {
    if (part === '\n' || part === '\t') yield { cluster: part, width: part === '\t' ? 1 : 0 };
    else yield* clusters(part);
  }
}

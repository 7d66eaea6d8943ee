import { renderMarkdown } from '../../lib/markdown/render.ts';
import { paint } from '../../lib/markdown/span.ts';
import { truncate } from '../../lib/markdown/width.ts';
import { duration } from '../format.ts';
import { layoutInput } from './input-layout.ts';
import type { RunningTool } from './item.ts';
import type { EditorState } from './line-editor.ts';
import { oneLine, span, type Look } from './render-item.ts';
import type { LiveArea } from './screen.ts';

/** Everything the area at the bottom shows. Times are of one clock. */
export interface LiveView {
  readonly tail: string;
  readonly tools: readonly RunningTool[];
  /** Null: nothing runs. */
  readonly runningSinceMs: number | null;
  readonly doing: string;
  readonly hint: string;
  /** The service is away. */
  readonly away: boolean;
  readonly editor: EditorState;
  /** Candidates of a completion, below the input. */
  readonly candidates: readonly string[];
  readonly nowMs: number;
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const;
const frameMs = 100;
const prompt = '› ';

/** Lays the area out for a terminal of this size; never higher than it, so that drawing can find back. Pure. */
export function liveArea(view: LiveView, look: Look, rows: number): LiveArea {
  const input = layoutInput(view.editor, Math.max(4, look.width - prompt.length), Math.max(1, Math.floor(rows / 2)));
  const below =
    view.candidates.length === 0 ? [] : [dim(truncate(`  ${view.candidates.join('  ')}`, look.width), look)];
  const fixed = [...toolLines(view, look), ...statusLines(view, look)];
  const room = Math.max(0, rows - 1 - fixed.length - input.rows.length - below.length);
  const tail = view.tail.trim() === '' ? [] : ['', ...renderMarkdown(endOf(view.tail), look)];
  const above = [...tail.slice(Math.max(0, tail.length - room)), ...fixed].slice(-(rows - input.rows.length - 1));
  const inputLines = input.rows.map(
    (row, index) => (index === 0 ? paint([span(prompt, ['bold'])], look.colour) : '  ') + row,
  );
  const gap = above.length === 0 && rows > 4 ? [''] : [];
  return {
    lines: [...gap, ...above, ...inputLines, ...below],
    cursorRow: gap.length + above.length + input.cursorRow,
    cursorColumn: prompt.length + input.cursorColumn,
  };
}

/** A tail longer than any screen need not be laid out whole many times a second. */
function endOf(tail: string): string {
  return tail.length > 20_000 ? tail.slice(-20_000) : tail;
}

function toolLines(view: LiveView, look: Look): string[] {
  return view.tools.slice(-6).map((tool) => {
    const time = ` ${duration(Math.max(0, view.nowMs - tool.sinceMs))}`;
    const what = truncate(oneLine(tool.summary), Math.max(10, look.width - time.length - 4));
    return paint([span(`  ${frame(view.nowMs)} `, ['dim']), span(what, []), span(time, ['dim'])], look.colour);
  });
}

function statusLines(view: LiveView, look: Look): string[] {
  const lines: string[] = [];
  if (view.away) {
    lines.push(
      dim(truncate(`${frame(view.nowMs)} the service is away; waiting for it, nothing is lost`, look.width), look),
    );
  } else if (view.runningSinceMs !== null) {
    const seconds = `${String(Math.floor(Math.max(0, view.nowMs - view.runningSinceMs) / 1000))} s`;
    lines.push(dim(truncate(`${frame(view.nowMs)} ${view.doing} ${seconds} · Ctrl-C stops`, look.width), look));
  }
  if (view.hint !== '') lines.push(dim(truncate(oneLine(view.hint), look.width), look));
  return lines;
}

function frame(nowMs: number): string {
  return frames[Math.floor(nowMs / frameMs) % frames.length] ?? frames[0];
}

function dim(text: string, look: Look): string {
  return paint([span(text, ['dim'])], look.colour);
}

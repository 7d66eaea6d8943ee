import { textWidth } from '../../lib/markdown/width.ts';

/** What stands at the bottom and is redrawn: no line may be wider than the terminal. */
export interface LiveArea {
  readonly lines: readonly string[];
  readonly cursorRow: number;
  readonly cursorColumn: number;
}

const hideCursor = '\u001b[?25l';
const showCursor = '\u001b[?25h';
/** Terminals that know it draw everything in between at once; the others ignore it. */
const beginUpdate = '\u001b[?2026h';
const endUpdate = '\u001b[?2026l';

/**
 * A line terminal with a live area at its end: what is printed scrolls up for good, the live area below is redrawn in
 * place. Nothing above it is ever touched again, so the terminal's own scrollback, selection and search keep working.
 */
export class Screen {
  private drawn: LiveArea = { lines: [], cursorRow: 0, cursorColumn: 0 };
  private readonly out: (text: string) => void;
  private readonly columns: () => number;

  constructor(out: (text: string) => void, columns: () => number) {
    this.out = out;
    this.columns = columns;
  }

  /** Prints finished lines above the live area and redraws it. Does nothing when nothing has changed. */
  update(printed: readonly string[], live: LiveArea): void {
    if (printed.length === 0 && same(live, this.drawn)) return;
    const text = [...printed.map((line) => `${line}\r\n`), live.lines.join('\r\n')].join('');
    this.out(beginUpdate + hideCursor + this.erase() + text + placeCursor(live) + showCursor + endUpdate);
    this.drawn = live;
  }

  /** The terminal has another size: what was drawn has been broken anew, so the next update must draw. */
  resized(): void {
    this.drawn = { ...this.drawn, lines: [...this.drawn.lines] };
  }

  /** Clears the whole screen; the next update draws at its top. */
  clear(): void {
    this.out('\u001b[H\u001b[2J');
    this.drawn = { lines: [], cursorRow: 0, cursorColumn: 0 };
  }

  /** Takes the live area away for good and leaves the cursor at the start of its first line. */
  close(): void {
    this.out(this.erase());
    this.drawn = { lines: [], cursorRow: 0, cursorColumn: 0 };
  }

  private erase(): string {
    const columns = Math.max(1, this.columns());
    const above = this.drawn.lines.slice(0, this.drawn.cursorRow);
    // A terminal that has become narrower has broken the lines that no longer fit.
    const rows = above.reduce((sum, line) => sum + Math.max(1, Math.ceil(textWidth(line) / columns)), 0);
    // The cursor's own line is broken by some terminals and cut by others; a stale row is better than a lost one.
    return `\r${rows > 0 ? `\u001b[${String(rows)}A` : ''}\u001b[J`;
  }
}

function placeCursor(live: LiveArea): string {
  const up = live.lines.length - 1 - live.cursorRow;
  const right = live.cursorColumn;
  return `\r${up > 0 ? `\u001b[${String(up)}A` : ''}${right > 0 ? `\u001b[${String(right)}C` : ''}`;
}

function same(one: LiveArea, other: LiveArea): boolean {
  return (
    one.cursorRow === other.cursorRow &&
    one.cursorColumn === other.cursorColumn &&
    one.lines.length === other.lines.length &&
    one.lines.every((line, index) => line === other.lines[index])
  );
}

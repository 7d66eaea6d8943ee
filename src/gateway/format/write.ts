import type { Block, Mark, Run } from './block.ts';
import { invisible, type Syntax } from './syntax.ts';

/** Writes one block in a dialect, white space at its ends left out. Balanced whatever the words are. */
export function writeBlock(block: Block, syntax: Syntax): string {
  if (block.kind === 'code') return isBlank(block.text) ? '' : syntax.block(block.text, block.language);
  const written = writeRuns(block.runs, syntax);
  return block.quote && written !== '' ? syntax.quote(written) : written;
}

/** Nothing a person would see: platforms refuse such messages. */
export function isBlank(text: string): boolean {
  return /^[\s\p{Cf}\p{Cc}\u2800\u3164\ufe0f]*$/u.test(text);
}

function writeRuns(runs: readonly Run[], syntax: Syntax): string {
  if (runs.every((run) => isBlank(run.text))) return '';
  const writer = new Writer(syntax);
  for (const run of joined(runs)) writer.add(run);
  return writer.finish();
}

/** Neighbours in one style as one, so that what must not stand together is seen together. */
function joined(runs: readonly Run[]): Run[] {
  const result: Run[] = [];
  for (const run of runs) {
    const last = result.at(-1);
    const alike = last !== undefined && !last.code && !run.code && last.href === null && run.href === null;
    if (alike && last.marks.join() === run.marks.join()) {
      result[result.length - 1] = { ...last, text: last.text + run.text };
    } else {
      result.push(run);
    }
  }
  return result;
}

const wordEnd = /[\p{L}\p{N}_]$/u;
const wordStart = /^[\p{L}\p{N}_]/u;

class Writer {
  private out = '';
  private readonly openMarks: Mark[] = [];
  /** White space not yet written: marks must not stand on its inner side. */
  private pending = '';
  /** The last thing written ends a mark. */
  private afterMark = false;
  private readonly syntax: Syntax;

  constructor(syntax: Syntax) {
    this.syntax = syntax;
  }

  add(run: Run): void {
    if (run.href !== null || run.code) {
      this.addPiece(run, run.text);
      return;
    }
    const pieces = this.syntax.marks === 'words' && run.marks.length > 0 ? run.text.split(/(?=\n)/) : [run.text];
    for (const piece of pieces) {
      const words = piece.trim();
      const start = piece.length - piece.trimStart().length;
      this.pending += piece.slice(0, start);
      if (words === '') continue;
      this.addPiece(run, words);
      this.pending = piece.slice(start + words.length);
    }
  }

  finish(): string {
    this.closeDownTo(0);
    return this.out;
  }

  private addPiece(run: Run, words: string): void {
    const { syntax } = this;
    const atLineStart = this.out === '' || this.pending.includes('\n');
    const kept = syntax.marks === 'words' && this.pending.includes('\n') ? 0 : this.common(run.marks);
    this.closeDownTo(kept);
    const code = run.code ? syntax.code(words) : null;
    const opens = run.marks.slice(kept);
    const isMark = opens.length > 0 || code !== null;
    if (this.needsGuard(isMark, code ?? words)) this.out += invisible;
    this.out += this.out === '' ? this.pending.replace(/^\s*\n/, '') : this.pending;
    this.pending = '';
    for (const mark of opens) {
      this.out += syntax.open[mark];
      this.openMarks.push(mark);
    }
    this.out += code ?? (run.href === null ? syntax.text(words, atLineStart) : syntax.link(words, run.href));
    this.afterMark = code !== null;
  }

  /** Slack, WhatsApp and Discord see a mark only beside something that is no letter. */
  private needsGuard(opensMark: boolean, words: string): boolean {
    if (this.syntax.marks === 'anywhere' || this.pending !== '' || this.out === '') return false;
    if (this.out.endsWith('`') && words.startsWith('`')) return true;
    if (opensMark) return this.afterMark || wordEnd.test(this.out.slice(-2));
    return this.afterMark && wordStart.test(words.slice(0, 2));
  }

  private common(marks: readonly Mark[]): number {
    let count = 0;
    while (count < marks.length && marks[count] === this.openMarks[count]) count += 1;
    return count;
  }

  private closeDownTo(count: number): void {
    while (this.openMarks.length > count) {
      const mark = this.openMarks.pop();
      if (mark === undefined) return;
      this.out += this.syntax.close[mark];
      this.afterMark = true;
    }
  }
}

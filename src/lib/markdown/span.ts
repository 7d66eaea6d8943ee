import { clusterWidth, clusters, textWidth } from './width.ts';

export type Style = 'bold' | 'italic' | 'underline' | 'strike' | 'dim' | 'code' | 'heading' | 'link';

/** A run of text in one style. The text holds no control characters. */
export interface Span {
  readonly text: string;
  readonly styles: readonly Style[];
}

/** One line of the terminal. */
export type Line = readonly Span[];

/** Codes that switch a style on; every span is closed by a reset, so that a cut line never leaks its style. */
const codes: Readonly<Record<Style, string>> = {
  bold: '1',
  italic: '3',
  underline: '4',
  strike: '9',
  dim: '2',
  code: '36',
  heading: '1;35',
  link: '4;34',
};

/** Writes a line for the terminal, with SGR codes or plain. */
export function paint(line: Line, colour: boolean): string {
  return line
    .map(({ text, styles }) => {
      if (!colour || styles.length === 0 || text === '') return text;
      return `\u001b[${styles.map((style) => codes[style]).join(';')}m${text}\u001b[0m`;
    })
    .join('');
}

export function lineWidth(line: Line): number {
  return line.reduce((sum, span) => sum + textWidth(span.text), 0);
}

/**
 * Breaks spans into lines of at most `width` cells: at spaces, between wide characters, and inside a word only where it
 * is longer than a line. A line feed in a span always breaks. Never returns an empty list. Pure.
 */
export function wrapSpans(spans: readonly Span[], width: number): Line[] {
  const wrapper = new Wrapper(Math.max(1, width));
  for (const span of spans) {
    span.text.split('\n').forEach((part, index) => {
      if (index > 0) wrapper.breakLine();
      for (const piece of pieces(part)) wrapper.add(piece, span.styles);
    });
  }
  return wrapper.finish();
}

/** Breaks text that must keep its spaces (code): only where the line is full. Tabs become four spaces. */
export function wrapExactly(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const one of clusters(text.replaceAll('\t', '    '))) {
    if (used + one.width > Math.max(1, width) && line !== '') {
      lines.push(line);
      line = '';
      used = 0;
    }
    line += one.cluster;
    used += one.width;
  }
  return [...lines, line];
}

/** Words, runs of spaces, and wide characters one by one (East Asian text breaks anywhere). */
function* pieces(text: string): Generator<string> {
  for (const match of text.replaceAll('\t', '    ').matchAll(/ +|[^ ]+/g)) {
    if (/^[\u0020-\u007e]+$/.test(match[0])) yield match[0];
    else yield* splitWide(match[0]);
  }
}

function* splitWide(word: string): Generator<string> {
  let narrow = '';
  for (const { cluster, width } of clusters(word)) {
    if (width < 2) {
      narrow += cluster;
      continue;
    }
    if (narrow !== '') yield narrow;
    narrow = '';
    yield cluster;
  }
  if (narrow !== '') yield narrow;
}

/** `pieces` gives wide characters one by one, so a word of two cells is one or two narrow letters. */
function isWideCharacter(piece: string, width: number): boolean {
  return width === 2 && clusterWidth(piece) === 2;
}

class Wrapper {
  private readonly lines: Line[] = [];
  private line: { text: string; styles: readonly Style[] }[] = [];
  private used = 0;
  /** What has come since the last place where a break is allowed: a word may span several styles. */
  private word: { text: string; styles: readonly Style[] }[] = [];
  private wordWidth = 0;
  private readonly width: number;

  constructor(width: number) {
    this.width = width;
  }

  add(piece: string, styles: readonly Style[]): void {
    const width = textWidth(piece);
    if (piece.startsWith(' ')) {
      this.placeWord();
      if (this.used > 0 && this.used + width <= this.width) this.push(piece, styles, width);
      else if (this.used === 0 && this.lines.length === 0) this.push(piece, styles, Math.min(width, this.width - 1));
      else if (this.used > 0) this.endLine();
      return;
    }
    const wide = isWideCharacter(piece, width);
    if (wide) this.placeWord();
    this.word.push({ text: piece, styles });
    this.wordWidth += width;
    if (wide) this.placeWord();
  }

  breakLine(): void {
    this.placeWord();
    this.endLine();
  }

  finish(): Line[] {
    this.placeWord();
    if (this.line.length > 0 || this.lines.length === 0) this.endLine();
    return this.lines;
  }

  private placeWord(): void {
    if (this.word.length === 0) return;
    if (this.used + this.wordWidth > this.width && this.used > 0) this.endLine();
    for (const part of this.word) this.pushCut(part.text, part.styles);
    this.word = [];
    this.wordWidth = 0;
  }

  private pushCut(text: string, styles: readonly Style[]): void {
    const width = textWidth(text);
    if (this.used + width <= this.width) {
      this.push(text, styles, width);
      return;
    }
    for (const one of clusters(text)) {
      if (this.used + one.width > this.width && this.used > 0) this.endLine();
      this.push(one.cluster, styles, one.width);
    }
  }

  private push(text: string, styles: readonly Style[], width: number): void {
    const last = this.line.at(-1);
    if (last?.styles === styles) last.text += text;
    else this.line.push({ text, styles });
    this.used += width;
  }

  private endLine(): void {
    const last = this.line.at(-1);
    if (last !== undefined) last.text = last.text.trimEnd();
    this.lines.push(this.line);
    this.line = [];
    this.used = 0;
  }
}

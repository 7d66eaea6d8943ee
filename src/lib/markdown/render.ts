import { lexer, type Token, type Tokens } from 'marked';
import { childrenOf, inlineSpans } from './inline.ts';
import { lineWidth, paint, wrapExactly, wrapSpans, type Line, type Span, type Style } from './span.ts';
import { stripControls } from './strip-controls.ts';
import { renderTable } from './table.ts';

export interface RenderOptions {
  /** Cells of the terminal; no line is longer. Less than 8 count as 8. */
  readonly width: number;
  /** False: no escape sequence at all; marks such as `code` stay as characters. */
  readonly colour: boolean;
}

/**
 * Renders Markdown (GFM) for a terminal. Line breaks of the source are kept. What could steer the terminal is taken out,
 * so the text may come from anybody.
 *
 * @returns lines without line feeds, blank ones between blocks, none at the ends. Never throws.
 */
export function renderMarkdown(source: string, options: RenderOptions): string[] {
  const context: Context = { width: Math.max(8, options.width), plain: !options.colour, depth: 0 };
  const lines = blocks(tokensOf(stripControls(source)), context);
  return lines.flatMap((line) => fitted(line, context.width)).map((line) => paint(line, options.colour));
}

/** Nesting deeper than the terminal is wide leaves no room for its text; then the lines are broken once more. */
function fitted(line: Line, width: number): Line[] {
  return lineWidth(line) <= width ? [line] : wrapSpans(line, width);
}

/** A paragraph of this size is data and not prose; its inline marks are not worth seconds of parsing. */
const longestBlock = 200_000;

/** What marked gives up on (nesting beyond the stack) is shown as it is. */
export function tokensOf(source: string): Token[] {
  if (source.length > longestBlock && !source.includes('\n\n')) return [plainToken(source)];
  try {
    return lexer(source, { gfm: true });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return [plainToken(source)];
  }
}

function plainToken(text: string): Token {
  return { type: 'text', raw: text, text, escaped: false };
}

interface Context {
  readonly width: number;
  readonly plain: boolean;
  /** Lists and quotes around this block. */
  readonly depth: number;
}

function blocks(tokens: readonly Token[], context: Context): Line[] {
  const lines: Line[] = [];
  let previous: Token | null = null;
  for (const token of tokens) {
    const rendered = block(token, context);
    if (rendered.length === 0) continue;
    if (previous !== null && apart(previous, token)) lines.push([]);
    lines.push(...rendered);
    previous = token;
  }
  return lines;
}

/** Items of tight lists and a list below its own words stand close; everything else gets a blank line between. */
function apart(previous: Token, token: Token): boolean {
  const close = previous.type === 'text' && (token.type === 'list' || token.type === 'text');
  return !close;
}

function block(token: Token, context: Context): Line[] {
  switch (token.type) {
    case 'space':
    case 'def':
      return [];
    case 'heading':
      return heading(token as Tokens.Heading, context);
    case 'code':
      return code(token as Tokens.Code, context);
    case 'blockquote':
      return prefixed(blocks(childrenOf(token), deeper(context, 2)), quoteMark, quoteMark);
    case 'list':
      return list(token as Tokens.List, context);
    case 'table':
      return renderTable(token as Tokens.Table, context.width, context.plain);
    case 'hr':
      return [[{ text: '─'.repeat(Math.min(context.width, 40)), styles: ['dim'] }]];
    case 'html':
      return wrapSpans([{ text: token.raw.trim(), styles: [] }], context.width);
    default:
      return wrapSpans(inlineSpans(leafOrChildren(token), [], context.plain), context.width);
  }
}

function leafOrChildren(token: Token): readonly Token[] {
  const children = childrenOf(token);
  return children.length === 0 ? [token] : children;
}

const quoteMark: Span = { text: '│ ', styles: ['dim'] };

function deeper(context: Context, indent: number): Context {
  return { ...context, width: Math.max(8, context.width - indent), depth: context.depth + 1 };
}

function heading(token: Tokens.Heading, context: Context): Line[] {
  const styles: Style[] = ['heading'];
  const mark: Span = { text: `${'#'.repeat(token.depth)} `, styles: ['dim'] };
  const lines = wrapSpans(inlineSpans(token.tokens, styles, context.plain), context.width - token.depth - 1);
  return prefixed(lines, mark, { text: ' '.repeat(token.depth + 1), styles: [] });
}

/** Code keeps its spaces and can be copied: an indent and no frame. */
function code(token: Tokens.Code, context: Context): Line[] {
  const indent: Span = { text: '  ', styles: [] };
  const language = (token.lang ?? '').trim().split(/\s/)[0] ?? '';
  const label: Line[] = language === '' ? [] : [[{ text: `  ┄ ${language}`, styles: ['dim'] }]];
  const lines = token.text.split('\n').flatMap((line) => wrapExactly(line, context.width - 2));
  return [...label, ...lines.map((text): Line => [indent, { text, styles: ['code'] }])];
}

const bullets = ['•', '◦', '▪'] as const;

function list(token: Tokens.List, context: Context): Line[] {
  const first = token.start === '' ? 1 : token.start;
  const widest = String(first + token.items.length - 1).length;
  return token.items.flatMap((item, index) => {
    const bullet = bullets[Math.floor(context.depth) % bullets.length] ?? bullets[0];
    const mark = token.ordered ? `${String(first + index).padStart(widest)}. ` : `${bullet} `;
    const task = item.task ? (item.checked === true ? '[x] ' : '[ ] ') : '';
    const indent = mark.length + task.length;
    const content = item.tokens.filter((one) => one.type !== 'checkbox');
    const body = blocks(content, { ...deeper(context, indent), depth: context.depth + 1 });
    const lines = prefixed(
      body.length === 0 ? [[]] : body,
      { text: mark + task, styles: ['dim'] },
      {
        text: ' '.repeat(indent),
        styles: [],
      },
    );
    return token.loose && index > 0 ? [[], ...lines] : lines;
  });
}

function prefixed(lines: readonly Line[], first: Span, rest: Span): Line[] {
  return lines.map((line, index) => {
    if (index > 0 && line.length === 0 && rest.text.trim() === '') return [];
    return [index === 0 ? first : rest, ...line];
  });
}

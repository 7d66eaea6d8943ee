import { decodeEscapes } from './escapes.ts';
import type { Script, Word, WordPart } from './shell-syntax.ts';

/** A here-document whose body begins after the next newline. */
export interface PendingHeredoc {
  readonly delimiter: string;
  readonly stripTabs: boolean;
  readonly literal: boolean;
  readonly take: (body: Word) => void;
}

/** Deeper than any honest command; protects the stack. */
const maxDepth = 60;

/** Where the parser stands. `complete` turns false when the text ends early or is no shell. */
export class Cursor {
  readonly text: string;
  /** Parses a nested script from here up to `close`, which it consumes. */
  readonly parseNested: (cursor: Cursor, close: string) => Script;
  readonly heredocs: PendingHeredoc[] = [];
  position = 0;
  depth = 0;
  complete = true;

  constructor(text: string, parseNested: (cursor: Cursor, close: string) => Script) {
    this.text = text;
    this.parseNested = parseNested;
  }

  get ended(): boolean {
    return this.position >= this.text.length;
  }

  at(prefix: string): boolean {
    return this.text.startsWith(prefix, this.position);
  }

  char(offset = 0): string {
    return this.text.charAt(this.position + offset);
  }

  fail(): void {
    this.complete = false;
    this.position = this.text.length;
  }

  nested<T>(empty: T, parse: () => T): T {
    if (this.depth >= maxDepth) {
      this.fail();
      return empty;
    }
    this.depth += 1;
    const result = parse();
    this.depth -= 1;
    return result;
  }
}

const metaCharacters = new Set([' ', '\t', '\n', '\r', ';', '&', '|', '<', '>', '(', ')', '']);

/** Reads one word, or returns null where none begins. */
export function readWord(cursor: Cursor): Word | null {
  const parts: WordPart[] = [];
  const start = cursor.position;
  for (;;) {
    const char = cursor.char();
    if ((char === '<' || char === '>') && cursor.char(1) === '(') {
      cursor.position += 2;
      parts.push({ kind: 'process', script: cursor.parseNested(cursor, ')') });
    } else if (char === '(' && isExtendedGlob(parts)) {
      skipBalanced(cursor);
      parts.push({ kind: 'text', text: '*', quoted: false });
    } else if (metaCharacters.has(char)) {
      break;
    } else {
      readPiece(cursor, parts);
    }
  }
  return cursor.position === start ? null : parts;
}

function isExtendedGlob(parts: readonly WordPart[]): boolean {
  const last = parts.at(-1);
  return last?.kind === 'text' && !last.quoted && /[?*+@!]$/.test(last.text);
}

function readPiece(cursor: Cursor, parts: WordPart[]): void {
  const char = cursor.char();
  if (char === '\\') {
    if (cursor.char(1) !== '\n') pushText(parts, cursor.char(1), true);
    cursor.position += 2;
  } else if (char === "'") {
    pushText(parts, readSingleQuoted(cursor), true);
  } else if (char === '"') {
    readDoubleQuoted(cursor, parts);
  } else if (char === '$' && cursor.char(1) === "'") {
    pushText(parts, readAnsiQuoted(cursor), true);
  } else if (char === '$' && cursor.char(1) === '"') {
    cursor.position += 1;
    readDoubleQuoted(cursor, parts);
  } else if (char === '$' || char === '`') {
    readExpansion(cursor, parts, false);
  } else {
    pushText(parts, char, false);
    cursor.position += 1;
  }
}

function pushText(parts: WordPart[], text: string, quoted: boolean): void {
  const last = parts.at(-1);
  if (last?.kind === 'text' && last.quoted === quoted) {
    parts[parts.length - 1] = { kind: 'text', text: last.text + text, quoted };
  } else {
    parts.push({ kind: 'text', text, quoted });
  }
}

function readSingleQuoted(cursor: Cursor): string {
  const end = cursor.text.indexOf("'", cursor.position + 1);
  const text = cursor.text.slice(cursor.position + 1, end < 0 ? undefined : end);
  if (end < 0) cursor.fail();
  else cursor.position = end + 1;
  return text;
}

function readAnsiQuoted(cursor: Cursor): string {
  const pattern = /\$'((?:[^'\\]|\\[\s\S])*)'/y;
  pattern.lastIndex = cursor.position;
  const match = pattern.exec(cursor.text);
  if (match === null) {
    cursor.fail();
    return '';
  }
  cursor.position = pattern.lastIndex;
  return decodeEscapes(match[1] ?? '');
}

function readDoubleQuoted(cursor: Cursor, parts: WordPart[]): void {
  cursor.position += 1;
  pushText(parts, '', true);
  while (!cursor.ended && cursor.char() !== '"') readQuotedPiece(cursor, parts);
  if (cursor.ended) cursor.fail();
  else cursor.position += 1;
}

/** One piece of text in which only `\`, `$` and backquotes mean anything. */
function readQuotedPiece(cursor: Cursor, parts: WordPart[]): void {
  const char = cursor.char();
  if (char === '\\' && '$`"\\\n'.includes(cursor.char(1)) && cursor.char(1) !== '') {
    if (cursor.char(1) !== '\n') pushText(parts, cursor.char(1), true);
    cursor.position += 2;
  } else if (char === '$' || char === '`') {
    readExpansion(cursor, parts, true);
  } else {
    const pattern = /[^\\$`"]+|[\s\S]/y;
    pattern.lastIndex = cursor.position;
    pushText(parts, pattern.exec(cursor.text)?.[0] ?? '', true);
    cursor.position = pattern.lastIndex;
  }
}

/** Parses a text as the inside of double quotes, quotes themselves being plain: here-documents, arithmetic, operands. */
export function readQuotedText(text: string, outer: Cursor): Word {
  return outer.nested<Word>([], () => {
    const cursor = new Cursor(text, outer.parseNested);
    cursor.depth = outer.depth;
    const parts: WordPart[] = [];
    while (!cursor.ended) readQuotedPiece(cursor, parts);
    if (!cursor.complete) outer.complete = false;
    return parts;
  });
}

function readExpansion(cursor: Cursor, parts: WordPart[], quoted: boolean): void {
  if (cursor.char() === '`') {
    parts.push({ kind: 'substitution', script: readBackquoted(cursor), quoted });
  } else if (cursor.at('$((') && balancedEnd(cursor, 1)?.arithmetic === true) {
    const end = balancedEnd(cursor, 1)?.end ?? cursor.text.length;
    const inner = cursor.text.slice(cursor.position + 3, end - 2);
    cursor.position = end;
    parts.push({ kind: 'arithmetic', inner: readQuotedText(inner, cursor) });
  } else if (cursor.at('$(')) {
    cursor.position += 2;
    parts.push({ kind: 'substitution', script: cursor.parseNested(cursor, ')'), quoted });
  } else if (cursor.at('${')) {
    parts.push(readBracedVariable(cursor, quoted));
  } else {
    const pattern = /\$([A-Za-z_]\w*|[0-9@*#?$!-])/y;
    pattern.lastIndex = cursor.position;
    const name = pattern.exec(cursor.text)?.[1];
    if (name === undefined) pushText(parts, '$', true);
    else parts.push({ kind: 'variable', name, quoted, operator: '', operand: [] });
    cursor.position += 1 + (name?.length ?? 0);
  }
}

function readBackquoted(cursor: Cursor): Script {
  const pattern = /`((?:[^`\\]|\\[\s\S])*)`/y;
  pattern.lastIndex = cursor.position;
  const match = pattern.exec(cursor.text);
  if (match === null) {
    cursor.fail();
    return [];
  }
  cursor.position = pattern.lastIndex;
  const source = (match[1] ?? '').replace(/\\([`$\\])/g, '$1');
  return cursor.nested<Script>([], () => {
    const inner = new Cursor(source, cursor.parseNested);
    inner.depth = cursor.depth;
    const script = cursor.parseNested(inner, '');
    if (!inner.complete) cursor.complete = false;
    return script;
  });
}

function readBracedVariable(cursor: Cursor, quoted: boolean): WordPart {
  const end = closingBrace(cursor);
  const inner = cursor.text.slice(cursor.position + 2, end);
  if (end >= cursor.text.length) cursor.fail();
  else cursor.position = end + 1;
  const match = /^([#!]?)([A-Za-z_]\w*|[0-9]+|[@*#?$!-])(?:\[[^\]]*\])?([\s\S]*)$/.exec(inner);
  if (match === null) return { kind: 'variable', name: '', quoted, operator: '?', operand: [] };
  const [, prefix = '', name = '', rest = ''] = match;
  const operator = prefix !== '' ? prefix : (/^(:[-=+?]|##|%%|\/\/|\^\^|,,|[-=+?#%/^,:@])/.exec(rest)?.[0] ?? '');
  const operand = rest.slice(prefix === '' ? operator.length : 0);
  return { kind: 'variable', name, quoted, operator, operand: readOperand(operand, cursor) };
}

/** The operand of `${x:-…}` may hold quotes of its own. */
function readOperand(text: string, outer: Cursor): Word {
  const unquoted = text.replace(/^'([^']*)'$|^"([^"]*)"$/, '$1$2');
  return readQuotedText(unquoted, outer);
}

function closingBrace(cursor: Cursor): number {
  let depth = 0;
  for (let index = cursor.position + 1; index < cursor.text.length; index += 1) {
    const char = cursor.text.charAt(index);
    if (char === '\\') index += 1;
    else if (char === '{') depth += 1;
    else if (char === '}' && --depth === 0) return index;
  }
  return cursor.text.length;
}

/**
 * Finds where the parenthesis at `offset` from here closes, quotes respected.
 * `arithmetic`: both opening ones close side by side, as in `((…))`.
 */
export function balancedEnd(cursor: Cursor, offset: number): { end: number; arithmetic: boolean } | null {
  const stack: number[] = [];
  const closings = new Map<number, number>();
  const first = cursor.position + offset;
  for (let index = first; index < cursor.text.length; index += 1) {
    const char = cursor.text.charAt(index);
    if (char === '\\') index += 1;
    else if (char === "'" || char === '"') {
      const close = cursor.text.indexOf(char, index + 1);
      if (close < 0) return null;
      index = close;
    } else if (char === '(') stack.push(index);
    else if (char === ')') {
      const open = stack.pop() ?? first;
      closings.set(open, index);
      if (open === first) return { end: index + 1, arithmetic: closings.get(first + 1) === index - 1 };
    }
  }
  return null;
}

/** Skips a parenthesis with everything in it. */
export function skipBalanced(cursor: Cursor): void {
  const found = balancedEnd(cursor, 0);
  if (found === null) cursor.fail();
  else cursor.position = found.end;
}

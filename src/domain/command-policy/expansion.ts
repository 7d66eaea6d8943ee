import { expandBraces } from './braces.ts';
import { assign, isKnown, lookUp, unknownPiece, type Scope } from './scope.ts';
import type { Script, Word, WordPart } from './shell-syntax.ts';

/** What expanding needs from the one who walks the tree. */
export interface ExpansionHost {
  /** Texts a command substitution may print. */
  outputOf(script: Script, scope: Scope): string;
  /** A path that stands for `<(…)`. */
  processPath(script: Script, scope: Scope): string;
}

/** Marks where an unquoted expansion splits into words; no shell word can hold it. */
const split = '\u0000';
const maxCandidates = 16;

/** A value that grows beyond this is followed no further. */
const maxChars = 100_000;

function bounded(text: string): string {
  return text.length > maxChars ? unknownPiece : text;
}

type Fields = readonly string[];

/**
 * Every way the words may expand to arguments, most likely one first, capped.
 * A variable with one known value gives exactly one way.
 */
export function expandWords(words: readonly Word[], scope: Scope, host: ExpansionHost): readonly Fields[] {
  let ways: Fields[] = [[]];
  for (const word of words.flatMap(expandBraces)) {
    const candidates = expandWord(word, scope, host).map(toFields);
    ways = ways.flatMap((way) => candidates.map((fields) => [...way, ...fields])).slice(0, maxCandidates);
  }
  return ways;
}

function toFields(text: string): Fields {
  if (!text.includes(split)) return [text];
  return text.split(split).filter((field) => field !== '');
}

/** Every text one word may have where no splitting happens: assignments, redirect targets, here-documents. */
export function expandToTexts(word: Word, scope: Scope, host: ExpansionHost): readonly string[] {
  return expandWord(word, scope, host).map((text) => text.split(split).join(' ').trimStart());
}

function expandWord(word: Word, scope: Scope, host: ExpansionHost): string[] {
  // A word made only of unquoted expansions that are empty is no word at all.
  const vanishes = word.every((part) => part.kind === 'variable' && !part.quoted);
  let texts = [''];
  word.forEach((part, index) => {
    const values = expandPart(part, index === 0, scope, host);
    texts = texts.flatMap((text) => values.map((value) => bounded(text + value))).slice(0, maxCandidates);
  });
  return vanishes ? texts.map((text) => (text === '' ? split : text)) : texts;
}

function expandPart(part: WordPart, first: boolean, scope: Scope, host: ExpansionHost): readonly string[] {
  switch (part.kind) {
    case 'text':
      return [part.quoted || !first ? part.text : expandTilde(part.text, scope)];
    case 'arithmetic':
      // Only what its substitutions run matters; the number does not.
      expandToTexts(part.inner, scope, host);
      return ['1'];
    case 'process':
      return [host.processPath(part.script, scope)];
    case 'substitution':
      return [splitFields(host.outputOf(part.script, scope).replace(/\n+$/, ''), part.quoted)];
    case 'variable':
      return variableValues(part, scope, host).map((value) => splitFields(value, part.quoted));
  }
}

function splitFields(text: string, quoted: boolean): string {
  return quoted ? text : text.replace(/[ \t\n]+/g, split);
}

function expandTilde(text: string, scope: Scope): string {
  const match = /^~([a-z_][\w.-]*|\+)?(?=\/|$)/.exec(text);
  if (match === null) return text;
  const user = match[1];
  const home = user === undefined ? scope.home : user === '+' ? scope.cwd : user === 'root' ? '/root' : `/home/${user}`;
  return home + text.slice(match[0].length);
}

type Variable = Extract<WordPart, { kind: 'variable' }>;

function variableValues(part: Variable, scope: Scope, host: ExpansionHost): readonly string[] {
  const values = lookUp(scope, part.name);
  const operand = (): readonly string[] => expandToTexts(part.operand, scope, host);
  switch (part.operator) {
    case '':
    case '@':
      return values;
    case '!':
      return values.flatMap((value) => (/^\w+$/.test(value) ? lookUp(scope, value) : [unknownPiece]));
    case '#!':
      return [unknownPiece];
    case ':-':
    case '-':
    case ':=':
    case '=': {
      const known = values.filter((value) => value !== '' && value !== unknownPiece);
      const result = known.length > 0 ? known : operand();
      if (part.operator.endsWith('=')) assign(scope, part.name, result, true);
      return result;
    }
    case ':+':
    case '+':
      return [...operand(), ''];
    case ':?':
    case '?':
      return values;
    default: {
      const texts = operand();
      return values.flatMap((value) => texts.map((text) => transform(value, part.operator, text)));
    }
  }
}

/** Substring, trimming, replacing and case of a known value. */
function transform(value: string, operator: string, operand: string): string {
  if (!isKnown(value) || !isKnown(operand)) return unknownPiece;
  switch (operator) {
    case '#':
      // `${#x}`: a length; `${x#pattern}` has an operand.
      return operand === '' ? String(value.length) : trim(value, operand, 'start', false);
    case '##':
      return trim(value, operand, 'start', true);
    case '%':
      return trim(value, operand, 'end', false);
    case '%%':
      return trim(value, operand, 'end', true);
    case '^^':
      return value.toUpperCase();
    case ',,':
      return value.toLowerCase();
    case '^':
      return value.charAt(0).toUpperCase() + value.slice(1);
    case ',':
      return value.charAt(0).toLowerCase() + value.slice(1);
    case ':':
      return substring(value, operand);
    case '/':
    case '//':
      return replace(value, operand, operator === '//');
    default:
      return unknownPiece;
  }
}

function substring(value: string, operand: string): string {
  const match = /^\s*\(?(-?\d+)\)?\s*(?::\s*(-?\d+)\s*)?$/.exec(operand);
  if (match === null) return unknownPiece;
  const start = Number(match[1]);
  const from = start < 0 ? Math.max(value.length + start, 0) : start;
  if (match[2] === undefined) return value.slice(from);
  const length = Number(match[2]);
  return length < 0 ? value.slice(from, length) : value.slice(from, from + length);
}

function replace(value: string, operand: string, all: boolean): string {
  const slash = operand.indexOf('/');
  const pattern = slash < 0 ? operand : operand.slice(0, slash);
  const by = slash < 0 ? '' : operand.slice(slash + 1);
  if (/[*?[\\]/.test(pattern) || pattern === '') return pattern === '' ? value : unknownPiece;
  return all ? value.split(pattern).join(by) : value.replace(pattern, () => by);
}

/** Tries every cut, so a pattern costs no more than the length of the value. */
function trim(value: string, pattern: string, side: 'start' | 'end', longest: boolean): string {
  const matches = globMatcher(pattern);
  if (matches === null) return unknownPiece;
  const cuts = Array.from({ length: value.length + 1 }, (_, index) => index);
  const order = (side === 'start') === longest ? cuts.reverse() : cuts;
  for (const cut of order) {
    const piece = side === 'start' ? value.slice(0, cut) : value.slice(cut);
    if (matches(piece)) return side === 'start' ? value.slice(cut) : value.slice(0, cut);
  }
  return value;
}

function globMatcher(pattern: string): ((text: string) => boolean) | null {
  if (/[[\\]/.test(pattern) || (pattern.match(/\*/g)?.length ?? 0) > 2) return null;
  const source = pattern
    .replace(/[.+^${}()|/]/g, '\\$&')
    .replaceAll('*', '[\\s\\S]*')
    .replaceAll('?', '[\\s\\S]');
  const compiled = new RegExp(`^${source}$`);
  return (text) => compiled.test(text);
}

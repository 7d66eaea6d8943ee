import { balancedEnd, Cursor, readQuotedText, readWord, skipBalanced } from './shell-words.ts';
import type { Assignment, Command, Pipeline, Redirect, Script, SimpleCommand, Word, WordPart } from './shell-syntax.ts';

/** @returns what could be read; `complete` is false when the rest could not (a shell runs the lines before it all the same). */
export function parseShell(source: string): { readonly script: Script; readonly complete: boolean } {
  const cursor = new Cursor(source, parseNested);
  const script = parseScript(cursor, new Set());
  if (!cursor.ended) cursor.complete = false;
  return { script, complete: cursor.complete };
}

function parseNested(cursor: Cursor, close: string): Script {
  return cursor.nested<Script>([], () => {
    const script = parseScript(cursor, new Set([close]));
    if (close === '') return script;
    if (cursor.at(close)) cursor.position += close.length;
    else cursor.fail();
    return script;
  });
}

/** Parses until a stop word at a command's place, or the end; does not consume the stop. */
function parseScript(cursor: Cursor, stops: ReadonlySet<string>): Script {
  const pipelines: Pipeline[] = [];
  let conditional = false;
  for (;;) {
    skipBlank(cursor, true);
    if (cursor.ended || atStop(cursor, stops)) return pipelines;
    const before = cursor.position;
    const commands = parsePipeline(cursor);
    skipBlank(cursor, false);
    const background = cursor.char() === '&' && cursor.char(1) !== '&';
    if (commands.length > 0) pipelines.push({ commands, conditional, background });
    conditional = cursor.at('&&') || cursor.at('||');
    if (conditional) cursor.position += 2;
    else if (atStop(cursor, stops)) continue;
    else if (cursor.char() === ';' || cursor.char() === '&') cursor.position += 1;
    // A stray `)` or the like: step over it, or this would never end.
    else if (cursor.position === before) {
      cursor.complete = false;
      cursor.position += 1;
    }
  }
}

function atStop(cursor: Cursor, stops: ReadonlySet<string>): boolean {
  for (const stop of stops) {
    if (stop === '' || !cursor.at(stop)) continue;
    if (stop === ')' || stop === ';;' || isDelimiter(cursor.char(stop.length))) return true;
  }
  return false;
}

function isDelimiter(char: string): boolean {
  return char === '' || ' \t\n\r;&|<>()'.includes(char);
}

function skipBlank(cursor: Cursor, newlines: boolean): void {
  for (;;) {
    const char = cursor.char();
    if (char === ' ' || char === '\t' || char === '\r') cursor.position += 1;
    else if (char === '\\' && cursor.char(1) === '\n') cursor.position += 2;
    else if (char === '#' && isDelimiter(cursor.char(-1))) {
      const end = cursor.text.indexOf('\n', cursor.position);
      cursor.position = end < 0 ? cursor.text.length : end;
    } else if (char === '\n' && newlines) takeNewline(cursor);
    else return;
  }
}

function takeNewline(cursor: Cursor): void {
  cursor.position += 1;
  for (const heredoc of cursor.heredocs.splice(0)) {
    const lines: string[] = [];
    for (;;) {
      if (cursor.ended) {
        cursor.complete = false;
        break;
      }
      const end = cursor.text.indexOf('\n', cursor.position);
      const raw = cursor.text.slice(cursor.position, end < 0 ? undefined : end);
      cursor.position = end < 0 ? cursor.text.length : end + 1;
      const line = heredoc.stripTabs ? raw.replace(/^\t+/, '') : raw;
      if (line === heredoc.delimiter) break;
      lines.push(line);
    }
    const body = lines.map((line) => `${line}\n`).join('');
    heredoc.take(heredoc.literal ? [{ kind: 'text', text: body, quoted: true }] : readQuotedText(body, cursor));
  }
}

function parsePipeline(cursor: Cursor): Command[] {
  const commands: Command[] = [];
  for (;;) {
    skipBlank(cursor, commands.length > 0);
    while (takeKeyword(cursor, '!') || takeKeyword(cursor, 'time') || takeKeyword(cursor, 'coproc')) {
      skipBlank(cursor, false);
    }
    const command = parseCommand(cursor);
    if (command !== null) commands.push(command);
    skipBlank(cursor, false);
    if (cursor.char() !== '|' || cursor.char(1) === '|') return commands;
    cursor.position += cursor.char(1) === '&' ? 2 : 1;
  }
}

function takeKeyword(cursor: Cursor, word: string): boolean {
  if (!cursor.at(word) || !isDelimiter(cursor.char(word.length))) return false;
  cursor.position += word.length;
  return true;
}

function parseCommand(cursor: Cursor): Command | null {
  if (cursor.char() === '(') return parseParenthesis(cursor);
  if (takeKeyword(cursor, '{')) return group(cursor, [parseUntil(cursor, '}')], false);
  if (takeKeyword(cursor, 'if')) return parseIf(cursor);
  if (takeKeyword(cursor, 'while') || takeKeyword(cursor, 'until')) {
    return group(cursor, [parseUntil(cursor, 'do'), parseUntil(cursor, 'done')], true);
  }
  if (takeKeyword(cursor, 'for') || takeKeyword(cursor, 'select')) return parseFor(cursor);
  if (takeKeyword(cursor, 'case')) return parseCase(cursor);
  if (takeKeyword(cursor, 'function')) {
    skipBlank(cursor, false);
    return parseFunction(cursor, plainText(readWord(cursor) ?? []));
  }
  return parseSimple(cursor);
}

function parseUntil(cursor: Cursor, stop: string): Script {
  return cursor.nested<Script>([], () => {
    const script = parseScript(cursor, new Set([stop]));
    if (!takeKeyword(cursor, stop)) cursor.fail();
    return script;
  });
}

function parseParenthesis(cursor: Cursor): Command {
  const balanced = cursor.at('((') ? balancedEnd(cursor, 0) : null;
  if (balanced?.arithmetic === true) {
    const inner = readQuotedText(cursor.text.slice(cursor.position + 2, balanced.end - 2), cursor);
    cursor.position = balanced.end;
    return {
      kind: 'simple',
      assignments: [],
      words: [[{ kind: 'text', text: '((', quoted: true }], inner],
      redirects: [],
    };
  }
  cursor.position += 1;
  return group(cursor, [parseNested(cursor, ')')], false);
}

function group(cursor: Cursor, scripts: readonly Script[], conditional: boolean): Command {
  return { kind: 'group', scripts, conditional, redirects: parseRedirects(cursor) };
}

function parseIf(cursor: Cursor): Command {
  const scripts: Script[] = [];
  const stops = new Set(['then', 'elif', 'else', 'fi']);
  for (;;) {
    scripts.push(cursor.nested<Script>([], () => parseScript(cursor, stops)));
    if (takeKeyword(cursor, 'fi')) break;
    if (!takeKeyword(cursor, 'then') && !takeKeyword(cursor, 'elif') && !takeKeyword(cursor, 'else')) {
      cursor.fail();
      break;
    }
  }
  return group(cursor, scripts, true);
}

function parseFor(cursor: Cursor): Command {
  skipBlank(cursor, false);
  const items: Word[] = [];
  let variable = '';
  if (cursor.at('((')) skipBalanced(cursor);
  else variable = plainText(readWord(cursor) ?? []);
  skipBlank(cursor, true);
  if (takeKeyword(cursor, 'in')) {
    for (;;) {
      skipBlank(cursor, false);
      const word = readWord(cursor);
      if (word === null) break;
      items.push(word);
    }
  }
  skipSeparators(cursor);
  const braces = takeKeyword(cursor, '{');
  if (!braces && !takeKeyword(cursor, 'do')) cursor.fail();
  const body = parseUntil(cursor, braces ? '}' : 'done');
  return { kind: 'loop', variable, items, body, redirects: parseRedirects(cursor) };
}

function skipSeparators(cursor: Cursor): void {
  skipBlank(cursor, true);
  while (cursor.char() === ';') {
    cursor.position += 1;
    skipBlank(cursor, true);
  }
}

function parseCase(cursor: Cursor): Command {
  const scripts: Script[] = [];
  skipBlank(cursor, false);
  const subject = readWord(cursor) ?? [];
  scripts.push([{ commands: [wordsOnly([subject])], conditional: false, background: false }]);
  skipBlank(cursor, true);
  if (!takeKeyword(cursor, 'in')) cursor.fail();
  const stops = new Set([';;', ';&', 'esac']);
  for (;;) {
    skipBlank(cursor, true);
    if (cursor.ended) {
      cursor.fail();
      break;
    }
    if (takeKeyword(cursor, 'esac')) break;
    if (!skipPattern(cursor)) break;
    scripts.push(cursor.nested<Script>([], () => parseScript(cursor, stops)));
    for (const end of [';;&', ';;', ';&']) if (cursor.at(end)) cursor.position += end.length;
  }
  return group(cursor, scripts, true);
}

function skipPattern(cursor: Cursor): boolean {
  if (cursor.char() === '(') cursor.position += 1;
  while (cursor.char() !== ')') {
    skipBlank(cursor, true);
    if (cursor.char() === '|') cursor.position += 1;
    else if (cursor.char() !== ')' && readWord(cursor) === null) {
      cursor.fail();
      return false;
    }
  }
  cursor.position += 1;
  return true;
}

/** Words that are expanded but run nothing. */
function wordsOnly(words: readonly Word[]): SimpleCommand {
  return {
    kind: 'simple',
    assignments: [],
    words: [[{ kind: 'text', text: ':', quoted: true }], ...words],
    redirects: [],
  };
}

function parseFunction(cursor: Cursor, name: string): Command {
  skipBlank(cursor, false);
  const parentheses = /\(\s*\)/y;
  parentheses.lastIndex = cursor.position;
  if (parentheses.test(cursor.text)) cursor.position = parentheses.lastIndex;
  skipBlank(cursor, true);
  const body = cursor.nested<Command | null>(null, () => parseCommand(cursor));
  return {
    kind: 'function',
    name,
    body: body === null ? [] : [{ commands: [body], conditional: false, background: false }],
  };
}

function parseRedirects(cursor: Cursor): Redirect[] {
  const redirects: Redirect[] = [];
  for (;;) {
    skipBlank(cursor, false);
    if (!takeRedirect(cursor, redirects)) return redirects;
  }
}

const redirectPattern = /(?:\d+|\{\w+\})?(<<<|<<-|<<|<>|<&|>&|>\||>>|<(?!\()|>(?!\())|&>>|&>/y;

function takeRedirect(cursor: Cursor, redirects: Redirect[]): boolean {
  redirectPattern.lastIndex = cursor.position;
  const match = redirectPattern.exec(cursor.text);
  if (match === null) return false;
  cursor.position = redirectPattern.lastIndex;
  const operator = match[1] ?? match[0];
  skipBlank(cursor, false);
  const target = readWord(cursor) ?? [];
  if (operator !== '<<' && operator !== '<<-') {
    redirects.push({ operator, target, body: null });
    return true;
  }
  const index = redirects.push({ operator, target, body: null }) - 1;
  cursor.heredocs.push({
    delimiter: plainText(target),
    stripTabs: operator === '<<-',
    literal: target.some((part) => part.kind === 'text' && part.quoted),
    take: (body) => (redirects[index] = { operator, target, body }),
  });
  return true;
}

function parseSimple(cursor: Cursor): Command | null {
  const assignments: Assignment[] = [];
  const words: Word[] = [];
  const redirects: Redirect[] = [];
  const start = cursor.position;
  for (;;) {
    skipBlank(cursor, false);
    if (takeRedirect(cursor, redirects)) continue;
    const word = readWord(cursor);
    if (word === null) {
      if (cursor.char() === '(' && words.length === 1 && redirects.length === 0) {
        return parseFunction(cursor, plainText(words[0] ?? []));
      }
      break;
    }
    const assignment = words.length === 0 ? asAssignment(word, cursor) : null;
    if (assignment !== null) assignments.push(assignment);
    else if (words.length === 0 && plainText(word) === '[[') return readTest(cursor);
    else words.push(word);
  }
  return cursor.position === start ? null : { kind: 'simple', assignments, words, redirects };
}

function asAssignment(word: Word, cursor: Cursor): Assignment | null {
  const first = word[0];
  if (first?.kind !== 'text' || first.quoted) return null;
  const match = /^([A-Za-z_]\w*)(?:\[[^\]]*\])?(\+?)=/.exec(first.text);
  if (match === null) return null;
  const rest: WordPart = { kind: 'text', text: first.text.slice(match[0].length), quoted: false };
  const value: WordPart[] = [rest, ...word.slice(1)];
  if (cursor.char() === '(' && word.length === 1 && rest.text === '') value.push(...readArray(cursor));
  return { name: match[1] ?? '', value, append: match[2] === '+' };
}

/** `x=(a b)`: kept as one value with spaces, which is how it is used by `"${x[@]}"`. */
function readArray(cursor: Cursor): WordPart[] {
  const parts: WordPart[] = [];
  cursor.position += 1;
  for (;;) {
    skipBlank(cursor, true);
    if (cursor.char() === ')') break;
    const word = readWord(cursor);
    if (word === null) {
      cursor.fail();
      return parts;
    }
    if (parts.length > 0) parts.push({ kind: 'text', text: ' ', quoted: true });
    parts.push(...word);
  }
  cursor.position += 1;
  return parts;
}

/** `[[ … ]]`: operators mean something else in it; only its words can run anything. */
function readTest(cursor: Cursor): SimpleCommand {
  const words: Word[] = [];
  while (!cursor.ended) {
    skipBlank(cursor, true);
    const word = readWord(cursor);
    if (word === null) cursor.position += 1;
    else if (plainText(word) === ']]') return { ...wordsOnly(words), redirects: parseRedirects(cursor) };
    else words.push(word);
  }
  cursor.fail();
  return wordsOnly(words);
}

/** The literal text of a word; expansions count as nothing. */
function plainText(word: Word): string {
  return word.map((part) => (part.kind === 'text' ? part.text : '')).join('');
}

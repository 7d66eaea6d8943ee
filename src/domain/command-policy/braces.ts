import type { Word, WordPart } from './shell-syntax.ts';

/** A word with more alternatives is cut here; the rest would tell nothing new. */
const maxAlternatives = 64;

/** A longer word with braces counts as unknown. */
const maxTokens = 1_000;

/** One character of unquoted text, or any other part whole. */
type Token = string | WordPart;

function tokensOf(word: Word): Token[] {
  return word.flatMap((part): Token[] => (part.kind === 'text' && !part.quoted ? part.text.split('') : [part]));
}

function wordOf(tokens: readonly Token[]): Word {
  const parts: WordPart[] = [];
  for (const token of tokens) {
    const last = parts.at(-1);
    if (typeof token !== 'string') parts.push(token);
    else if (last?.kind === 'text' && !last.quoted) parts[parts.length - 1] = { ...last, text: last.text + token };
    else parts.push({ kind: 'text', text: token, quoted: false });
  }
  return parts;
}

/** `{a,b}` and `{1..3}` in a word, as the shell does before any other expansion. */
export function expandBraces(word: Word): readonly Word[] {
  if (!word.some((part) => part.kind === 'text' && !part.quoted && part.text.includes('{'))) return [word];
  const tokens = tokensOf(word);
  if (tokens.length > maxTokens) return [[{ kind: 'variable', name: '', quoted: false, operator: '', operand: [] }]];
  return expandTokens(tokens).slice(0, maxAlternatives).map(wordOf);
}

function expandTokens(tokens: readonly Token[]): Token[][] {
  for (let open = tokens.indexOf('{'); open >= 0; open = tokens.indexOf('{', open + 1)) {
    const found = alternativesAt(tokens, open);
    if (found === null) continue;
    const before = tokens.slice(0, open);
    const after = expandTokens(tokens.slice(found.end + 1));
    const results: Token[][] = [];
    for (const alternative of found.alternatives.flatMap(expandTokens)) {
      for (const rest of after) {
        if (results.length < maxAlternatives) results.push([...before, ...alternative, ...rest]);
      }
    }
    return results;
  }
  return [[...tokens]];
}

function alternativesAt(tokens: readonly Token[], open: number): { end: number; alternatives: Token[][] } | null {
  let depth = 0;
  let start = open + 1;
  const alternatives: Token[][] = [];
  for (let index = open; index < tokens.length; index += 1) {
    const token = tokens[index];
    if (token === '{') depth += 1;
    else if (token === ',' && depth === 1) {
      alternatives.push(tokens.slice(start, index));
      start = index + 1;
    } else if (token === '}' && --depth === 0) {
      const last = tokens.slice(start, index);
      if (alternatives.length > 0) return { end: index, alternatives: [...alternatives, last] };
      const range = rangeOf(last);
      return range === null ? null : { end: index, alternatives: range };
    }
  }
  return null;
}

function rangeOf(tokens: readonly Token[]): Token[][] | null {
  if (!tokens.every((token) => typeof token === 'string')) return null;
  const match = /^(?:(-?\d+)\.\.(-?\d+)|([A-Za-z])\.\.([A-Za-z]))$/.exec(tokens.join(''));
  if (match === null) return null;
  const letters = match[3] !== undefined;
  const from = letters ? match[3]?.charCodeAt(0) : Number(match[1]);
  const to = letters ? match[4]?.charCodeAt(0) : Number(match[2]);
  if (from === undefined || to === undefined) return null;
  const count = Math.min(Math.abs(to - from) + 1, maxAlternatives);
  const step = to >= from ? 1 : -1;
  return Array.from({ length: count }, (_, index) => {
    const value = from + index * step;
    return (letters ? String.fromCharCode(value) : String(value)).split('');
  });
}

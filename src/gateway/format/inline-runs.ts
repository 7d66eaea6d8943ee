import type { Token } from 'marked';
import { childrenOf } from '../../lib/markdown/inline.ts';
import { stripControls } from '../../lib/markdown/strip-controls.ts';
import type { Mark, Run } from './block.ts';

/** Turns marked's inline tokens into runs. Raw HTML is text. */
export function inlineRuns(tokens: readonly Token[], marks: readonly Mark[]): Run[] {
  return tokens.flatMap((token) => inlineRun(token, marks));
}

function inlineRun(token: Token, marks: readonly Mark[]): Run[] {
  const run = (text: string): Run[] => [{ text, marks, code: false, href: null }];
  switch (token.type) {
    case 'strong':
      return inlineRuns(childrenOf(token), withMark(marks, 'bold'));
    case 'em':
      return inlineRuns(childrenOf(token), withMark(marks, 'italic'));
    case 'del':
      return inlineRuns(childrenOf(token), withMark(marks, 'strike'));
    case 'codespan':
      return [{ text: textOf(token), marks: [], code: true, href: null }];
    case 'br':
      return run('\n');
    case 'link':
    case 'image':
      return link(token, marks);
    case 'html':
      return run(/^<br\s*\/?>$/i.test(token.raw.trim()) ? '\n' : token.raw);
    default:
      if (childrenOf(token).length > 0) return inlineRuns(childrenOf(token), marks);
      return run(decodeEntities(textOf(token)));
  }
}

function withMark(marks: readonly Mark[], mark: Mark): readonly Mark[] {
  return marks.includes(mark) ? marks : [...marks, mark];
}

/** Addresses chat platforms open. Others (scripts, files) are shown and lead nowhere. */
const openable = /^(?:https?:\/\/|mailto:|tel:)[^\s]+$/i;

function link(token: Token, marks: readonly Mark[]): Run[] {
  const href = decodeEntities('href' in token && typeof token.href === 'string' ? token.href : '').trim();
  const inner = inlineRuns(childrenOf(token), []);
  const words = inner.length > 0 ? inner.map((run) => run.text).join('') : decodeEntities(textOf(token));
  const label = words.replaceAll(/\s+/g, ' ').trim();
  if (openable.test(href)) return [{ text: label === '' ? href : label, marks, code: false, href: safeAddress(href) }];
  const shown = href === '' || href === label ? label : `${label} (${href})`;
  return [{ text: shown, marks, code: false, href: null }];
}

/** Percent-encodes what some dialect would read as a mark, so that one address fits all. */
function safeAddress(href: string): string {
  return href.replaceAll(/["'<>\\^`{|}()*~[\]]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}

function textOf(token: Token): string {
  return 'text' in token && typeof token.text === 'string' ? token.text : token.raw;
}

const named: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  hellip: '…',
  mdash: '—',
  ndash: '–',
  copy: '©',
};

/**
 * Once only: what an entity stands for is not read again. The parser has read the numeric ones already; what they hide of
 * control characters is taken out.
 */
function decodeEntities(text: string): string {
  const decoded = text.replaceAll(/&(\w{1,10});/g, (all, name: string) =>
    Object.hasOwn(named, name) ? (named[name] ?? all) : all,
  );
  return stripControls(decoded).replaceAll(/\p{Surrogate}/gu, '\ufffd');
}

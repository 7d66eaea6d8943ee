import type { Token } from 'marked';
import type { Span, Style } from './span.ts';
import { stripControls } from './strip-controls.ts';

/** Turns marked's inline tokens into spans. `plain`: marks that colour would show are kept as characters. */
export function inlineSpans(tokens: readonly Token[], styles: readonly Style[], plain: boolean): Span[] {
  return tokens.flatMap((token) => inlineSpan(token, styles, plain));
}

function inlineSpan(token: Token, styles: readonly Style[], plain: boolean): Span[] {
  const inner = (more: readonly Style[]): Span[] => inlineSpans(childrenOf(token), [...styles, ...more], plain);
  switch (token.type) {
    case 'strong':
      return inner(['bold']);
    case 'em':
      return inner(['italic']);
    case 'del':
      return plain ? [{ text: '~~', styles }, ...inner([]), { text: '~~', styles }] : inner(['strike']);
    case 'codespan':
      return [{ text: plain ? `\`${textOf(token)}\`` : textOf(token), styles: [...styles, 'code'] }];
    case 'br':
      return [{ text: '\n', styles }];
    case 'link':
      return linkSpans(token, inner(['link']), styles);
    case 'image':
      return [{ text: `[image: ${textOf(token)}] (${hrefOf(token)})`, styles: [...styles, 'dim'] }];
    case 'html':
      return [{ text: /^<br\s*\/?>$/i.test(token.raw.trim()) ? '\n' : token.raw, styles }];
    default:
      if (childrenOf(token).length > 0) return inner([]);
      return [{ text: decodeEntities(textOf(token)), styles }];
  }
}

/** Tokens inside a token; none for a leaf. */
export function childrenOf(token: Token): readonly Token[] {
  return 'tokens' in token && Array.isArray(token.tokens) ? token.tokens : [];
}

/** The address is always shown: a text that says one place and leads to another must not deceive. */
function linkSpans(token: Token, label: Span[], styles: readonly Style[]): Span[] {
  const href = hrefOf(token);
  const shown = label.map((span) => span.text).join('');
  if (href === '' || shown === href || `mailto:${shown}` === href || `http://${shown}` === href) return label;
  return [...label, { text: ' ', styles }, { text: `(${href})`, styles: [...styles, 'dim'] }];
}

/** The lexer decodes entities such as `&#27;`, so what could steer a terminal is taken out once more. */
function textOf(token: Token): string {
  return stripControls('text' in token && typeof token.text === 'string' ? token.text : token.raw);
}

function hrefOf(token: Token): string {
  return stripControls('href' in token && typeof token.href === 'string' ? token.href : '');
}

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  '#39': "'",
  nbsp: ' ',
};

function decodeEntities(text: string): string {
  return text.includes('&') ? text.replaceAll(/&(#?\w+);/g, (all, name: string) => entities[name] ?? all) : text;
}

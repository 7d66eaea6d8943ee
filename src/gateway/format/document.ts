import type { Token, Tokens } from 'marked';
import { childrenOf } from '../../lib/markdown/inline.ts';
import { tokensOf } from '../../lib/markdown/render.ts';
import { stripControls } from '../../lib/markdown/strip-controls.ts';
import { plainRun, type Block, type Run } from './block.ts';
import { isCostly } from './costly.ts';
import { inlineRuns } from './inline-runs.ts';
import { tableBlocks } from './table-blocks.ts';

/**
 * Reads Markdown (CommonMark with GFM tables, task lists and strikethrough) into a flat list of blocks. Control
 * characters, bidi overrides and lone surrogates are taken out or replaced. Never throws; what cannot be parsed in
 * reasonable time is plain text.
 *
 * @param tableWidth widest table, in cells, that becomes aligned code; wider ones become `column: value` lines.
 */
export function toDocument(markdown: string, tableWidth: number): Block[] {
  const source = stripControls(markdown).replaceAll(/\p{Surrogate}/gu, '\ufffd');
  if (isCostly(source)) return plainBlocks(source);
  try {
    return blocksOf(tokensOf(source), { tableWidth, indent: '' });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // nested beyond the stack
    return plainBlocks(source);
  }
}

function plainBlocks(source: string): Block[] {
  return [{ kind: 'text', runs: [plainRun(source)], quote: false, gap: 2 }];
}

interface Context {
  readonly tableWidth: number;
  /** In front of every line, inside of lists. */
  readonly indent: string;
}

/** Deeper lists stand no further right: a chat is narrow. */
const deepestIndent = 12;

function blocksOf(tokens: readonly Token[], context: Context): Block[] {
  return tokens.flatMap((token) => blockOf(token, context));
}

function blockOf(token: Token, context: Context): Block[] {
  switch (token.type) {
    case 'space':
    case 'def':
    case 'checkbox':
      return [];
    case 'heading':
      return text(inlineRuns(childrenOf(token), ['bold']), context);
    case 'code': {
      const { lang, text: code } = token as Tokens.Code;
      return [{ kind: 'code', language: languageOf(lang), text: code, gap: 2 }];
    }
    case 'blockquote':
      return quoted(blocksOf(childrenOf(token), context));
    case 'list':
      return list(token as Tokens.List, context);
    case 'table':
      return tableBlocks(token as Tokens.Table, context.tableWidth);
    case 'hr':
      return text([plainRun('———')], context);
    case 'html':
      return text([plainRun(token.raw.trim())], context);
    default:
      return text(inlineRuns(childrenOf(token).length > 0 ? childrenOf(token) : [token], []), context);
  }
}

function text(runs: readonly Run[], { indent }: Context): Block[] {
  const indented =
    indent === ''
      ? runs
      : [plainRun(indent), ...runs.map((run) => ({ ...run, text: run.text.replaceAll('\n', `\n${indent}`) }))];
  return [{ kind: 'text', runs: indented, quote: false, gap: 2 }];
}

/** Only what platforms take after a fence; everything else of the info string is no language. */
function languageOf(info: string | undefined): string {
  const word = (info ?? '').trim().split(/\s/)[0] ?? '';
  return /^[\w+#.-]{1,20}$/.test(word) ? word : '';
}

/** The texts of a quote are one block, so that it is shown as one. Quotes in quotes are one quote: platforms nest none. */
function quoted(blocks: readonly Block[]): Block[] {
  const result: Block[] = [];
  for (const block of blocks) {
    const last = result.at(-1);
    if (block.kind === 'text' && last?.kind === 'text') {
      const runs = [...last.runs, plainRun('\n'.repeat(block.gap)), ...block.runs];
      result[result.length - 1] = { ...last, runs };
    } else {
      result.push(block.kind === 'text' ? { ...block, quote: true } : block);
    }
  }
  return result;
}

function list(token: Tokens.List, context: Context): Block[] {
  const first = token.start === '' ? 1 : token.start;
  const inner: Context = { ...context, indent: `${context.indent}  `.slice(0, deepestIndent) };
  return token.items.flatMap((item, index) => {
    const bullet = token.ordered ? `${String(first + index)}. ` : '• ';
    const mark = item.task ? (item.checked === true ? '☑ ' : '☐ ') : bullet;
    const gap = token.loose || index === 0 ? 2 : 1;
    const blocks = blocksOf(item.tokens, inner).map((block, at): Block => ({
      ...block,
      gap: at === 0 ? gap : token.loose || block.kind === 'code' ? block.gap : 1,
    }));
    const lead = plainRun(context.indent + mark);
    const [head, ...rest] = blocks;
    if (head?.kind !== 'text' || head.quote) return [{ kind: 'text', runs: [lead], quote: false, gap }, ...blocks];
    return [{ ...head, runs: [lead, ...withoutIndent(head.runs, inner.indent)] }, ...rest];
  });
}

function withoutIndent(runs: readonly Run[], indent: string): readonly Run[] {
  return runs[0]?.text === indent ? runs.slice(1) : runs;
}

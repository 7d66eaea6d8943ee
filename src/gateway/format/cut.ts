import { plainRun, type Block, type Run } from './block.ts';

export interface CutBlock {
  readonly head: Block;
  readonly tail: Block;
}

/** Whether a block has more words than so many UTF-16 units; looks no further than it must. */
export function isLongerThan(block: Block, units: number): boolean {
  if (block.kind === 'code') return block.text.length > units;
  let length = 0;
  return block.runs.some((run) => (length += run.text.length) > units);
}

/** Words of a block as a person reads them; offsets count in it. */
function wordsOf(block: Block): string {
  return block.kind === 'code' ? block.text : block.runs.map((run) => run.text).join('');
}

/**
 * Cuts a block so that the written head fits. Prefers a line end, then the end of a sentence, then a space; a link is cut
 * only when it alone does not fit, a grapheme only when it is longer than everything.
 *
 * @param fits tells whether a head may stay; true for shorter ones when true for longer ones.
 * @param room most UTF-16 units that can fit.
 * @returns null when no head fits.
 */
export function cutBlock(block: Block, room: number, fits: (head: Block) => boolean): CutBlock | null {
  // The rest of a very long block need not be looked at for every part of it.
  const near = slice(block, 0, room + 2 * graphemeWindow);
  const words = wordsOf(near);
  const links = linksOf(near);
  const outside = (offset: number): number => links.find(([from, to]) => from < offset && offset < to)?.[0] ?? offset;
  const fitting = (offset: number): boolean => fits(slice(near, 0, offset));
  let low = 0;
  let high = Math.min(words.length - 1, room);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fitting(outside(middle))) low = middle;
    else high = middle - 1;
  }
  for (const wish of [niceOffset(words, low), graphemeOffset(words, low), codePointOffset(words, low)]) {
    const offset = outside(wish);
    if (offset > 0 && fitting(offset)) {
      return { head: slice(near, 0, offset), tail: trimmed(slice(block, offset, Infinity)) };
    }
  }
  return null;
}

/** A link that no message can hold becomes its words and its address. Null where there is none at the start. */
export function withoutFirstLink(block: Block): Block | null {
  if (block.kind === 'code') return null;
  const at = block.runs.findIndex((run) => run.text.trim() !== '');
  const link = block.runs[at];
  if (link === undefined || link.href === null) return null;
  const spelled = plainRun(link.text === link.href ? link.href : `${link.text} (${link.href})`);
  return { ...block, runs: [...block.runs.slice(0, at), spelled, ...block.runs.slice(at + 1)] };
}

function linksOf(block: Block): [number, number][] {
  if (block.kind === 'code') return [];
  const links: [number, number][] = [];
  let offset = 0;
  for (const run of block.runs) {
    if (run.href !== null) links.push([offset, offset + run.text.length]);
    offset += run.text.length;
  }
  return links;
}

function slice(block: Block, from: number, to: number): Block {
  if (block.kind === 'code') return { ...block, text: block.text.slice(from, to) };
  const runs: Run[] = [];
  let offset = 0;
  for (const run of block.runs) {
    const end = offset + run.text.length;
    if (from <= offset && end <= to) {
      runs.push(run);
    } else {
      const text = run.text.slice(Math.max(0, from - offset), Math.max(0, to - offset));
      if (text !== '') runs.push({ ...run, text });
    }
    offset = end;
    if (offset >= to) break;
  }
  return { ...block, runs };
}

/** Code keeps its indent: only the line end at the cut goes. */
function trimmed(block: Block): Block {
  if (block.kind === 'code') return { ...block, text: block.text.replace(/^\n/, '') };
  const at = block.runs.findIndex((run) => run.text.trim() !== '');
  const first = block.runs[at];
  if (first === undefined) return { ...block, runs: [] };
  return { ...block, runs: [{ ...first, text: first.text.trimStart() }, ...block.runs.slice(at + 1)] };
}

/** A cut should not leave more than this share of a message empty. */
const leastShare = 0.4;

function niceOffset(words: string, limit: number): number {
  const head = words.slice(0, limit + 1);
  const least = limit * leastShare;
  const line = head.lastIndexOf('\n');
  if (line >= least) return line;
  const sentence = lastMatch(head, /[.!?…:;。！？]["'”’)\]]*(?=\s)/gu);
  if (sentence >= least) return sentence;
  const space = lastMatch(head, /\S(?=\s)/gu);
  return space > 0 ? space : graphemeOffset(words, limit);
}

/** Where the last match ends; 0 without one. */
function lastMatch(text: string, pattern: RegExp): number {
  let end = 0;
  for (const match of text.matchAll(pattern)) end = match.index + match[0].length;
  return end;
}

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
/** How much around a place is looked at; a grapheme longer than that is cut. */
const graphemeWindow = 512;

function graphemeOffset(words: string, limit: number): number {
  const start = codePointOffset(words, Math.max(0, limit - graphemeWindow));
  const around = words.slice(start, limit + graphemeWindow);
  const index = segmenter.segment(around).containing(limit - start)?.index ?? limit - start;
  return start + index;
}

function codePointOffset(words: string, limit: number): number {
  return /[\ud800-\udbff]/.test(words.charAt(limit - 1)) && /[\udc00-\udfff]/.test(words.charAt(limit))
    ? limit - 1
    : limit;
}

import { stripControls } from './strip-controls.ts';
import { tokensOf } from './render.ts';

/** Beyond this an unfinished block is not parsed again with every piece; it is printed when it ends. */
const longestTail = 100_000;

/**
 * How much of a text that is still being written is in finished blocks, which no further text changes: everything before
 * the last block. Only whole lines count, since half a line may still become anything.
 *
 * @returns a length in characters of `text`, at the start of a line; 0 when nothing is finished yet.
 */
export function finishedLength(text: string): number {
  const lastLineFeed = text.lastIndexOf('\n');
  if (lastLineFeed < 0 || text.length > longestTail) return 0;
  // Stripping may shorten lines but keeps their number, so lines carry the place back to the text as it came.
  const clean = stripControls(text.slice(0, lastLineFeed + 1));
  const tokens = tokensOf(clean);
  let last = tokens.length - 1;
  while (last >= 0 && tokens[last]?.type === 'space') last -= 1;
  const before = tokens.slice(0, Math.max(0, last)).map((token) => token.raw);
  const prefix = before.join('');
  if (prefix === '' || !clean.startsWith(prefix) || !prefix.endsWith('\n')) return 0;
  return lengthOfLines(text, prefix.split('\n').length - 1);
}

function lengthOfLines(text: string, count: number): number {
  let at = 0;
  for (let line = 0; line < count; line += 1) at = text.indexOf('\n', at) + 1;
  return at;
}

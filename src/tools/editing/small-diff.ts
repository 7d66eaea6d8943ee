import { linesOf, type Place } from './locate.ts';

const contextLines = 2;
const maxHunks = 5;
const maxHunkLines = 60;

/** What changed, as a person reads it: a few lines around every place, at most a few places. */
export function smallDiff(before: string, places: readonly Place[]): string {
  const hunks = places.slice(0, maxHunks).map((place) => hunk(before, place));
  const more = places.length - hunks.length;
  return hunks.join('\n') + (more > 0 ? `\n[${String(more)} more places changed alike]` : '');
}

export function applyPlaces(text: string, places: readonly Place[]): string {
  let result = '';
  let at = 0;
  for (const place of places) {
    result += text.slice(at, place.start) + place.replacement;
    at = place.end;
  }
  return result + text.slice(at);
}

/** Number of the line a position is in, from 1. */
export function lineAt(text: string, position: number): number {
  let count = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < position; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}

function hunk(before: string, place: Place): string {
  const lines = linesOf(before);
  const first = lineAt(before, place.start) - 1;
  const last = lineAt(before, Math.max(place.end - (before[place.end - 1] === '\n' ? 1 : 0), place.start)) - 1;
  const start = lines[first]?.start ?? 0;
  const end = lines[last]?.end ?? before.length;
  const removed = lines.slice(first, last + 1).map((line) => line.text);
  const whole = before.slice(start, place.start) + place.replacement + before.slice(Math.min(place.end, end), end);
  const added = whole === '' ? [] : whole.replace(/\r?\n$/, '').split(/\r?\n/);
  let same = 0;
  while (same < removed.length && same < added.length && removed[same] === added[same]) same += 1;
  let sameEnd = 0;
  while (
    sameEnd < removed.length - same &&
    sameEnd < added.length - same &&
    removed[removed.length - 1 - sameEnd] === added[added.length - 1 - sameEnd]
  ) {
    sameEnd += 1;
  }
  const from = first + same;
  const to = last - sameEnd;
  const text = (line: { text: string } | undefined): string => ` ${line?.text ?? ''}`;
  return [
    `@@ line ${String(from + 1)} @@`,
    ...lines.slice(Math.max(from - contextLines, 0), from).map(text),
    ...shortened(removed.slice(same, removed.length - sameEnd).map((line) => `-${line}`)),
    ...shortened(added.slice(same, added.length - sameEnd).map((line) => `+${line}`)),
    ...lines.slice(to + 1, to + 1 + contextLines).map(text),
  ].join('\n');
}

function shortened(lines: readonly string[]): readonly string[] {
  if (lines.length <= maxHunkLines) return lines;
  return [...lines.slice(0, maxHunkLines), `[… ${String(lines.length - maxHunkLines)} more lines]`];
}

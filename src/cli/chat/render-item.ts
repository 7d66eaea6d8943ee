import { renderMarkdown } from '../../lib/markdown/render.ts';
import { paint, wrapSpans, type Span, type Style } from '../../lib/markdown/span.ts';
import { stripControls } from '../../lib/markdown/strip-controls.ts';
import { truncate } from '../../lib/markdown/width.ts';
import { duration } from '../format.ts';
import type { Ask, Item } from './item.ts';

export interface Look {
  readonly width: number;
  readonly colour: boolean;
}

/** Whether a blank line belongs between two printed things: small ones of a kind stand together. */
export function needsGap(before: Item | null, after: Item): boolean {
  if (before === null) return false;
  const small = (item: Item): boolean => item.kind === 'tool' || item.kind === 'notice';
  return !(small(before) && small(after)) && !(before.kind === 'user' && after.kind === 'notice');
}

/** The lines of one printed thing. Everything that comes from elsewhere is stripped of controls. Pure. */
export function renderItem(item: Item, look: Look): string[] {
  switch (item.kind) {
    case 'user':
      return userLines(item, look);
    case 'answer':
      return renderMarkdown(item.text, look);
    case 'tool':
      return [toolLine(item, look)];
    case 'notice':
      return wrapped(
        [span(item.tone === 'error' ? '✗ ' : '· ', markOf(item.tone)), span(item.text, ['dim'])],
        look,
        '  ',
      );
    case 'ask':
      return askLines(item.ask, look);
  }
}

function markOf(tone: 'info' | 'error'): Style[] {
  return tone === 'error' ? ['bold'] : ['dim'];
}

function userLines(item: Extract<Item, { kind: 'user' }>, look: Look): string[] {
  const note = [item.speaker, item.note].filter((one) => one !== null && one !== undefined && one !== '').join(', ');
  const spans = [span(item.text, ['bold']), ...(note === '' ? [] : [span(`  (${note})`, ['dim'])])];
  return wrapped([span('› ', ['dim']), ...spans], look, '  ');
}

const marks: Readonly<Record<string, string>> = { ok: '✓', uncertain: '?', cancelled: '■', denied: '⊘' };

function toolLine(item: Extract<Item, { kind: 'tool' }>, look: Look): string {
  const time = item.durationMs === null ? '' : ` ${duration(item.durationMs)}`;
  const failed = item.status === 'ok' ? '' : ` ${item.status}`;
  const end = failed + time;
  const mark = marks[item.status] ?? '✗';
  const what = truncate(oneLine(item.summary), Math.max(10, look.width - end.length - 4));
  const styles: Style[] = item.status === 'ok' ? ['dim'] : ['bold'];
  return paint([span(`  ${mark} `, styles), span(what, []), span(end, ['dim'])], look.colour);
}

function askLines(ask: Ask, look: Look): string[] {
  const title = wrapped([span('? ', ['bold']), span(ask.title, ['bold'])], look, '  ');
  const detail = ask.detail === '' ? [] : wrapped([span('  ', []), span(ask.detail, [])], look, '  ');
  const choices = ask.choices.flatMap((choice, index) =>
    wrapped([span(`  ${String(index + 1)}. `, ['dim']), span(choice, [])], look, '     '),
  );
  return [...title, ...detail, ...choices, ...wrapped([span(`  ${howToAnswer(ask)}`, ['dim'])], look, '  ')];
}

/** What the person may type while it waits. */
function howToAnswer(ask: Ask): string {
  if (ask.kind === 'question') {
    return ask.choices.length > 0 ? 'Type a number or your own words.' : 'Type your answer.';
  }
  if (ask.kind === 'budget') return 'Type y to go on, n to stop.';
  return 'Type y (once), c (for this conversation), a (always) or n (no). It waits as long as you like.';
}

function wrapped(spans: readonly Span[], look: Look, indent: string): string[] {
  const lines = wrapSpans(spans, look.width - indent.length);
  return lines.map((line, index) => (index === 0 ? '' : indent) + paint(line, look.colour));
}

export function span(text: string, styles: readonly Style[]): Span {
  return { text: stripControls(text), styles };
}

export function oneLine(text: string): string {
  return stripControls(text).replaceAll(/\s+/g, ' ').trim();
}

import { entitiesOf, type Entity, type Written } from './entities.ts';

const signs: Readonly<Record<string, string>> = { bold: '**', italic: '_', strikethrough: '~~', code: '`' };

/**
 * The text as Markdown, with the formatting the person gave it, without what is left out. Signs the person wrote are left
 * as they are: a model reads them, nothing renders them.
 */
export function writeMarkdown(written: Written, leftOut: readonly Entity[]): string {
  const { text } = written;
  // What is written at a place: ends before beginnings, inner ends before outer ones.
  const ends = new Map<number, string>();
  const starts = new Map<number, string>();
  const entities = [...entitiesOf(written)].sort((one, other) => one.start - other.start || other.end - one.end);
  for (const entity of entities) {
    const { open, close, start, end } = markedUp(entity, text);
    if (open === '' || start >= end) continue;
    starts.set(start, (starts.get(start) ?? '') + open);
    ends.set(end, close + (ends.get(end) ?? ''));
  }
  const gaps = leftOut.map((entity) => gapFor(entity, text));
  let result = '';
  let at = 0;
  const marks = [...starts.keys(), ...ends.keys(), ...gaps.flatMap(({ start, end }) => [start, end]), text.length];
  for (const place of [...new Set(marks)].sort((one, other) => one - other)) {
    if (!gaps.some(({ start, end }) => at >= start && at < end)) result += text.slice(at, place);
    result += (ends.get(place) ?? '') + (starts.get(place) ?? '');
    at = place;
  }
  if (gaps.length === 0) return result;
  // A comma or colon that followed the mention at the beginning goes with it.
  return (gaps.some(({ atStart }) => atStart) ? result.replace(/^[\s,:]+/, '') : result).trimEnd();
}

/** A part that is left out, with the blanks that would otherwise stand twice. */
function gapFor({ start, end }: Entity, text: string) {
  const before = text.slice(0, start);
  const blanks = /(^|\s)$/.test(before) ? (/^[ \t]*/.exec(text.slice(end))?.[0].length ?? 0) : 0;
  return { start, end: end + blanks, atStart: before.trim() === '' };
}

function markedUp(entity: Entity, text: string) {
  // Signs with blanks inside them would be no formatting.
  const part = text.slice(entity.start, entity.end);
  const start = entity.start + (part.length - part.trimStart().length);
  const end = entity.end - (part.length - part.trimEnd().length);
  const place = { start, end };
  if (entity.type === 'pre') return { ...place, open: `\`\`\`${entity.language ?? ''}\n`, close: '\n```' };
  if (entity.type === 'text_link' && entity.url !== null) return { ...place, open: '[', close: `](${entity.url})` };
  if (entity.type === 'blockquote' || entity.type === 'expandable_blockquote')
    return { ...place, open: '> ', close: '' };
  const sign = signs[entity.type] ?? '';
  return { ...place, open: sign, close: sign };
}

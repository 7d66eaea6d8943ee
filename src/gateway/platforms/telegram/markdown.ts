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
  let result = '';
  let at = 0;
  const places = [...new Set([...starts.keys(), ...ends.keys(), ...leftOut.flatMap(({ start, end }) => [start, end])])];
  for (const place of [...places.sort((one, other) => one - other), text.length]) {
    if (!leftOut.some(({ start, end }) => at >= start && at < end)) result += text.slice(at, place);
    result += (ends.get(place) ?? '') + (starts.get(place) ?? '');
    at = place;
  }
  return leftOut.length === 0 ? result : tidy(result);
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

/** After a mention was taken out: its blanks, and the comma or colon that followed it at the beginning. */
function tidy(text: string): string {
  return text
    .replace(/^[\s,:]+/, '')
    .replaceAll(/ {2,}/g, ' ')
    .trimEnd();
}

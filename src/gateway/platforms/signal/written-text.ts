import { fields, list, whole, words, type Fields } from '../json-fields.ts';

const marks: Readonly<Record<string, string>> = { BOLD: '**', ITALIC: '_', STRIKETHROUGH: '~~', MONOSPACE: '`' };
/** More than anybody writes; each is looked at once for every other. */
const mostRanges = 100;

interface Piece {
  readonly start: number;
  readonly end: number;
  write(covered: string): string;
}

/**
 * The text of a message as Markdown, mentions by name, those of the agent left out. Ranges are in UTF-16 units; what
 * overlaps an earlier range, or lies outside the text, is left as it is.
 */
export function writtenText(
  data: Fields,
  isSelf: (mention: Fields) => boolean,
): { readonly text: string; readonly mentioned: boolean } {
  const text = words(data['message']) ?? '';
  const mentions = list(data['mentions']).slice(0, mostRanges).map(fields);
  const pieces = [
    ...mentions.flatMap((mention) => {
      const shown = words(mention['name']) ?? words(mention['number']) ?? words(mention['uuid']) ?? '?';
      return pieceOf(mention, () => (isSelf(mention) ? '' : `@${shown.slice(0, 100)}`));
    }),
    ...list(data['textStyles'])
      .slice(0, mostRanges)
      .map(fields)
      .flatMap((style) => {
        const mark = marks[words(style['style']) ?? ''];
        return mark === undefined ? [] : pieceOf(style, (covered) => marked(covered, mark));
      }),
  ];
  return { text: written(text, pieces).trim(), mentioned: mentions.some(isSelf) };
}

function pieceOf(range: Fields, write: (covered: string) => string): readonly Piece[] {
  const start = whole(range['start']);
  const length = whole(range['length']);
  return start === null || length === null || length === 0 ? [] : [{ start, end: start + length, write }];
}

/** White space at the ends stays outside the marks: Markdown knows no others. */
function marked(covered: string, mark: string): string {
  const inner = covered.trim();
  if (inner === '' || inner.includes('\n')) return covered;
  const at = covered.indexOf(inner);
  return `${covered.slice(0, at)}${mark}${inner}${mark}${covered.slice(at + inner.length)}`;
}

function written(text: string, pieces: readonly Piece[]): string {
  let result = '';
  let at = 0;
  for (const piece of [...pieces].sort((one, other) => one.start - other.start)) {
    if (piece.start < at || piece.end > text.length) continue;
    result += text.slice(at, piece.start) + piece.write(text.slice(piece.start, piece.end));
    at = piece.end;
  }
  return result + text.slice(at);
}

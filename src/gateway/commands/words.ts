import type { ConversationRow } from '../../store/ports.ts';
import { Refusal } from '../refusal.ts';

/** Small forms that the commands' texts share. */

export function titleOf({ title, name }: Pick<ConversationRow, 'title' | 'name'>): string {
  return title === '' ? (name ?? '(untitled)') : title;
}

const characters = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** The first words as one line, never cut inside a character. */
export function firstWords(text: string, length: number): string {
  // No character is looked at that cannot be shown.
  const line = text
    .slice(0, length * 20)
    .replace(/\s+/g, ' ')
    .trim();
  const segments = Array.from(characters.segment(line), ({ segment }) => segment);
  if (segments.length <= length) return line;
  return `${segments
    .slice(0, length - 1)
    .join('')
    .trimEnd()}…`;
}

/** As a Markdown quote. */
export function quote(text: string): string {
  return `> ${text}`;
}

/** Rejects an empty argument. */
export function needed(args: string, usage: string): string {
  if (args === '') throw new Refusal('Api.Invalid', `Usage: ${usage}`);
  return args;
}

/** A number from 1 to `most`, `otherwise` where none is given. */
export function countOf(args: string, otherwise: number, most: number): number {
  if (args === '') return otherwise;
  const count = Number(args);
  if (Number.isInteger(count) && count >= 1 && count <= most) return count;
  throw new Refusal('Api.Invalid', `"${firstWords(args, 40)}" is no number from 1 to ${String(most)}.`);
}

/** The one of `words` that begins so. */
export function oneOf<W extends string>(words: readonly W[], given: string): W {
  const found = words.find((word) => given !== '' && word.startsWith(given.toLowerCase()));
  if (found !== undefined) return found;
  throw new Refusal('Api.Invalid', `"${firstWords(given, 40)}" is none of: ${words.join(', ')}.`);
}

import { oneLine } from '../../tools/text.ts';
import type { Member } from './burst.ts';

const longestQuote = 1_000;

/** What a turn says, in order: of each message the words it answers, its own, and its files. */
export function turnText(
  members: readonly { readonly member: Member; readonly files: readonly string[] }[],
  options: {
    /** Named in groups, where several people speak. */
    readonly speaker: string | null;
    readonly textOf: (text: string) => string;
    readonly quotes: boolean;
  },
): string {
  const said = members
    .map(({ member: { event }, files }) => ({
      quote: options.quotes ? quoteOf(event.quoted ?? '') : '',
      body: [options.textOf(event.text).trim(), ...files].filter((part) => part !== '').join('\n'),
    }))
    .filter(({ body }) => body !== '');
  return said
    .map(({ quote, body }, index) => {
      const named = index === 0 && options.speaker !== null ? `${options.speaker}: ${body}` : body;
      return quote === '' ? named : `${quote}\n\n${named}`;
    })
    .join('\n');
}

/** A name as it is kept and put in front of what is said: it cannot pass for a second speaker, nor steer a terminal. */
export function speakerName(name: string, fallback: string): string {
  return oneLine(name.replace(/[:\p{Cc}]/gu, ' '), 60) || fallback;
}

function quoteOf(text: string): string {
  const short = text.trim().slice(0, longestQuote);
  return short === '' ? '' : short.replace(/^/gm, '> ');
}

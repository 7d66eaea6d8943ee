const maxChars = 300;
/** Shorter overlaps between a vendor's words and a prompt are chance. */
const overlapChars = 16;
const mark = '…';

/**
 * A vendor's own words, fit to be shown and stored: at most 300 characters, without keys and without anything that stands
 * in the request. Vendors like to quote the offending message.
 */
export function redactWritten(
  words: string,
  never: { readonly secrets: readonly string[]; readonly written: readonly string[] },
): string {
  let text = plain(words);
  for (const secret of never.secrets) if (secret !== '') text = text.replaceAll(secret, mark);
  text = text
    .replace(/\b(sk|key|gsk|pk)-[\w*-]{4,}/gi, mark)
    .replace(/\bBearer\s+\S+/gi, mark)
    .replace(/[\w*+/=-]{32,}/g, mark);
  // Cut before the search below, whose cost is length times prompt.
  text = text.length > maxChars ? text.slice(0, maxChars) + mark : text;
  return withoutOverlap(text, never.written);
}

function withoutOverlap(text: string, written: readonly string[]): string {
  const hidden = new Set<number>();
  const hide = (from: number, length: number): void => {
    for (let at = from; at < from + length; at += 1) hidden.add(at);
  };
  for (const source of written) {
    const searched = plain(source);
    if (searched.length < 4) continue;
    const size = Math.min(overlapChars, searched.length);
    for (let at = 0; at + size <= text.length; at += 1) {
      if (searched.includes(text.slice(at, at + size))) hide(at, size);
    }
  }
  if (hidden.size === 0) return text;
  return [...text.split('').map((char, at) => (hidden.has(at) ? '\u0000' : char))].join('').replace(/\u0000+/g, mark);
}

/** One spelling for text and for text quoted inside JSON, also inside JSON in JSON. */
function plain(text: string): string {
  return text
    .replace(/\\+u([0-9a-f]{4})/gi, (_escape, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(/\\+[nrt]/g, ' ')
    .replace(/\\+(["'/])/g, '$1')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Gives a text in pieces from the start; ends with null. */
export type ChunkReader = () => Promise<Buffer | null>;

export interface LinePage {
  /** `12|text`, joined by newlines. */
  readonly text: string;
  /** Line number after the last shown one; null at the end of the text. */
  readonly nextLine: number | null;
  readonly shown: number;
  /** Number of the last line that was seen. */
  readonly seen: number;
}

export interface PageRequest {
  /** First line, from 1. */
  readonly firstLine: number;
  readonly limit: number;
  /** Characters of the page at most. */
  readonly maxChars: number;
  readonly maxLineChars: number;
  /** Long lines are split into several instead of being cut: for texts whose line numbers mean nothing. */
  readonly wrap: boolean;
}

/** One page of numbered lines. Reads only as far as it must; memory does not grow with the text. */
export async function readPage(next: ChunkReader, request: PageRequest): Promise<LinePage> {
  const page = new Page(request);
  const decoder = new TextDecoder('utf-8');
  let rest = '';
  for (;;) {
    const chunk = await next();
    rest += chunk === null ? decoder.decode() : decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = chunk === null ? '' : (lines.pop() ?? '');
    if (chunk === null && lines.at(-1) === '') lines.pop();
    for (const line of lines) if (!page.take(line)) return page.finish(false);
    if (chunk === null) return page.finish(true);
    // A line that is cut anyway need not be kept whole.
    if (!request.wrap && rest.length > maxPartialChars) rest = rest.slice(0, maxPartialChars);
    if (request.wrap && rest.length > maxPartialChars) {
      const whole = rest.length - (rest.length % request.maxLineChars);
      if (!page.take(rest.slice(0, whole))) return page.finish(false);
      rest = rest.slice(whole);
    }
  }
}

const maxPartialChars = 4 * 1024 * 1024;

class Page {
  private readonly request: PageRequest;
  private readonly lines: string[] = [];
  private chars = 0;
  private number = 0;

  constructor(request: PageRequest) {
    this.request = request;
  }

  /** @returns false when the page is full and this line (or the rest of it) is not on it. */
  take(line: string): boolean {
    const { maxLineChars, wrap } = this.request;
    if (!wrap || line.length <= maxLineChars) return this.takeOne(cut(line, maxLineChars));
    for (let at = 0; at < line.length; at += maxLineChars) {
      if (!this.takeOne(line.slice(at, at + maxLineChars))) return false;
    }
    return true;
  }

  private takeOne(line: string): boolean {
    const { firstLine, limit, maxChars } = this.request;
    if (this.number + 1 >= firstLine) {
      const full = this.lines.length >= limit || (this.lines.length > 0 && this.chars + line.length > maxChars);
      if (full) return false;
      const numbered = `${String(this.number + 1)}|${line.replace(/\r$/, '')}`;
      this.lines.push(numbered);
      this.chars += numbered.length + 1;
    }
    this.number += 1;
    return true;
  }

  finish(ended: boolean): LinePage {
    return {
      text: this.lines.join('\n'),
      nextLine: ended ? null : this.number + 1,
      shown: this.lines.length,
      seen: this.number,
    };
  }
}

function cut(line: string, max: number): string {
  if (line.length <= max) return line;
  return `${line.slice(0, max).replace(/[\uD800-\uDBFF]$/, '')} [… ${String(line.length - max)} more characters in this line]`;
}

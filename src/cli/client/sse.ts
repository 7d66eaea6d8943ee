/** One dispatched server-sent event. */
export interface SseEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string | null;
}

/**
 * Incremental parser of the event-stream format (WHATWG HTML, section 9.2). Feed it decoded text in any cuts; it calls
 * back once per complete event. Comments only show that the line is alive and are dropped.
 */
export class SseParser {
  private rest = '';
  private event = '';
  private data: string[] = [];
  private id: string | null = null;
  private sawFirst = false;
  private readonly onEvent: (event: SseEvent) => void;

  constructor(onEvent: (event: SseEvent) => void) {
    this.onEvent = onEvent;
  }

  push(text: string): void {
    let buffer = this.rest + text;
    if (!this.sawFirst && buffer !== '') {
      this.sawFirst = true;
      if (buffer.startsWith('\uFEFF')) buffer = buffer.slice(1);
    }
    let from = 0;
    for (;;) {
      const end = lineEnd(buffer, from);
      if (end === null) break;
      this.line(buffer.slice(from, end.at));
      from = end.next;
    }
    this.rest = buffer.slice(from);
  }

  private line(line: string): void {
    if (line === '') {
      this.dispatch();
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const raw = colon < 0 ? '' : line.slice(colon + 1);
    const value = raw.startsWith(' ') ? raw.slice(1) : raw;
    if (field === 'data') this.data.push(value);
    else if (field === 'event') this.event = value;
    else if (field === 'id') this.id = value;
  }

  private dispatch(): void {
    if (this.data.length > 0) {
      this.onEvent({ event: this.event === '' ? 'message' : this.event, data: this.data.join('\n'), id: this.id });
    }
    this.event = '';
    this.data = [];
  }
}

/** A carriage return at the very end may be half of CRLF, so it waits for the next piece. */
function lineEnd(text: string, from: number): { at: number; next: number } | null {
  for (let index = from; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === 10) return { at: index, next: index + 1 };
    if (code !== 13) continue;
    if (index + 1 === text.length) return null;
    return { at: index, next: text.charCodeAt(index + 1) === 10 ? index + 2 : index + 1 };
  }
  return null;
}

/** One server-sent event of the daemon. */
export interface StreamedEvent {
  /** Null from daemons that give none. */
  readonly id: string | null;
  readonly data: string;
}

/** Cuts a server-sent event stream into events, in time linear in its length however it is split into chunks. */
export class EventStreamReader {
  private readonly decoder = new TextDecoder();
  private line = '';
  private data: string | null = null;
  private id: string | null = null;

  /** @returns the events these bytes complete. */
  push(bytes: Uint8Array): readonly StreamedEvent[] {
    const events: StreamedEvent[] = [];
    const text = this.decoder.decode(bytes, { stream: true });
    let from = 0;
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', from)) {
      const line = (this.line + text.slice(from, at)).replace(/\r$/, '');
      this.line = '';
      from = at + 1;
      const event = this.take(line);
      if (event !== null) events.push(event);
    }
    this.line += text.slice(from);
    return events;
  }

  private take(line: string): StreamedEvent | null {
    if (line === '') {
      const { data, id } = this;
      this.data = null;
      return data === null ? null : { id, data };
    }
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') this.data = this.data === null ? value : `${this.data}\n${value}`;
    // An id holds for the events after it too, as the standard says.
    else if (field === 'id' && !value.includes('\0')) this.id = value === '' ? null : value;
    return null;
  }
}

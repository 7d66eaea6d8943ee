/** Cuts a server-sent event stream into its events, in time linear in its length however it is split into chunks. */
export interface SseParser {
  /** Calls `onEvent` for every event the bytes complete, before it returns. */
  push(bytes: Uint8Array): void;
  /** Hands over what stands there without its closing blank line, if anything, with `complete` false. */
  end(): void;
}

/** @param onEvent Gets the event's data lines, joined. Comments, names and ids are dropped: nobody here needs them. */
export function createSseParser(onEvent: (data: string, complete: boolean) => void): SseParser {
  const decoder = new TextDecoder();
  // Grows by `+=` only: V8 keeps that as a rope and copies it once, when the line is complete.
  let line = '';
  let data: string | null = null;

  const endLine = (complete: boolean): void => {
    const text = line.endsWith('\r') ? line.slice(0, -1) : line;
    line = '';
    if (text === '') {
      if (data === null) return;
      const event = data;
      data = null;
      onEvent(event, complete);
    } else if (text.startsWith('data:')) {
      const value = text.slice(text.startsWith('data: ') ? 6 : 5);
      data = data === null ? value : `${data}\n${value}`;
    }
  };

  const take = (text: string): void => {
    let from = 0;
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', from)) {
      line += text.slice(from, at);
      endLine(true);
      from = at + 1;
    }
    line += text.slice(from);
  };

  return {
    push: (bytes) => take(decoder.decode(bytes, { stream: true })),
    end() {
      take(decoder.decode());
      if (line !== '') endLine(false);
      endLine(false);
    },
  };
}

/** What signal-cli sends: words, and `start:length:STYLE` in UTF-16 units (parameter `textStyle`). */
export interface StyledText {
  readonly text: string;
  readonly styles: readonly string[];
}

const names: Readonly<Record<string, string>> = { '*': 'BOLD', _: 'ITALIC', '~': 'STRIKETHROUGH', '`': 'MONOSPACE' };

/**
 * Takes apart what `render` writes for the dialect `signal-styles`: `*`, `_`, `~` and `` ` `` switch bold, italic,
 * strikethrough and monospace on and off, a backslash makes the next character literal. Pure, linear, never throws; a
 * style left open reaches to the end.
 */
export function signalStyles(written: string): StyledText {
  const open = new Map<string, number>();
  const ranges: { start: number; length: number; name: string }[] = [];
  let text = '';
  const close = (name: string, start: number): void => {
    if (text.length > start) ranges.push({ start, length: text.length - start, name });
    open.delete(name);
  };
  for (let at = 0; at < written.length; at += 1) {
    const character = written.charAt(at);
    const name = names[character];
    if (character === '\\' && at + 1 < written.length) {
      at += 1;
      text += written.charAt(at);
    } else if (name === undefined) {
      text += character;
    } else {
      const start = open.get(name);
      if (start === undefined) open.set(name, text.length);
      else close(name, start);
    }
  }
  for (const [name, start] of [...open]) close(name, start);
  ranges.sort((one, other) => one.start - other.start || other.length - one.length);
  return { text, styles: ranges.map(({ start, length, name }) => `${start}:${length}:${name}`) };
}

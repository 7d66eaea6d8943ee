/** What a person did at the keyboard. `text` may be several characters (fast typing, an input method, an emoji). */
export type Key =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'paste'; readonly text: string }
  | { readonly kind: 'key'; readonly name: KeyName };

export type KeyName =
  | 'enter'
  | 'newline'
  | 'tab'
  | 'backtab'
  | 'escape'
  | 'backspace'
  | 'delete'
  | 'left'
  | 'right'
  | 'up'
  | 'down'
  | 'home'
  | 'end'
  | 'word-left'
  | 'word-right'
  | 'delete-word'
  | 'delete-word-right'
  | 'delete-to-start'
  | 'delete-to-end'
  | 'yank'
  | 'clear-screen'
  | 'interrupt'
  | 'end-of-input'
  | 'suspend'
  | 'unknown';

const controls: Readonly<Record<string, KeyName>> = {
  '\r': 'enter',
  '\n': 'newline',
  '\t': 'tab',
  '\u007f': 'backspace',
  '\b': 'backspace',
  '\u0001': 'home',
  '\u0002': 'left',
  '\u0003': 'interrupt',
  '\u0004': 'end-of-input',
  '\u0005': 'end',
  '\u0006': 'right',
  '\u000b': 'delete-to-end',
  '\u000c': 'clear-screen',
  '\u000e': 'down',
  '\u0010': 'up',
  '\u0015': 'delete-to-start',
  '\u0017': 'delete-word',
  '\u0019': 'yank',
  '\u001a': 'suspend',
};

/** By what follows ESC. Covers xterm, VT220, rxvt and the Linux console. */
const sequences: Readonly<Record<string, KeyName>> = {
  '[A': 'up',
  '[B': 'down',
  '[C': 'right',
  '[D': 'left',
  OA: 'up',
  OB: 'down',
  OC: 'right',
  OD: 'left',
  '[H': 'home',
  '[F': 'end',
  OH: 'home',
  OF: 'end',
  '[1~': 'home',
  '[4~': 'end',
  '[7~': 'home',
  '[8~': 'end',
  '[3~': 'delete',
  '[Z': 'backtab',
  '[1;5C': 'word-right',
  '[1;5D': 'word-left',
  '[1;3C': 'word-right',
  '[1;3D': 'word-left',
  '[13;2u': 'newline',
  '[27;2;13~': 'newline',
  b: 'word-left',
  f: 'word-right',
  d: 'delete-word-right',
  '\r': 'newline',
  '\n': 'newline',
  '\u007f': 'delete-word',
  '\b': 'delete-word',
};

const pasteStart = '\u001b[200~';
const pasteEnd = '\u001b[201~';

/**
 * Turns terminal input into keys, in whatever cuts it arrives. A sequence cut in two waits for its rest; a lone ESC is
 * only known to be the key when nothing follows, which `flush` says (call it some 50 ms after the last input).
 */
export class KeyDecoder {
  private rest = '';
  private paste: string | null = null;

  push(input: string): Key[] {
    this.rest += input;
    const keys: Key[] = [];
    for (;;) {
      const key = this.paste === null ? this.next() : this.inPaste();
      if (key === null) return keys;
      if (key !== 'again') keys.push(key);
    }
  }

  /** Nothing has followed for a while: what is left is what was pressed. */
  flush(): Key[] {
    if (this.paste !== null || this.rest === '') return [];
    const rest = this.rest;
    this.rest = '';
    return [{ kind: 'key', name: rest === '\u001b' ? 'escape' : 'unknown' }];
  }

  /** Whether something waits for `flush`. */
  get undecided(): boolean {
    return this.rest !== '' && this.paste === null;
  }

  private next(): Key | 'again' | null {
    const first = this.rest[0];
    if (first === undefined) return null;
    if (first === '\u001b') return this.escape();
    const control = controls[first];
    if (control !== undefined || first < ' ') return this.take(1, { kind: 'key', name: control ?? 'unknown' });
    const text = /^[^\u0000-\u001f\u007f]+/.exec(this.rest)?.[0] ?? first;
    return this.take(text.length, { kind: 'text', text });
  }

  private escape(): Key | 'again' | null {
    if (this.rest.startsWith(pasteStart)) {
      this.rest = this.rest.slice(pasteStart.length);
      this.paste = '';
      return 'again';
    }
    const after = this.rest.slice(1);
    const whole = /^(?:\[[0-?]*[ -/]*[@-~]|O[ -~]|[^[O\u001b])/.exec(after)?.[0];
    if (whole !== undefined) return this.take(whole.length + 1, { kind: 'key', name: sequences[whole] ?? 'unknown' });
    if (after.startsWith('\u001b')) return this.take(1, { kind: 'key', name: 'escape' });
    return null;
  }

  private inPaste(): Key | 'again' | null {
    const end = this.rest.indexOf(pasteEnd);
    if (end < 0) {
      // The end mark itself may be cut in two.
      const keep = Math.max(0, this.rest.length - pasteEnd.length + 1);
      this.paste = (this.paste ?? '') + this.rest.slice(0, keep);
      this.rest = this.rest.slice(keep);
      return null;
    }
    const text = (this.paste ?? '') + this.rest.slice(0, end);
    this.paste = null;
    return this.take(end + pasteEnd.length, { kind: 'paste', text });
  }

  private take(length: number, key: Key): Key {
    this.rest = this.rest.slice(length);
    return key;
  }
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layoutInput } from '../../../src/cli/chat/input-layout.ts';
import { KeyDecoder, type Key } from '../../../src/cli/chat/keys.ts';
import { edit, emptyEditor, type EditorState } from '../../../src/cli/chat/line-editor.ts';
import { textWidth } from '../../../src/lib/markdown/width.ts';

function decode(...pieces: string[]): Key[] {
  const decoder = new KeyDecoder();
  return pieces.flatMap((piece) => decoder.push(piece));
}

/** Types into an editor; `wishes` is what it asked for. */
function type(input: string, state: EditorState = emptyEditor()): { state: EditorState; wishes: string[] } {
  const wishes: string[] = [];
  for (const key of decode(input)) {
    const edited = edit(state, key);
    state = edited.state;
    if (edited.wish !== null)
      wishes.push(edited.wish.kind === 'submit' ? `submit ${edited.wish.text}` : edited.wish.kind);
  }
  return { state, wishes };
}

/** Text with the cursor as a bar. */
const shown = ({ text, cursor }: EditorState): string => `${text.slice(0, cursor)}|${text.slice(cursor)}`;

describe('KeyDecoder', () => {
  it('gives the same keys however the input is cut', () => {
    const input = 'ab\u001b[A\u001b[1;5Dé👍\r\u001b[200~x\r\ny\u001b[A\u001b[201~\u0003\u001bb\u001bOH\t';
    const join = (keys: Key[]): string =>
      keys
        .map((key) => (key.kind === 'key' ? `<${key.name}>` : key.kind === 'paste' ? `[${key.text}]` : key.text))
        .join('');
    const expected = 'ab<up><word-left>é👍<enter>[x\r\ny\u001b[A]<interrupt><word-left><home><tab>';
    expect(join(decode(input))).toBe(expected);
    fc.assert(
      fc.property(fc.array(fc.nat(input.length), { maxLength: 12 }), (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), input.length];
        const pieces = places.slice(1).map((end, index) => input.slice(places[index], end));
        expect(join(decode(...pieces))).toBe(expected);
      }),
    );
  });

  it('knows a lone escape only when nothing follows', () => {
    const decoder = new KeyDecoder();
    expect(decoder.push('\u001b')).toEqual([]);
    expect(decoder.undecided).toBe(true);
    expect(decoder.flush()).toEqual([{ kind: 'key', name: 'escape' }]);
    expect(decoder.undecided).toBe(false);
  });
});

describe('the line editor', () => {
  it('edits by character, word and line', () => {
    expect(shown(type('abc\u001b[D\u007fX').state)).toBe('aX|c');
    expect(shown(type('one two\u0017three').state)).toBe('one three|');
    expect(shown(type('one two\u0001\u000b').state)).toBe('|');
    expect(shown(type('one two\u0015\u0019!').state)).toBe('one two!|');
    expect(shown(type('one two\u001b[1;5D\u001b[3~').state)).toBe('one |wo');
  });

  it('moves over what a person sees as one character', () => {
    expect(shown(type('a👩‍👩‍👧\u001b[D').state)).toBe('a|👩‍👩‍👧');
    expect(shown(type('a👩‍👩‍👧\u007f').state)).toBe('a|');
    expect(shown(type('e\u0301\u007f').state)).toBe('|');
  });

  it('sends on enter, goes on after a backslash, and never sends what is empty', () => {
    expect(type('hi\r').wishes).toEqual(['submit hi']);
    expect(type('one\\\rtwo\r').wishes).toEqual(['submit one\ntwo']);
    expect(type('  \r\r').wishes).toEqual([]);
    expect(type('one\u001b\rtwo\r').wishes).toEqual(['submit one\ntwo']);
  });

  it('takes a paste as text, without its escape sequences', () => {
    const { state, wishes } = type('\u001b[200~a\r\nb\u001b[31mc\u001b[201~');
    expect([state.text, wishes]).toEqual(['a\nbc', []]);
  });

  it('walks lines first and history then, and gives the own line back', () => {
    const { state } = type('first\rsecond\r');
    expect(type('draft\u001b[A', state).state.text).toBe('second');
    expect(type('draft\u001b[A\u001b[A\u001b[A', state).state.text).toBe('first');
    expect(shown(type('draft\u001b[A\u001b[B', state).state)).toBe('draft|');
    expect(shown(type('\u001b[200~ab\ncd\u001b[201~\u001b[A!', state).state)).toBe('ab!|\ncd');
  });

  it('leaves on Ctrl-D only when nothing is typed', () => {
    expect(type('\u0004').wishes).toEqual(['leave']);
    expect(type('a\u0004').wishes).toEqual([]);
  });

  it('keeps the cursor inside the text between two characters, whatever is typed', () => {
    const keys = fc.array(
      fc.constantFrom(
        'a',
        ' ',
        '日',
        '👩‍👩‍👧',
        'e\u0301',
        '\u001b[A',
        '\u001b[B',
        '\u001b[C',
        '\u001b[D',
        '\u007f',
        '\u0017',
        '\u000b',
        '\u0019',
        '\\\r',
        '\r',
        '\u001b[H',
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(keys, fc.integer({ min: 4, max: 30 }), fc.integer({ min: 1, max: 8 }), (typed, width, height) => {
        const { state } = type(typed.join(''));
        expect(state.cursor).toBeGreaterThanOrEqual(0);
        expect(state.cursor).toBeLessThanOrEqual(state.text.length);
        const layout = layoutInput(state, width, height);
        expect(layout.rows.length).toBeLessThanOrEqual(height);
        expect(layout.cursorRow).toBeLessThan(layout.rows.length);
        expect(layout.cursorColumn).toBeLessThanOrEqual(width);
        for (const row of layout.rows) expect(textWidth(row)).toBeLessThanOrEqual(width);
      }),
    );
  });
});

import { stripControls } from '../../lib/markdown/strip-controls.ts';
import { clusters } from '../../lib/markdown/width.ts';
import type { Key, KeyName } from './keys.ts';

/** The input as it stands. `cursor` is an index into `text`, always between two characters a person sees. */
export interface EditorState {
  readonly text: string;
  readonly cursor: number;
  /** Oldest first. */
  readonly history: readonly string[];
  /** Place in the history that is shown; null: the person's own line. */
  readonly recalled: number | null;
  /** The own line while an old one is shown. */
  readonly draft: string;
  /** What was deleted last by word or line, for Ctrl-Y. */
  readonly killed: string;
}

/** What the person wants beyond editing. */
export type EditorWish =
  | { readonly kind: 'submit'; readonly text: string }
  | { readonly kind: 'complete'; readonly backwards: boolean }
  | { readonly kind: 'interrupt' | 'leave' | 'suspend' | 'clear-screen' };

export interface Edited {
  readonly state: EditorState;
  readonly wish: EditorWish | null;
}

export function emptyEditor(history: readonly string[] = []): EditorState {
  return { text: '', cursor: 0, history, recalled: null, draft: '', killed: '' };
}

/** One key, one new state. Pure. */
export function edit(state: EditorState, key: Key): Edited {
  if (key.kind === 'text') return change(insert(state, stripControls(key.text)));
  // Pasted line ends are part of the text and never send it.
  if (key.kind === 'paste') return change(insert(state, stripControls(key.text.replaceAll(/\r\n?/g, '\n'))));
  const edited = edits[key.name];
  if (edited !== undefined) return change(edited(state));
  return wishOf(state, key.name);
}

function change(state: EditorState): Edited {
  return { state, wish: null };
}

function wishOf(state: EditorState, name: KeyName): Edited {
  switch (name) {
    case 'enter':
      return enter(state);
    case 'tab':
    case 'backtab':
      return { state, wish: { kind: 'complete', backwards: name === 'backtab' } };
    case 'interrupt':
    case 'suspend':
    case 'clear-screen':
      return { state, wish: { kind: name } };
    case 'end-of-input':
      return state.text === ''
        ? { state, wish: { kind: 'leave' } }
        : change(deleteRange(state, state.cursor, right(state)));
    default:
      return change(state);
  }
}

/** A backslash at the end of the line goes on in the next one. */
function enter(state: EditorState): Edited {
  const before = state.text.slice(0, state.cursor);
  if (before.endsWith('\\')) return change(insert(deleteRange(state, state.cursor - 1, state.cursor), '\n'));
  if (state.text.trim() === '') return change({ ...emptyEditor(state.history), killed: state.killed });
  const history = state.history.at(-1) === state.text ? state.history : [...state.history, state.text];
  return { state: { ...emptyEditor(history), killed: state.killed }, wish: { kind: 'submit', text: state.text } };
}

const edits: Partial<Record<KeyName, (state: EditorState) => EditorState>> = {
  newline: (state) => insert(state, '\n'),
  backspace: (state) => deleteRange(state, left(state), state.cursor),
  delete: (state) => deleteRange(state, state.cursor, right(state)),
  left: (state) => ({ ...state, cursor: left(state) }),
  right: (state) => ({ ...state, cursor: right(state) }),
  home: (state) => ({ ...state, cursor: lineStart(state) }),
  end: (state) => ({ ...state, cursor: lineEnd(state) }),
  up,
  down,
  'word-left': (state) => ({ ...state, cursor: wordLeft(state) }),
  'word-right': (state) => ({ ...state, cursor: wordRight(state) }),
  'delete-word': (state) => kill(state, wordLeft(state), state.cursor),
  'delete-word-right': (state) => kill(state, state.cursor, wordRight(state)),
  'delete-to-start': (state) => kill(state, lineStart(state), state.cursor),
  'delete-to-end': (state) => kill(state, state.cursor, lineEnd(state)),
  yank: (state) => insert(state, state.killed),
};

/** Replaces the whole line, as completion and recalling do; the cursor goes to its end. */
export function replaceText(state: EditorState, text: string): EditorState {
  return { ...state, text, cursor: text.length };
}

function insert(state: EditorState, text: string): EditorState {
  const { cursor } = state;
  return {
    ...state,
    text: state.text.slice(0, cursor) + text + state.text.slice(cursor),
    cursor: cursor + text.length,
  };
}

function deleteRange(state: EditorState, from: number, to: number): EditorState {
  return { ...state, text: state.text.slice(0, from) + state.text.slice(to), cursor: from };
}

function kill(state: EditorState, from: number, to: number): EditorState {
  return from === to ? state : { ...deleteRange(state, from, to), killed: state.text.slice(from, to) };
}

function left(state: EditorState): number {
  let last = 0;
  for (const { cluster } of clusters(state.text.slice(0, state.cursor))) last = cluster.length;
  return state.cursor - last;
}

function right(state: EditorState): number {
  for (const { cluster } of clusters(state.text.slice(state.cursor))) return state.cursor + cluster.length;
  return state.cursor;
}

function lineStart(state: EditorState): number {
  return state.text.lastIndexOf('\n', state.cursor - 1) + 1;
}

function lineEnd(state: EditorState): number {
  const end = state.text.indexOf('\n', state.cursor);
  return end < 0 ? state.text.length : end;
}

function wordLeft(state: EditorState): number {
  return state.text.slice(0, state.cursor).replace(/[\p{L}\p{N}_]+[^\p{L}\p{N}_]*$|[^\p{L}\p{N}_]+$/u, '').length;
}

function wordRight(state: EditorState): number {
  const passed = /^[^\p{L}\p{N}_]*[\p{L}\p{N}_]*/u.exec(state.text.slice(state.cursor))?.[0] ?? '';
  return state.cursor + passed.length;
}

/** Within several lines first, then into the history. */
function up(state: EditorState): EditorState {
  const start = lineStart(state);
  if (start > 0) {
    const above = state.text.lastIndexOf('\n', start - 2) + 1;
    return { ...state, cursor: Math.min(above + state.cursor - start, start - 1) };
  }
  return recall(state, (state.recalled ?? state.history.length) - 1);
}

function down(state: EditorState): EditorState {
  const end = lineEnd(state);
  if (end < state.text.length) {
    const below = state.text.indexOf('\n', end + 1);
    const column = state.cursor - lineStart(state);
    return { ...state, cursor: Math.min(end + 1 + column, below < 0 ? state.text.length : below) };
  }
  return state.recalled === null ? state : recall(state, state.recalled + 1);
}

function recall(state: EditorState, index: number): EditorState {
  if (index < 0) return state;
  const draft = state.recalled === null ? state.text : state.draft;
  if (index >= state.history.length) {
    return state.recalled === null ? state : { ...replaceText(state, draft), recalled: null, draft: '' };
  }
  return { ...replaceText(state, state.history[index] ?? ''), recalled: index, draft };
}

export type Channel = 'answer' | 'reasoning';

/** Tells reasoning that a model writes into its answer from the answer itself. */
export interface ThinkSplitter {
  readonly push: (text: string) => void;
  /** Hands over what was held back. An unclosed block stays reasoning. */
  readonly end: () => void;
}

const names = ['think', 'thinking'] as const;

/**
 * Takes `<think>…</think>` and `<thinking>…</thinking>` for reasoning where they stand before the answer's first word; later
 * on they are text, since an answer may well talk about such tags. Holds back only what may still become a tag.
 */
export function createThinkSplitter(emit: (channel: Channel, text: string) => void): ThinkSplitter {
  let state: 'before' | 'inside' | 'after' = 'before';
  let held = '';
  let closing = '';
  let seenBlock = false;

  const send = (channel: Channel, text: string): void => {
    if (text !== '') emit(channel, text);
  };

  // Both steps say whether the other one has to go on.
  const before = (): boolean => {
    const start = held.trimStart();
    const lower = start.slice(0, 12).toLowerCase();
    const name = names.find((candidate) => lower.startsWith(`<${candidate}>`));
    if (name !== undefined) {
      held = start.slice(name.length + 2);
      closing = `</${name}>`;
      state = 'inside';
      return true;
    }
    if (names.some((candidate) => `<${candidate}>`.startsWith(lower))) return false;
    state = 'after';
    send('answer', seenBlock ? start : held);
    held = '';
    return false;
  };

  const inside = (): boolean => {
    const at = held.toLowerCase().indexOf(closing);
    if (at === -1) {
      const keep = partialTail(held.toLowerCase(), closing);
      send('reasoning', held.slice(0, held.length - keep));
      held = held.slice(held.length - keep);
      return false;
    }
    send('reasoning', held.slice(0, at));
    held = held.slice(at + closing.length);
    state = 'before';
    seenBlock = true;
    return true;
  };

  return {
    push(text) {
      if (state === 'after') {
        send('answer', text);
        return;
      }
      held += text;
      while (state === 'inside' ? inside() : before());
    },
    end() {
      send(state === 'inside' ? 'reasoning' : 'answer', seenBlock && state === 'before' ? held.trimStart() : held);
      held = '';
    },
  };
}

/** Length of the longest end of `text` that is a beginning of `tag`. */
function partialTail(text: string, tag: string): number {
  for (let length = Math.min(text.length, tag.length - 1); length > 0; length -= 1) {
    if (text.endsWith(tag.slice(0, length))) return length;
  }
  return 0;
}

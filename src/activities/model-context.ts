import type { MessageRow } from '../store/ports.ts';
import type { ModelMessage } from '../models/provider.ts';

/** Characters per token, on the safe side for most languages. */
const charsPerToken = 3.5;
/** Share of the model's context that messages may fill, and what is kept when they outgrow it. */
const fillShare = 0.6;
const keepShare = 0.5;
/** A larger context is not filled just because it is there: every call pays for it. */
const maxWindowTokens = 100_000;

/** What the window may hold, in characters. */
export function windowChars(contextTokens: number): number {
  return Math.floor(Math.min(contextTokens * fillShare, maxWindowTokens) * charsPerToken);
}

/**
 * Chooses the first turn the model sees. Moves in big steps, so that the prompt's beginning stays the same for many
 * turns and the provider's cache holds.
 *
 * @param sizes Characters per turn from the current window's first turn on, ascending; the last one is the turn in
 * progress and always stays.
 */
export function chooseWindow(
  sizes: readonly { readonly turn: number; readonly chars: number }[],
  currentFrom: number,
  maxChars: number,
): number {
  const total = sizes.reduce((sum, one) => sum + one.chars, 0);
  if (total <= maxChars) return currentFrom;
  let kept = 0;
  let from = sizes.at(-1)?.turn ?? currentFrom;
  for (const { turn, chars } of [...sizes].reverse()) {
    if (kept > 0 && kept + chars > maxChars * keepShare) break;
    kept += chars;
    from = turn;
  }
  return from;
}

/** Characters of each turn's messages, ascending. */
export function turnSizes(rows: readonly MessageRow[]): readonly { readonly turn: number; readonly chars: number }[] {
  const sizes = new Map<number, number>();
  for (const row of rows) {
    const calls = row.toolCalls.reduce((sum, call) => sum + call.argumentsText.length, 0);
    sizes.set(row.turn, (sizes.get(row.turn) ?? 0) + row.text.length + calls);
  }
  return [...sizes].map(([turn, chars]) => ({ turn, chars }));
}

/**
 * The transcript as a model wants it: every tool call of an assistant message answered, in order, before anything else
 * follows.
 */
export function toModelMessages(rows: readonly MessageRow[]): readonly ModelMessage[] {
  const messages: ModelMessage[] = [];
  const answered = new Set(rows.filter((row) => row.role === 'tool').map((row) => row.toolCallId));
  for (const row of rows) {
    switch (row.role) {
      case 'user':
        messages.push({ role: 'user', text: row.text });
        break;
      case 'notice':
        messages.push({ role: 'user', text: `[note of the system: ${row.text}]` });
        break;
      case 'assistant':
        messages.push({
          role: 'assistant',
          text: row.text,
          toolCalls: row.toolCalls.filter((call) => answered.has(call.id)),
        });
        break;
      case 'tool':
        messages.push({ role: 'tool', callId: row.toolCallId ?? '', name: row.toolName ?? '', text: row.text });
    }
  }
  return messages.filter((one) => one.role !== 'assistant' || one.text !== '' || one.toolCalls.length > 0);
}

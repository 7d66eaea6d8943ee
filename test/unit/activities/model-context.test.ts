import { describe, expect, it } from 'vitest';
import { chooseWindow, toModelMessages, windowChars } from '../../../src/activities/model-context.ts';
import type { MessageRow } from '../../../src/store/ports.ts';

const row = (part: Partial<MessageRow>): MessageRow => ({
  id: 1,
  conversationId: 'main',
  turn: 1,
  step: 1,
  slot: 0,
  role: 'user',
  text: '',
  reasoning: null,
  toolCalls: [],
  toolCallId: null,
  toolName: null,
  toolStatus: null,
  inboundId: null,
  speaker: 'owner',
  createdAt: '2026-11-22T10:00:00.000Z',
  ...part,
});

describe('the window', () => {
  const sizes = (count: number, chars: number) =>
    Array.from({ length: count }, (_, index) => ({ turn: index + 1, chars }));

  it('stays where it is while everything fits', () => {
    expect(chooseWindow(sizes(10, 100), 1, 1000)).toBe(1);
  });

  it('moves in one big step when it overflows, and then stays for long', () => {
    const from = chooseWindow(sizes(11, 100), 1, 1000);
    expect(from).toBe(7);
    const later = sizes(15, 100).filter((one) => one.turn >= from);
    expect(chooseWindow(later, from, 1000)).toBe(from);
  });

  it('keeps the turn in progress however large it is', () => {
    expect(
      chooseWindow(
        [
          { turn: 4, chars: 10 },
          { turn: 5, chars: 10_000 },
        ],
        4,
        1000,
      ),
    ).toBe(5);
  });

  it('does not fill a huge context just because it is there', () => {
    expect(windowChars(2_000_000)).toBe(windowChars(1_000_000));
    expect(windowChars(8_000)).toBeLessThan(20_000);
  });
});

describe('the transcript for a model', () => {
  it('drops tool calls that have no result', () => {
    const messages = toModelMessages([
      row({ role: 'assistant', text: 'x', toolCalls: [{ id: 'c1', name: 'a', argumentsText: '{}' }] }),
    ]);
    expect(messages).toEqual([{ role: 'assistant', text: 'x', toolCalls: [] }]);
  });

  it('keeps calls and results together', () => {
    const call = { id: 'c1', name: 'a', argumentsText: '{}' };
    const messages = toModelMessages([
      row({ role: 'assistant', toolCalls: [call] }),
      row({ role: 'tool', toolCallId: 'c1', toolName: 'a', text: 'done' }),
    ]);
    expect(messages).toEqual([
      { role: 'assistant', text: '', toolCalls: [call] },
      { role: 'tool', callId: 'c1', name: 'a', text: 'done' },
    ]);
  });

  it('marks notices as the words of the system', () => {
    expect(toModelMessages([row({ role: 'notice', text: 'Stopped.' })])).toEqual([
      { role: 'user', text: '[note of the system: Stopped.]' },
    ]);
  });
});

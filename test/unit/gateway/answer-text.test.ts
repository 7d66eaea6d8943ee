import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StreamEvent } from '../../../src/contracts/stream.ts';
import { AnswerText, type TextPiece } from '../../../src/gateway/api/v1/answer-text.ts';

const at = { conversationId: 'c', turn: 1 };
const delta = (text: string, seq: number, more: { step?: number; attempt?: number } = {}): StreamEvent => ({
  ...at,
  kind: 'delta',
  step: 1,
  attempt: 1,
  channel: 'answer',
  ...more,
  seq,
  text,
});
const tool = (step: number): StreamEvent => ({
  ...at,
  kind: 'tool-started',
  step,
  callKey: 'k',
  name: 'n',
  summary: 's',
});

function shown(pieces: readonly TextPiece[]): string {
  return pieces
    .map((piece) => (piece.kind === 'text' ? piece.text : piece.kind === 'restart' ? '<restart>' : '<part>'))
    .join('');
}
function play(events: readonly StreamEvent[], answer: string): string {
  const text = new AnswerText();
  return shown([...events.flatMap((event) => text.take(event)), ...text.finish(answer)]);
}

describe('the live text of an answer', () => {
  it('goes out piece by piece', () => {
    expect(play([delta('Hel', 0), delta('lo', 1)], 'Hello')).toBe('Hello');
  });
  it('comes at the end when nothing was live', () => {
    expect(play([], 'Hello')).toBe('Hello');
  });
  it('fills in what was lost in between', () => {
    expect(play([delta('Once ', 0), delta('a ', 2), delta('time', 3)], 'Once upon a time')).toBe('Once upon a time');
  });
  it('holds back what begins in the middle', () => {
    expect(play([delta('upon ', 1)], 'Once upon')).toBe('Once upon');
  });
  it('shows a delta that came twice once', () => {
    expect(play([delta('a', 0), delta('b', 1), delta('b', 1)], 'ab')).toBe('ab');
  });
  it('goes on where a second attempt says the same', () => {
    const second = { attempt: 2 };
    expect(
      play([delta('Once upon', 0), delta('Once ', 0, second), delta('upon a time', 1, second)], 'Once upon a time'),
    ).toBe('Once upon a time');
  });
  it('says that it starts again where a second attempt says something else', () => {
    const second = { attempt: 2 };
    expect(play([delta('Once', 0), delta('There was', 0, second)], 'There was')).toBe('Once<restart>There was');
    expect(
      play([delta('Once', 0), { ...at, kind: 'step-started', step: 1, attempt: 2, model: 'm' }], 'There was'),
    ).toBe('Once<restart>There was');
  });
  it('ignores a straggler of an earlier attempt', () => {
    expect(play([delta('a', 0, { attempt: 2 }), delta('x', 1), delta('b', 1, { attempt: 2 })], 'ab')).toBe('ab');
  });
  it('keeps the words of different steps apart', () => {
    expect(play([delta('Let me look.', 0), tool(1), delta('It is 4.', 0, { step: 2 })], 'It is 4.')).toBe(
      'Let me look.<part>It is 4.',
    );
    expect(play([delta('Let me look.', 0), tool(1)], 'It is 4.')).toBe('Let me look.<part>It is 4.');
  });
  it('takes a folded beginning and goes on from there', () => {
    const text = new AnswerText();
    const pieces = [
      ...text.take(delta('Once upon ', 7), true),
      ...text.take(delta('a time', 8)),
      ...text.finish('Once upon a time'),
    ];
    expect(shown(pieces)).toBe('Once upon a time');
  });

  it('is the answer in the end, whichever deltas get lost', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 12 }),
        fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
        (words, lost) => {
          const events = words.map((word, seq) => delta(word, seq)).filter((_, index) => lost[index] !== true);
          expect(play(events, words.join(''))).toBe(words.join(''));
        },
      ),
    );
  });
});

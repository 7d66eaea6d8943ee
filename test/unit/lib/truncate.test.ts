import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { truncateMiddle } from '../../../src/lib/truncate.ts';

/** Half a surrogate pair does not survive UTF-8. */
const isWellFormed = (text: string): boolean => Buffer.from(text, 'utf8').toString('utf8') === text;

describe('truncateMiddle', () => {
  it('leaves a text alone that fits exactly', () => {
    expect(truncateMiddle('abc', { maxChars: 3 })).toEqual({ text: 'abc', truncated: false, omittedChars: 0 });
  });

  it('keeps whole lines of head and tail, more of the tail, and says how to read the rest', () => {
    const lines = Array.from({ length: 1_000 }, (_, index) => `line ${String(index).padStart(4, '0')}`);
    const { text, omittedChars } = truncateMiddle(lines.join('\n'), { maxChars: 1_500, readWith: 'read_file blob:x' });
    const kept = text.split('\n');
    const notice = kept.findIndex((line) => line.startsWith('[…'));
    expect(kept.slice(0, notice)).toEqual(lines.slice(0, notice));
    const tail = kept.slice(notice + 1);
    expect(tail).toEqual(lines.slice(-tail.length));
    expect(tail.length).toBeGreaterThan(notice);
    expect(kept[notice]).toBe(
      `[… ${String(omittedChars)} characters (${String(1_000 - notice - tail.length)} lines) left out here; read all of it with read_file blob:x …]`,
    );
  });

  it('cuts one endless line between code points', () => {
    const { text } = truncateMiddle('😀'.repeat(5_000), { maxChars: 1_001 });
    expect(isWellFormed(text)).toBe(true);
    expect(text.startsWith('😀')).toBe(true);
    expect(text.endsWith('😀')).toBe(true);
  });

  it('never exceeds its limit, never breaks a code point and accounts for every character', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', '\n', '😀', 'é'), maxLength: 3_000 });
    fc.assert(
      fc.property(texts, fc.integer({ min: 300, max: 2_000 }), (text, maxChars) => {
        const result = truncateMiddle(text, { maxChars });
        expect(result.text.length).toBeLessThanOrEqual(maxChars);
        expect(isWellFormed(result.text)).toBe(true);
        if (!result.truncated) return;
        const [head = '', tail = ''] = result.text.split(/\n?\[… [^\]]* …\]\n/);
        expect(text.startsWith(head)).toBe(true);
        expect(text.endsWith(tail)).toBe(true);
        const kept = text.length - result.omittedChars;
        expect(kept - head.length - tail.length).toBeLessThanOrEqual(1);
      }),
    );
  });
});

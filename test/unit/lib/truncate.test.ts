import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { truncateMiddle } from '../../../src/lib/truncate.ts';

/** Half a surrogate pair does not survive UTF-8. */
const isWellFormed = (text: string): boolean => Buffer.from(text, 'utf8').toString('utf8') === text;

/** The parts around the notice, and how much the notice says is missing. */
function takeApart(text: string): { head: string; tail: string; omitted: number } | null {
  const match = /^([\s\S]*?)\n?\[… (\d+) characters[^\]]* …\]\n([\s\S]*)$/.exec(text);
  return match === null ? null : { head: match[1] ?? '', omitted: Number(match[2]), tail: match[3] ?? '' };
}

describe('truncateMiddle', () => {
  it('leaves a text alone that fits exactly', () => {
    expect(truncateMiddle('abc', { maxChars: 3 })).toBe('abc');
  });

  it('keeps whole lines of head and tail, more of the tail, and says how to read the rest', () => {
    const lines = Array.from({ length: 1_000 }, (_, index) => `line ${String(index).padStart(4, '0')}`);
    const text = truncateMiddle(lines.join('\n'), { maxChars: 1_500, reference: 'blob:x' });
    const kept = text.split('\n');
    const notice = kept.findIndex((line) => line.startsWith('[…'));
    expect(kept.slice(0, notice)).toEqual(lines.slice(0, notice));
    const tail = kept.slice(notice + 1);
    expect(tail).toEqual(lines.slice(-tail.length));
    expect(tail.length).toBeGreaterThan(notice);
    const omittedLines = 1_000 - notice - tail.length;
    expect(kept[notice]).toBe(
      `[… ${String(omittedLines * 10)} characters (${String(omittedLines)} lines) left out here; read all of it with read_file blob:x …]`,
    );
  });

  it('cuts one endless line between code points', () => {
    const text = truncateMiddle('😀'.repeat(5_000), { maxChars: 1_001 });
    expect(isWellFormed(text)).toBe(true);
    expect(text.startsWith('😀')).toBe(true);
    expect(text.endsWith('😀')).toBe(true);
  });

  it('never exceeds its limit, never breaks a code point and accounts for every character', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', '\n', '😀', 'é'), minLength: 100, maxLength: 3_000 });
    fc.assert(
      fc.property(texts, fc.integer({ min: 300, max: 2_000 }), (text, maxChars) => {
        const result = truncateMiddle(text, { maxChars });
        expect(result.length).toBeLessThanOrEqual(maxChars);
        expect(isWellFormed(result)).toBe(true);
        if (text.length <= maxChars) return;
        const parts = takeApart(result);
        if (parts === null) throw new Error('no notice');
        expect(text.startsWith(parts.head)).toBe(true);
        expect(text.endsWith(parts.tail)).toBe(true);
        // At most the line end before the notice is counted on neither side.
        const accounted = parts.head.length + parts.omitted + parts.tail.length;
        expect(text.length - accounted).toBeLessThanOrEqual(1);
        expect(accounted).toBeLessThanOrEqual(text.length);
      }),
    );
  });
});

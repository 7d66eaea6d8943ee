import { describe, expect, it } from 'vitest';
import { redactWritten } from '../../../src/models/redact-written.ts';

const written = ['My landlord is called "Ebenezer"\nand owes me money.', 'hi there', 'ok'];
const redact = (words: string) => redactWritten(words, { secrets: ['my-own-key'], written });

describe("a vendor's words", () => {
  it.each([
    ["Unsupported parameter: 'max_tokens'.", "Unsupported parameter: 'max_tokens'."],
    ['key my-own-key is bad', 'key … is bad'],
    ['key sk-proj-abcdef is bad', 'key … is bad'],
    ['sent Bearer abc.def', 'sent …'],
    ['token 0123456789abcdef0123456789abcdef01', 'token …'],
    ['cannot say hi there to it', 'cannot say … to it'],
    ['all is ok', 'all is ok'],
  ])('%s', (words, expected) => {
    expect(redact(words)).toBe(expected);
  });

  it.each([
    'landlord is called "Ebenezer" and owes',
    JSON.stringify({ content: written[0] }),
    '\\u004dy \\u006candlord is called',
    JSON.stringify(JSON.stringify({ content: written[0] })),
    `prefix ${written[0] ?? ''} suffix`,
  ])('lose what the person wrote: %s', (words) => {
    expect(redact(words)).not.toMatch(/landlord|Ebenezer|money/);
  });

  it('are short', () => {
    expect(redact('no '.repeat(1000)).length).toBeLessThanOrEqual(301);
  });
});

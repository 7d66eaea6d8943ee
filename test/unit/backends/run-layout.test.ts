import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { safeName, shellQuote, specText } from '../../../src/backends/run-layout.ts';

describe('safeName', () => {
  it('gives a plain file name to any key, and different names to keys that differ only in case', () => {
    fc.assert(
      fc.property(fc.string(), (key) => {
        expect(safeName(key)).toMatch(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,110}$/);
      }),
    );
    expect(safeName('conv/1/2/0')).toMatch(/^conv-1-2-0_[0-9a-f]{24}$/);
    expect(safeName('A').toLowerCase()).not.toBe(safeName('a').toLowerCase());
    expect(safeName('..')).not.toMatch(/^\./);
  });
});

describe('shellQuote', () => {
  it('survives a real shell, whatever the text', () => {
    const texts = fc.array(fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', '')));
    fc.assert(
      fc.property(texts, (all) => {
        const line = `printf '%s\\0' ${all.map(shellQuote).join(' ')}`;
        const output = execFileSync('/bin/sh', ['-c', line], { encoding: 'utf8' });
        expect(output).toBe(all.length === 0 ? '\0' : all.map((text) => `${text}\0`).join(''));
      }),
      { numRuns: 60 },
    );
  });

  it('refuses NUL, which no shell can carry', () => {
    expect(() => shellQuote('a\0b')).toThrow(expect.objectContaining({ code: 'Terminal.Invalid' }));
  });
});

describe('specText', () => {
  const settings = { sessionFolder: '/s', defaultCwd: '/', shell: undefined, cwd: undefined };
  const spec = { key: 'k', sessionKey: 's', command: 'true' };

  it('keeps whatever a key holds inside its first line', () => {
    const text = specText({ ...spec, key: 'a\nrm -rf /\u2028' }, settings);
    expect(text.split('\n')[0]).toContain('"a\\nrm -rf /');
    expect(text.split('\n')[1]).toMatch(/^__h_marker=[0-9a-f-]{36}$/);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses a time-out of %d', (timeoutMs) => {
    expect(() => specText({ ...spec, timeoutMs }, settings)).toThrow(
      expect.objectContaining({ code: 'Terminal.Invalid' }),
    );
  });
});

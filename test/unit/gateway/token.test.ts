import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadToken, sameToken } from '../../../src/gateway/api/token.ts';
import { tempDir } from '../store/support/open-temp-store.ts';

describe('the API token', () => {
  it('is made once, readable by its owner only, and stays', () => {
    const file = join(tempDir(), 'home', 'api-token');
    const token = loadToken(file);
    expect(token.length).toBeGreaterThanOrEqual(40);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(loadToken(file)).toBe(token);
    expect(readFileSync(file, 'utf8').trim()).toBe(token);
  });

  it('is taken from everybody else when the file was opened up', () => {
    const file = join(tempDir(), 'api-token');
    loadToken(file);
    chmodSync(file, 0o644);
    loadToken(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it.each(['', 'short', `${'a'.repeat(40)} ${'b'.repeat(40)}`])('is refused when the file holds %j', (text) => {
    const file = join(tempDir(), 'api-token');
    writeFileSync(file, text);
    expect(() => loadToken(file)).toThrow(expect.objectContaining({ code: 'Config.Invalid' }));
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  it('compares whole tokens', () => {
    expect(sameToken('abc', 'abc')).toBe(true);
    expect(sameToken('abc', 'abcd')).toBe(false);
    expect(sameToken('', 'abc')).toBe(false);
  });
});

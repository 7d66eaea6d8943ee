import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRedactor } from '../../../src/lib/redact.ts';

const redact = createRedactor({ known: ['correct-horse-battery', 'p@ss word/1', 'short'] });

// Put together at run time, so that no scanner takes the examples for real secrets.
const letters = 'AbCdEfGhIjKlMnOpQrStUvWxYz0123456789';
const examples: readonly (readonly [kind: string, secret: string])[] = [
  ['api-key', `sk-${letters}`],
  ['api-key', `sk-proj-${letters}_x`],
  ['anthropic-key', `sk-ant-api03-${letters}`],
  ['openrouter-key', `sk-or-v1-${letters}`],
  ['github-token', `ghp_${letters}`],
  ['github-token', `github_pat_${letters}`],
  ['aws-key', ['AKIA', 'IOSFODNN7EXAMPLE'].join('')],
  ['slack-token', ['xoxb-', '123456789012-abcdefABCDEF'].join('')],
  ['telegram-token', `123456789:${'A'.repeat(20)}${'b-_9'.repeat(4).slice(0, 15)}`],
  ['google-key', `AIza${letters.slice(0, 35)}`],
  ['jwt', `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.${letters}`],
  ['private-key', `-----BEGIN RSA PRIVATE KEY-----\n${letters}\n${letters}\n-----END RSA PRIVATE KEY-----`],
  ['private-key', `-----BEGIN OPENSSH PRIVATE KEY-----\n${letters}`],
];

describe('createRedactor', () => {
  it.each(examples)('replaces a %s', (kind, secret) => {
    const text = redact(`before ${secret} after`);
    expect(text).toContain(`[redacted:${kind}]`);
    expect(text).not.toContain(secret.slice(-12));
    expect(text.startsWith('before ')).toBe(true);
  });

  it.each([
    ['Authorization: Bearer abcdef0123456789abcdef', 'Authorization: Bearer [redacted:authorization]'],
    ['postgres://ada:hunter2!x@db:5432/app', 'postgres://ada:[redacted:url-password]@db:5432/app'],
    ['https://:tok3n@host/x', 'https://:[redacted:url-password]@host/x'],
    ['API_KEY=abc123def456', 'API_KEY=[redacted:value]'],
    ['export DB_PASSWORD="let me in 7"', 'export DB_PASSWORD="[redacted:value]"'],
    ["client_secret: 'zzz-yyy-xxx'", "client_secret: '[redacted:value]'"],
    ['{"token": "abcdefgh"}', '{"token": "[redacted:value]"}'],
    ['aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPx', 'aws_secret_access_key = [redacted:value]'],
    ['PASSWORD=swordfish', 'PASSWORD=[redacted:value]'],
    ['x?token=abc123xyz&y=1', 'x?token=[redacted:value]&y=1'],
  ])('replaces the value in %j', (text, expected) => {
    expect(redact(text)).toBe(expected);
  });

  it('replaces known values in every form they are written in', () => {
    expect(redact('a correct-horse-battery b')).toBe('a [redacted:secret] b');
    expect(redact('q=p%40ss%20word%2F1')).toBe('q=[redacted:secret]');
    expect(redact('a short word')).toBe('a short word');
  });

  it.each([
    'function f(token: string): boolean',
    'const token = nextToken();',
    'if (token === other) return',
    'API_KEY=$OPENAI_API_KEY',
    'apiKey: process.env.KEY',
    'password: <your password>',
    'The token is valid.',
    'https://example.com:8080/path@x',
    'tokens: 1234',
    'secret handshake: none',
    'see sk-learn and ghp_ prefixes',
    'max_tokens=4096',
    'a Basic understanding of internationalization',
    '2024-01-01 12:00:00 commit 0123456789abcdef0123456789abcdef01234567',
  ])('leaves %j alone', (text) => {
    expect(redact(text)).toBe(text);
  });

  it('changes nothing more when applied again', () => {
    const pieces = fc.constantFrom(
      ...examples.map(([, secret]) => secret),
      'token=',
      'PASSWORD: ',
      '"',
      "'",
      ' ',
      '\n',
      '://',
      'a:b@',
      'Bearer ',
      'correct-horse-battery',
      '[redacted:',
      ']',
      '-----',
      'sk-',
      'eyJ',
      '.',
      'x9'.repeat(12),
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const once = redact(parts.join(''));
        expect(redact(once)).toBe(once);
      }),
      { numRuns: 2_000 },
    );
  });

  it('finds every example wherever it stands between words', () => {
    fc.assert(
      fc.property(fc.constantFrom(...examples), fc.lorem(), fc.lorem(), ([kind, secret], before, after) => {
        expect(redact(`${before}\n${secret}\n${after}`)).toContain(`[redacted:${kind}]`);
      }),
    );
  });

  it.each([
    'a',
    ' ',
    '=',
    'token',
    'token=',
    'token = ',
    'secret_',
    'eyJa',
    'eyJaaaaaaaaa.',
    'sk-',
    'a://a:',
    ':',
    '-----BEGIN ',
    '-----BEGIN PRIVATE KEY-----',
    '1',
    '12345678:',
    'Bearer ',
    'A-',
    '"token": "',
    "password='",
    'api_key',
    'xox',
    '.',
    '\n',
    'a_b-c.d',
  ])('stays linear on 5 MB of %j', (piece) => {
    const large = piece.repeat(Math.ceil(5_000_000 / piece.length));
    const small = large.slice(0, large.length / 4);
    const time = (text: string): number => {
      const start = performance.now();
      redact(text);
      return performance.now() - start;
    };
    time(small);
    const smallMs = time(small);
    const largeMs = time(large);
    // Four times the text: quadratic would be sixteen times the time. The constant forgives a busy machine.
    expect(largeMs).toBeLessThan(smallMs * 10 + 1_500);
  });
});

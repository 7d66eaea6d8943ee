import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { render } from '../../../../src/gateway/format/render.ts';
import { signalStyles } from '../../../../src/gateway/format/signal-styles.ts';
import type { Dialect } from '../../../../src/gateway/platforms/platform.ts';

const dialects: readonly Dialect[] = ['telegram-html', 'slack-mrkdwn', 'discord', 'whatsapp', 'signal-styles', 'plain'];
const units = {
  utf16: (text: string) => text.length,
  codepoints: (text: string) => Array.from(text).length,
  bytes: (text: string) => Buffer.byteLength(text),
};
const one = (markdown: string, dialect: Dialect): string =>
  render(markdown, { dialect, max: 4000, unit: 'utf16' }).join('\n<part>\n');

/** What people and attackers write, put together at random. */
const snippet = fc.oneof(
  fc.constantFrom(
    ...[
      '**',
      '*',
      '_',
      '~~',
      '`',
      '```',
      '```ts\n',
      '\n',
      '\n\n',
      '> ',
      '>> ',
      '- ',
      '  - ',
      '1. ',
      '- [x] ',
      '# ',
      '|',
      '|-|-|\n',
    ],
    ...[
      '<b>',
      '</b>',
      '<script>alert(1)</script>',
      '<a href="x">',
      '&amp;',
      '&lt;',
      '&#0;',
      '&#27;',
      '&amp;amp;',
      '&',
      '<',
      '>',
    ],
    ...[
      '@everyone',
      '@here',
      '<@U12AB>',
      '<@!123>',
      '<#1>',
      '<!channel>',
      '<!here|x>',
      '</cmd:1>',
      '[a](https://x.y/z?a=1&b="2")',
    ],
    ...['[x](javascript:alert(1))', '[', '](', ')', '![i](https://a.b/c.png)', 'https://a.b/c_d*e', '\\', '\\*', '\\'],
    ...[
      '\u202e',
      '\u200f',
      '\u200b',
      '\u200d',
      '\ud800',
      '\udc00',
      '👩‍👩‍👧',
      '🇩🇪',
      'e\u0301',
      '\u0000',
      '\u001b[31m',
      'word',
      ' ',
    ],
  ),
  fc.string({ maxLength: 12, unit: 'binary' }),
);
const hostile = fc.array(snippet, { maxLength: 60 }).map((pieces) => pieces.join(''));
/** The same texts every time; HERMES_FC_SEED and HERMES_FC_RUNS look for others. */
const seed = Number(process.env['HERMES_FC_SEED'] ?? 20_261_122);
const runs = { seed, numRuns: Number(process.env['HERMES_FC_RUNS'] ?? 300) };
const size = fc.constantFrom(200, 257, 1000);
const unit = fc.constantFrom('utf16', 'codepoints', 'bytes');

describe.each(dialects)('any text in %s', (dialect) => {
  it('comes in parts within the limit, none blank, each well formed', () => {
    fc.assert(
      fc.property(hostile, size, unit, (markdown, max, of) => {
        for (const part of render(markdown, { dialect, max, unit: of })) {
          expect(units[of](part)).toBeLessThanOrEqual(max);
          expect(part.trim()).not.toBe('');
          expect(part).not.toMatch(/\p{Surrogate}/u);
          expect(part).not.toMatch(/[\u0000\u001b\u202e]/);
          checks[dialect](part);
        }
      }),
      runs,
    );
  });

  it('keeps every word, in order, whatever it is wrapped in', () => {
    const wrap = fc.constantFrom(
      (word: string) => word,
      (word: string) => `**${word}**`,
      (word: string) => `_${word} x_`,
      (word: string) => `\n\n${word}`,
      (word: string) => `\n- ${word}`,
      (word: string) => `[${word}](https://example.org/${word})`,
      (word: string) => `\n\n\`\`\`js\n${word}\n  ${word}\n\`\`\`\n\n`,
      (word: string) => `\n\n> ${word}`,
      (word: string) => `\`${word}\``,
    );
    fc.assert(
      fc.property(fc.array(wrap, { minLength: 1, maxLength: 120 }), size, (wraps, max) => {
        const markdown = wraps.map((wrapped, at) => wrapped(`w${String(at)}w`)).join(' ');
        const seen = render(markdown, { dialect, max, unit: 'utf16' }).join('\n');
        const order = [...seen.matchAll(/w(\d+)w/g)].map(([, number]) => Number(number));
        expect([...new Set(order)]).toEqual(wraps.map((_, at) => at));
      }),
      { ...runs, numRuns: Math.ceil(runs.numRuns / 3) },
    );
  });
});

/** What a part may not be, by dialect. Throws. */
const checks: Readonly<Record<Dialect, (part: string) => void>> = {
  'telegram-html': (part) => {
    const open: string[] = [];
    const rest = part.replaceAll(
      /<(\/?)([a-z]+)((?: [a-z]+="[^"<>]*")?)>/g,
      (_, end: string, tag: string, attribute: string) => {
        expect(['b', 'i', 's', 'code', 'pre', 'a', 'blockquote']).toContain(tag);
        if (end === '/') expect(open.pop()).toBe(tag);
        else open.push(tag);
        if (attribute !== '') expect(attribute).toMatch(/^ (?:href="(?:https?:|mailto:|tel:)|class="language-)/i);
        return '';
      },
    );
    expect(open).toEqual([]);
    expect(rest).not.toMatch(/[<>]|&(?!amp;|lt;|gt;|quot;)/);
  },
  'slack-mrkdwn': (part) => {
    const rest = part.replaceAll(/<(?:https?:\/\/|mailto:|tel:)[^<>|]*(?:\|[^<>]*)?>/gi, '').replaceAll(/^> ?/gm, '');
    expect(rest).not.toMatch(/[<>]|&(?!amp;|lt;|gt;)/);
    expect(part.split('```').length % 2).toBe(1);
  },
  discord: (part) => {
    const outside = part.replaceAll(/```[^]*?```|`[^`\n]*`/g, '');
    expect(outside).not.toMatch(/@everyone|@here|<@|<#/i);
    expect((part.match(/(?<!\\)```/g) ?? []).length % 2).toBe(0);
  },
  whatsapp: (part) => expect(part.split('```').length % 2).toBe(1),
  'signal-styles': (part) => {
    const { text, styles } = signalStyles(part);
    for (const style of styles) {
      const [start = NaN, length = NaN] = style.split(':').map(Number);
      expect(length).toBeGreaterThan(0);
      expect(start + length).toBeLessThanOrEqual(text.length);
    }
  },
  plain: () => undefined,
};

const sample = [
  '# Plan *now*',
  'A **bold _and italic_** word, ~~gone~~, `a<b`, [docs](https://x.y/a_b?c=1&d=2) & un*believ*able.',
  '- one\n- [x] two\n  1. deep',
  '> said\n>\n> twice',
  '```ts\nif (a < b) c();\n```',
  '| name | n |\n|---|--:|\n| x | 10 |',
].join('\n\n');

describe('one text in every dialect', () => {
  it('telegram-html', () => {
    expect(one(sample, 'telegram-html')).toBe(
      [
        '<b>Plan <i>now</i></b>',
        'A <b>bold <i>and italic</i></b> word, <s>gone</s>, <code>a&lt;b</code>, <a href="https://x.y/a_b?c=1&amp;d=2">docs</a> &amp; un<i>believ</i>able.',
        '• one\n☑ two\n  1. deep',
        '<blockquote>said\n\ntwice</blockquote>',
        '<pre><code class="language-ts">if (a &lt; b) c();</code></pre>',
        '<pre>name |  n\n-----|---\nx    | 10</pre>',
      ].join('\n\n'),
    );
  });
  it('slack-mrkdwn', () => {
    expect(one(sample, 'slack-mrkdwn')).toBe(
      [
        '*Plan _now_*',
        'A *bold _and italic_* word, ~gone~, `a&lt;b`, <https://x.y/a_b?c=1&amp;d=2|docs> &amp; un\u200b_believ_\u200bable.',
        '• one\n☑ two\n  1. deep',
        '> said\n> \n> twice',
        '```\nif (a &lt; b) c();\n```',
        '```\nname |  n\n-----|---\nx    | 10\n```',
      ].join('\n\n'),
    );
  });
  it('discord', () => {
    expect(one(sample, 'discord')).toBe(
      [
        '**Plan _now_**',
        'A **bold _and italic_** word, ~~gone~~, `a<b`, [docs](<https://x.y/a_b?c=1&d=2>) & un\u200b_believ_\u200bable.',
        '• one\n☑ two\n  1. deep',
        '> said\n> \n> twice',
        '```ts\nif (a < b) c();\n```',
        '```\nname |  n\n-----|---\nx    | 10\n```',
      ].join('\n\n'),
    );
  });
  it('discord hides web addresses only', () => {
    expect(one('[mail](mailto:a_b@x.org) c@x.org', 'discord')).toBe('mail (mailto:a\\_b@x.org) c@x.org');
  });
  it('whatsapp spells links out', () => {
    expect(one('**a** [docs](https://x.y) https://z.y', 'whatsapp')).toBe('*a* docs (https://x.y) https://z.y');
  });
  it('signal-styles, taken apart', () => {
    expect(signalStyles(one('# Hi\n\n👍 **a _b_** `x_*` 2\\*3', 'signal-styles'))).toEqual({
      text: 'Hi\n\n👍 a b x_* 2*3',
      styles: ['0:2:BOLD', '7:3:BOLD', '9:1:ITALIC', '11:3:MONOSPACE'],
    });
  });
  it('plain has no marks, and tables as lines', () => {
    expect(one(sample, 'plain')).toBe(
      'Plan now\n\nA bold and italic word, gone, a<b, docs (https://x.y/a_b?c=1&d=2) & unbelievable.\n\n• one\n☑ two\n  1. deep\n\n> said\n> \n> twice\n\nif (a < b) c();\n\nname: x\nn: 10',
    );
  });
  it('a table that is too wide becomes lines of column and value', () => {
    const wide = `| name | text |\n|---|---|\n| a | ${'word '.repeat(20)}|\n| b | c |`;
    expect(one(wide, 'whatsapp')).toBe(`*name*: a\n*text*: ${'word '.repeat(20).trim()}\n\n*name*: b\n*text*: c`);
  });
});

describe('cutting', () => {
  const cut = (markdown: string, dialect: Dialect, max = 200): readonly string[] =>
    render(markdown, { dialect, max, unit: 'utf16' });

  it('prefers the end of a paragraph', () => {
    const [a, b] = ['a '.repeat(60).trim(), 'b '.repeat(60).trim()];
    expect(cut(`${a}\n\n${b}`, 'plain')).toEqual([a, b]);
  });
  it('prefers the end of a sentence to a word', () => {
    const sentence = `${'word '.repeat(24)}end.`;
    expect(cut(`${sentence} ${sentence}`, 'plain')).toEqual([sentence, sentence]);
  });
  it('closes a code fence and opens it again with its language', () => {
    const lines = Array.from({ length: 20 }, (_, at) => `const line${String(at)} = 1;`);
    const parts = cut(`\`\`\`js\n${lines.join('\n')}\n\`\`\``, 'discord');
    expect(parts.length).toBeGreaterThan(1);
    for (const part of parts) expect(part).toMatch(/^```js\nconst line\d+ = 1;\n[^]*;\n```$/);
    expect(parts.flatMap((part) => part.split('\n').slice(1, -1))).toEqual(lines);
  });
  it('keeps emphasis over a cut', () => {
    const parts = cut(`**${'word '.repeat(80).trim()}**`, 'telegram-html');
    for (const part of parts) expect(part).toMatch(/^<b>word[^<]*word<\/b>$/);
  });
  it('moves a link as a whole into the next part', () => {
    const link = '[the whole label](https://example.org/path)';
    const parts = cut(`${'x'.repeat(170)} ${link}`, 'slack-mrkdwn');
    expect(parts).toEqual(['x'.repeat(170), '<https://example.org/path|the whole label>']);
  });
  it('spells out a link longer than a message', () => {
    const parts = cut(`[a](https://example.org/${'x'.repeat(500)})`, 'telegram-html');
    expect(parts.join('')).toBe(`a(https://example.org/${'x'.repeat(500)})`);
  });
  it('never cuts an emoji made of several characters', () => {
    const parts = render('👩‍👩‍👧‍👦'.repeat(100), { dialect: 'plain', max: 203, unit: 'bytes' });
    for (const part of parts) expect(part).toMatch(/^(?:👩‍👩‍👧‍👦)+$/u);
    expect(parts.join('')).toBe('👩‍👩‍👧‍👦'.repeat(100));
  });
  it('has no part where there is nothing to see', () => {
    expect(cut(' \n\u200b\u202e\n\n``` \n\n```\n', 'telegram-html')).toEqual([]);
  });
  it('refuses a limit nothing fits into', () => {
    expect(() => cut('a', 'plain', 20)).toThrow(RangeError);
  });
});

it.each([
  ['no spaces', 'x'.repeat(100_000)],
  ['open brackets', '['.repeat(100_000)],
  ['open emphasis', '_a'.repeat(50_000)],
  ['open emphasis on lines', '*a\n'.repeat(30_000)],
  ['backticks', '`a``b'.repeat(20_000)],
  ['entities', '&amp;'.repeat(20_000)],
  ['deep quotes', `${'> '.repeat(5000)}x`],
  ['deep lists', Array.from({ length: 200 }, (_, at) => `${'  '.repeat(at)}- a`).join('\n')],
  ['combining marks', `a${'\u0301'.repeat(50_000)}`],
  ['many links', '[a](https://b.c) '.repeat(5000)],
])('100 KB of %s is written in time and within the limit', (_, markdown) => {
  const parts = render(markdown, { dialect: 'telegram-html', max: 4096, unit: 'utf16' });
  expect(parts.length).toBeGreaterThan(0);
  for (const part of parts) {
    expect(part.length).toBeLessThanOrEqual(4096);
    checks['telegram-html'](part);
  }
});

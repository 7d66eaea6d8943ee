import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { finishedLength } from '../../../../src/lib/markdown/finished.ts';
import { renderMarkdown } from '../../../../src/lib/markdown/render.ts';
import { stripControls } from '../../../../src/lib/markdown/strip-controls.ts';
import { textWidth, truncate } from '../../../../src/lib/markdown/width.ts';

const plain = (source: string, width = 40): string => renderMarkdown(source, { width, colour: false }).join('\n');

/** Pieces that make Markdown, and trouble. */
const fragments = fc.constantFrom(
  '# ',
  'word ',
  'longer-word-without-any-place-to-break ',
  '\n',
  '\n\n',
  '- ',
  '1. ',
  '  ',
  '> ',
  '```\n',
  '**',
  '_',
  '`',
  '| a | b |\n|---|--:|\n| 1 | 2 |\n',
  '[x](http://a.b)',
  '日本語',
  '👩‍👩‍👧',
  'e\u0301',
  '\u001b[31m',
  '\u001b]0;t\u0007',
  '\t',
  '\r\n',
  '<b>',
  '&amp;',
);
const sources = fc.array(fragments, { maxLength: 40 }).map((parts) => parts.join(''));

describe('renderMarkdown', () => {
  it('keeps marks as characters without colour', () => {
    expect(plain('# One\n\n**bold** `code` ~~gone~~')).toBe('# One\n\nbold `code` ~~gone~~');
  });

  it('nests lists, with numbers and tasks', () => {
    expect(plain('- a\n  - b\n    1. c\n- [x] done\n- [ ] open')).toBe('• a\n  ◦ b\n    1. c\n• [x] done\n• [ ] open');
    expect(plain('9. nine\n10. ten')).toBe(' 9. nine\n10. ten');
  });

  it('labels code and keeps its spaces', () => {
    expect(plain('```ts\nif (a) {\n\tb();\n}\n```')).toBe('  ┄ ts\n  if (a) {\n      b();\n  }');
  });

  it('shows where a link leads, and nothing twice', () => {
    expect(plain('[good site](http://bad.example)')).toBe('good site (http://bad.example)');
    expect(plain('<http://a.example>')).toBe('http://a.example');
  });

  it('aligns tables and wraps inside their cells', () => {
    const lines = plain('| name | n |\n|---|--:|\n| a very long cell with words | 1 |\n| 日本 | 22 |', 24).split('\n');
    expect(lines[0]).toMatch(/^name +│ +n$/);
    expect(new Set(lines.slice(2).map((line) => textWidth(line.slice(0, line.indexOf('│')))))).toHaveProperty(
      'size',
      1,
    );
    expect(lines.at(-1)).toMatch(/│ 22$/);
  });

  it('writes a table as records where its columns do not fit', () => {
    const head = `| ${'abcdefghij'.split('').join(' | ')} |`;
    const rule = `|${'---|'.repeat(10)}`;
    expect(plain(`${head}\n${rule}\n${head.toUpperCase()}`, 20)).toBe(
      'abcdefghij'
        .split('')
        .map((letter) => `${letter}: ${letter.toUpperCase()}`)
        .join('\n'),
    );
  });

  it('breaks between wide characters and measures emoji', () => {
    expect(plain('日本語日本語日本語', 10)).toBe('日本語日本\n語日本語');
    expect(textWidth('👩‍👩‍👧')).toBe(2);
    expect(textWidth('❤️')).toBe(2);
    expect(textWidth('🇩🇪')).toBe(2);
    expect(textWidth('e\u0301')).toBe(1);
    expect(textWidth('\u001b[31mab\u001b[0m')).toBe(2);
    expect(truncate('日本語', 5)).toBe('日本…');
  });

  it('lets nothing through that steers a terminal, and no line beyond the width', () => {
    fc.assert(
      fc.property(sources, fc.integer({ min: 8, max: 60 }), (source, width) => {
        for (const line of renderMarkdown(source, { width, colour: false })) {
          expect(textWidth(line)).toBeLessThanOrEqual(width);
          expect(line).toMatch(/^[^\u0000-\u001f\u007f-\u009f]*$/);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('loses no word', () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{1,30}$/), { minLength: 1 }),
        fc.integer({ min: 8, max: 40 }),
        (words, width) => {
          expect(plain(words.join(' '), width).replaceAll(/\s/g, '')).toBe(words.join(''));
        },
      ),
    );
  });

  it('survives nesting that overflows the parser and a paragraph of megabytes', () => {
    expect(plain(`${'>'.repeat(20_000)} deep`)).toContain('deep');
    expect(plain('**x** '.repeat(200_000), 100).length).toBeGreaterThan(400_000);
  });
});

describe('stripControls', () => {
  it('takes whole sequences out, also broken ones', () => {
    expect(stripControls('a\u001b[31mb\u001b]8;;http://x\u001b\\c\u001b]0;t\u0007d\u009b2Je\u001bcf\u001b[')).toBe(
      'abcdef',
    );
    expect(stripControls('over\u202erdrow\u2066x')).toBe('overrdrowx');
    expect(stripControls('line\r\nnext\ttab\bx')).toBe('line\nnext\ttabx');
  });

  it('keeps the number of lines', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('\u001b[', '\u001b]', '\u0007', 'a', '\n', '\r', '\u009d', '\u001b\\')),
        (parts) => {
          const text = parts.join('');
          expect(stripControls(text).split('\n')).toHaveLength(text.split('\n').length);
        },
      ),
    );
  });
});

describe('finishedLength', () => {
  it('counts what no further text changes', () => {
    expect(finishedLength('One.')).toBe(0);
    expect(finishedLength('One.\n\nTwo')).toBe(0);
    expect(finishedLength('One.\n\nTwo\n')).toBe('One.\n\n'.length);
    expect(finishedLength('```\na\n\nb\n')).toBe(0);
    expect(finishedLength('- a\n\n- b\n')).toBe(0);
  });

  it('grows as the text grows and always ends at the start of a line', () => {
    fc.assert(
      fc.property(sources, (source) => {
        let printed = 0;
        for (let end = 0; end <= source.length; end += 7) {
          const length = finishedLength(source.slice(printed, end));
          expect(printed + length).toBeLessThanOrEqual(end);
          if (length > 0) expect(source[printed + length - 1]).toBe('\n');
          printed += length;
        }
      }),
      { numRuns: 200 },
    );
  });
});

it('what entities spell cannot steer the terminal either', () => {
  for (const source of ['a &#27;[31mred', '`&#27;[2J`', '[x](http://a/&#x9b;2J)', '| a |\n|---|\n| &#27;]0;t&#7; |']) {
    for (const colour of [true, false]) {
      const lines = renderMarkdown(source, { width: 80, colour });
      const bare = lines.join('\n').replaceAll(/\u001b\[[0-9;]*m/g, '');
      expect(bare).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
      expect(lines.join('')).not.toContain('[31mred');
    }
  }
});

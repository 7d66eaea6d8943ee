import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, parseDocument, stringify } from 'yaml';
import { setInYaml, unsetInYaml } from '../../../src/config/edit-yaml.ts';

const written = `# My settings

model:   # who answers
    provider: openai      # since May
    # the name
    name: "x"   # old


    fallback:
      - ollama:a
      - ollama:b
agent: {name: A} # in braces
# the end
`;

describe('a value that is there', () => {
  it('is replaced and nothing else changes', () => {
    expect(setInYaml(written, ['model', 'name'], 'gpt-5')).toBe(written.replace('"x"', 'gpt-5'));
    expect(setInYaml(written, ['model', 'provider'], 'zai')).toBe(written.replace('openai', 'zai'));
  });

  it('gets quotes when it would read as something else', () => {
    expect(setInYaml('a:\n  b: x # c\n', ['a', 'b'], '4.10')).toBe('a:\n  b: "4.10" # c\n');
    expect(setInYaml('a:\n  b: x\n', ['a', 'b'], 'y # z: w')).toBe('a:\n  b: "y # z: w"\n');
    expect(setInYaml('a:\n  b: x\n', ['a', 'b'], 'null')).toBe('a:\n  b: "null"\n');
  });

  it('may grow to several lines and shrink again', () => {
    const long = setInYaml('# t\na:\n  b: x\n  c: 1\n', ['a', 'b'], 'one\n  two é 🦉\n');
    expect(long).toBe('# t\na:\n  b: |\n    one\n      two é 🦉\n  c: 1\n');
    expect(setInYaml(long, ['a', 'b'], 'x')).toBe('# t\na:\n  b: x\n  c: 1\n');
  });

  it('may be a list', () => {
    const next = setInYaml(written, ['model', 'fallback'], ['zai:c']);
    expect(next).toBe(written.replace('      - ollama:a\n      - ollama:b\n', '      - zai:c\n'));
  });

  it('is filled in where the key stands without one', () => {
    expect(setInYaml('a:\n  b:\n  c: 1\n', ['a', 'b'], 2)).toBe('a:\n  b: 2\n  c: 1\n');
    expect(setInYaml('a:\n  b: # why\n  c: 1\n', ['a', 'b'], 2)).toMatch(/^a:\n {2}b: +2 +# why\n {2}c: 1\n$/);
  });
});

describe('a value that is not there', () => {
  it('comes after the last key of its section, indented like it', () => {
    const next = setInYaml(written, ['model', 'baseUrl'], 'http://x/v1');
    expect(next).toBe(written.replace('- ollama:b\n', '- ollama:b\n    baseUrl: http://x/v1\n'));
  });

  it('brings its section to the end', () => {
    expect(setInYaml('a:\n  b: 1\n', ['c', 'd', 'e'], true)).toBe('a:\n  b: 1\nc:\n  d:\n    e: true\n');
    expect(setInYaml('a:\n  b: 1', ['c', 'd'], 2)).toBe('a:\n  b: 1\nc:\n  d: 2\n');
  });

  it('goes into a section that has no keys yet', () => {
    expect(setInYaml('a:\n  # soon\nb:\n  c: 1\n', ['a', 'x'], 1)).toBe('a:\n  x: 1\n  # soon\nb:\n  c: 1\n');
    expect(setInYaml('a: {}\n', ['a', 'x'], 1)).toBe('a: { x: 1 }\n');
    expect(setInYaml('a:\n', ['a', 'x', 'y'], 1)).toBe('a:\n  x:\n    y: 1\n');
  });

  it('starts an empty file', () => {
    expect(setInYaml('', ['a', 'b'], 1)).toBe('a:\n  b: 1\n');
    expect(setInYaml('# words', ['a', 'b'], 1)).toBe('# words\na:\n  b: 1\n');
  });

  it('goes into a section in braces, and the comments of the file stay', () => {
    const next = setInYaml(written, ['agent', 'maxStepsPerTurn'], 5);
    expect(parse(next)).toEqual({ ...(parse(written) as object), agent: { name: 'A', maxStepsPerTurn: 5 } });
    for (const comment of written.match(/#.*/g) ?? []) expect(next).toContain(comment);
  });
});

describe('taking a key out', () => {
  it('removes its lines only', () => {
    expect(unsetInYaml(written, ['model', 'name'])).toBe(written.replace('    name: "x"   # old\n', ''));
    expect(unsetInYaml(written, ['model', 'fallback'])).toBe(
      written.replace('    fallback:\n      - ollama:a\n      - ollama:b\n', ''),
    );
  });

  it('leaves the section with its comments', () => {
    expect(unsetInYaml('a:\n  # about b\n  b: 1\n# end\n', ['a', 'b'])).toBe('a:\n  # about b\n# end\n');
  });

  it('works in braces too', () => {
    expect(parse(unsetInYaml('a: {b: 1, c: 2} # x\n', ['a', 'b']))).toEqual({ a: { c: 2 } });
  });

  it('of a key that is not there changes nothing', () => {
    expect(unsetInYaml('a:\n  b: 1\n', ['a', 'c'])).toBe('a:\n  b: 1\n');
  });
});

describe('the text around', () => {
  it('keeps CRLF line ends', () => {
    const crlf = written.replaceAll('\n', '\r\n');
    expect(setInYaml(crlf, ['model', 'name'], 'y')).toBe(crlf.replace('"x"', 'y'));
    expect(setInYaml(crlf, ['model', 'baseUrl'], 'z').replaceAll('\r\n', '')).not.toContain('\n');
    expect(setInYaml(crlf, ['agent', 'x'], 1).replaceAll('\r\n', '')).not.toContain('\n');
  });

  it('keeps a byte order mark, document marks and tabs in comments', () => {
    expect(setInYaml('\uFEFFa:\n  b: 1\n', ['a', 'b'], 2)).toBe('\uFEFFa:\n  b: 2\n');
    expect(setInYaml('---\na:\n  b: 1 #\tx\n...\n', ['a', 'c'], 2)).toBe('---\na:\n  b: 1 #\tx\n  c: 2\n...\n');
  });

  it('refuses what anchors make unsafe', () => {
    expect(() => setInYaml('a: &x { b: 1 }\nc: *x\n', ['c', 'b'], 2)).toThrow('by hand');
    expect(() => unsetInYaml('a:\n  b: &x 1\nc:\n  d: *x\n', ['a', 'b'])).toThrow('by hand');
  });
});

describe('whatever stands in the file', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd');
  const value = fc.oneof(
    fc.string({ unit: 'grapheme', minLength: 1 }),
    fc.constantFrom(
      'x: y',
      '# x',
      '- a',
      'true',
      '~',
      ' lead',
      'two\nlines',
      '🦉',
      '"',
      "'",
      '{',
      '%',
      '@a',
      '|',
      '1e3',
    ),
    fc.integer(),
    fc.boolean(),
    fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 3 }),
  );
  const tree = fc.dictionary(name, fc.dictionary(name, value, { maxKeys: 4 }), { minKeys: 1, maxKeys: 4 });
  const style = fc.record({
    indent: fc.constantFrom(1, 2, 4),
    defaultStringType: fc.constantFrom('PLAIN', 'QUOTE_DOUBLE', 'QUOTE_SINGLE', 'BLOCK_LITERAL'),
    collectionStyle: fc.constantFrom('any', 'flow', 'block'),
    indentSeq: fc.boolean(),
  } as const);
  const comments = (text: string): string =>
    text
      .split('\n')
      .map((line) => (/^\s*[a-d]:$/.test(line) ? `${line} # note` : line))
      .join('\n');

  it('a set changes that one value', () => {
    fc.assert(
      fc.property(tree, style, name, name, value, (before, look, section, key, next) => {
        const text = comments(stringify(before, look));
        const after = setInYaml(text, [section, key], next);
        expect(parseDocument(after).errors).toEqual([]);
        expect((parse(after) as Record<string, Record<string, unknown>>)[section]?.[key]).toEqual(next);
        expect((after.match(/# note/g) ?? []).length).toBeGreaterThanOrEqual((text.match(/# note/g) ?? []).length);
      }),
      { numRuns: 400 },
    );
  });

  it('a set and an unset give back what was there', () => {
    fc.assert(
      fc.property(tree, style, value, (before, look, next) => {
        const text = comments(stringify(before, look));
        const back = unsetInYaml(setInYaml(text, ['z', 'key'], next), ['z', 'key']);
        expect(back.startsWith(text.trimEnd()) || look.collectionStyle !== 'block').toBe(true);
        const { z, ...rest } = (parse(back) ?? {}) as Record<string, unknown>;
        expect(z ?? {}).toEqual({});
        expect(rest).toEqual(parse(text));
      }),
      { numRuns: 200 },
    );
  });
});

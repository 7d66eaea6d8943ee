import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conversationId, openToolBench, type ToolBench } from './support/tool-bench.ts';

let bench: ToolBench;
beforeAll(async () => {
  bench = await openToolBench();
});
afterAll(() => bench.close());

const at = (name: string): string => join(bench.work, name);
const numbered = (count: number): string =>
  Array.from({ length: count }, (_, index) => `line ${String(index + 1)}`).join('\n') + '\n';

describe('read_file', () => {
  it('numbers lines and pages through a file', async () => {
    await writeFile(at('lines.txt'), numbered(1_200));
    const first = await bench.call('read_file', { path: 'lines.txt' });
    expect(first.text.split('\n').slice(0, 2)).toEqual(['1|line 1', '2|line 2']);
    expect(first.text).toContain('500|line 500\n[');
    expect(first.text).toContain('more from offset 501');
    const last = await bench.call('read_file', { path: at('lines.txt'), offset: 1_199, limit: 10 });
    expect(last.text).toBe('1199|line 1199\n1200|line 1200');
    const beyond = await bench.call('read_file', { path: 'lines.txt', offset: 5_000 });
    expect(beyond).toMatchObject({ status: 'error', text: 'Only 1200 lines; offset 5000 is beyond the end.' });
  });

  it('reads a page far inside a file of many megabytes', async () => {
    const line = `${'é'.repeat(49)}\n`;
    await writeFile(at('big.txt'), line.repeat(60_000) + 'needle\n' + line.repeat(60_000));
    const result = await bench.call('read_file', { path: 'big.txt', offset: 60_000, limit: 2 });
    expect(result.text).toMatch(/^60000\|é{49}\n60001\|needle\n\[.*more from offset 60002\]$/);
  });

  it('cuts endless lines and shows one whole when only one is wanted', async () => {
    await writeFile(at('wide.txt'), `${'x'.repeat(10_000)}\nend\n`);
    const both = await bench.call('read_file', { path: 'wide.txt' });
    expect(both.text).toContain('[… 8000 more characters in this line]');
    const one = await bench.call('read_file', { path: 'wide.txt', limit: 1 });
    expect(one.text).toContain('x'.repeat(10_000));
  });

  it('says what a file is that is no text', async () => {
    await writeFile(at('picture.png'), Buffer.from('89504e470d0a1a0a0000', 'hex'));
    expect((await bench.call('read_file', { path: 'picture.png' })).text).toMatch(/no text: PNG image, 10 B/);
    await writeFile(at('data.bin'), Buffer.from([1, 2, 0, 3]));
    expect((await bench.call('read_file', { path: 'data.bin' })).text).toMatch(/binary data/);
  });

  it('reads UTF-16, Windows line ends and an empty file', async () => {
    await writeFile(at('wide-chars.txt'), Buffer.from('\uFEFFgrüß\r\ndich\r\n', 'utf16le'));
    expect((await bench.call('read_file', { path: 'wide-chars.txt' })).text).toBe('1|grüß\n2|dich');
    await writeFile(at('empty.txt'), '');
    expect((await bench.call('read_file', { path: 'empty.txt' })).text).toBe('The file is empty.');
  });

  it('answers with words where there is no file or it is a folder', async () => {
    const result = await bench.call('read_file', { path: 'missing.txt' });
    expect(result.status).toBe('error');
    expect(result.text).toContain('missing.txt');
    expect((await bench.call('read_file', { path: '.' })).status).toBe('error');
  });

  it('reads what was cut from a result, long lines split, of this conversation only', async () => {
    const id = `${conversationId}/1/1/0`;
    const bytes = Buffer.from(`${'y'.repeat(4_500)}\nafter\n`);
    await bench.store.blobs.put({ id, conversationId, mediaType: 'text/plain', bytes });
    const whole = await bench.call('read_file', { path: `blob:${id}` });
    expect(whole.text.split('\n').map((line) => line.length)).toEqual([2_002, 2_002, 502, 7]);
    expect((await bench.call('read_file', { path: `blob:${id}`, offset: 4 })).text).toBe('4|after');
    await bench.store.conversations.create({ id: 'other', personId: 'bob', platform: 'cli' });
    await bench.store.blobs.put({ id: 'other/1/1/0', conversationId: 'other', mediaType: 'text/plain', bytes });
    expect((await bench.call('read_file', { path: 'blob:other/1/1/0' })).status).toBe('error');
  });
});

describe('write_file', () => {
  it('makes folders, replaces and may run again', async () => {
    const args = { path: 'new/deep/a.txt', content: 'one\ntwo\n' };
    const made = await bench.call('write_file', args);
    expect(made.text).toBe(`Wrote 2 lines (8 B): ${at('new/deep/a.txt')}`);
    await bench.call('write_file', args, { attempt: 2 });
    expect(await readFile(at('new/deep/a.txt'), 'utf8')).toBe('one\ntwo\n');
    expect((await bench.call('write_file', { ...args, content: '' })).text).toContain('Replaced 8 B by 0 lines');
  });

  it('refuses a relative path that leads to a place it would have asked about', async () => {
    await mkdir(join(bench.home, '.ssh'), { recursive: true });
    await bench.call('run_command', { command: `cd ${bench.home}/.ssh` });
    const result = await bench.call('write_file', { path: 'authorized_keys', content: 'key' });
    expect(result).toMatchObject({
      status: 'error',
      text: expect.stringContaining('Write the paths in full') as string,
    });
    await bench.call('run_command', { command: `cd ${bench.work}` });
    await expect(readFile(join(bench.home, '.ssh/authorized_keys'))).rejects.toThrow('ENOENT');
  });

  it('refuses links to such places, for reading too', async () => {
    await mkdir(join(bench.home, '.ssh'), { recursive: true });
    await writeFile(join(bench.home, '.ssh/id_ed25519'), 'PRIVATE KEY');
    await symlink(join(bench.home, '.ssh/id_ed25519'), at('innocent.txt'));
    await symlink(join(bench.home, '.ssh'), at('folder'));
    for (const path of [at('innocent.txt'), 'innocent.txt', 'folder/id_ed25519']) {
      const read = await bench.call('read_file', { path });
      expect(read.status).toBe('error');
      expect(read.text).not.toContain('PRIVATE KEY');
    }
    const written = await bench.call('write_file', { path: 'folder/authorized_keys', content: 'key' });
    expect(written.status).toBe('error');
    await expect(readFile(join(bench.home, '.ssh/authorized_keys'))).rejects.toThrow('ENOENT');
  });
});

describe('edit_file', () => {
  const edit = async (
    content: string,
    args: object,
    options = {},
  ): Promise<{ status: string; text: string; after: string }> => {
    await writeFile(at('edit.txt'), content);
    const { status, text } = await bench.call('edit_file', { path: 'edit.txt', ...args }, options);
    return { status, text, after: await readFile(at('edit.txt'), 'utf8') };
  };

  it('replaces an exact text and shows a small diff', async () => {
    const result = await edit('a\nb\nc\nd\ne\nf\n', { oldText: 'd', newText: 'D1\nD2' });
    expect(result.after).toBe('a\nb\nc\nD1\nD2\ne\nf\n');
    expect(result.text).toBe(`Changed 1 place in ${at('edit.txt')}\n@@ line 4 @@\n b\n c\n-d\n+D1\n+D2\n e\n f`);
  });

  it.each([
    [
      'trailing white space',
      'if (x) {  \n\treturn 1;\t\n}\n',
      'if (x) {\n\treturn 1;\n}',
      'done',
      'done\n',
      'whitespace',
    ],
    [
      'typographic characters',
      'He said \u201Chi\u201D \u2014 it\u2019s\u00A0ok\n',
      'said "hi" - it\'s ok',
      'left',
      'He left\n',
      'characters',
    ],
    [
      'indentation',
      'class A {\n    foo() {\n        bar();\n    }\n}\n',
      'foo() {\n    bar();\n}',
      'foo() {\n    baz();\n}',
      'class A {\n    foo() {\n        baz();\n    }\n}\n',
      'indentation',
    ],
  ])('tolerates %s', async (_title, ...[content, oldText, newText, after, word]) => {
    const result = await edit(content, { oldText, newText });
    expect(result).toMatchObject({ status: 'ok', after });
    expect(result.text).toContain(`${word} tolerated`);
  });

  it('keeps Windows line ends and a byte order mark', async () => {
    const result = await edit('\uFEFFa\r\nb\r\nc\r\n', { oldText: 'a\nb', newText: 'x\ny\nz' });
    expect(result.after).toBe('\uFEFFx\r\ny\r\nz\r\nc\r\n');
  });

  it('takes the new text literally', async () => {
    expect((await edit('price\n', { oldText: 'price', newText: "$& $1 $' \\n" })).after).toBe("$& $1 $' \\n\n");
  });

  it('names the lines where the old text is ambiguous and changes nothing', async () => {
    const result = await edit('x\na\nx\nb\nx\n', { oldText: 'x', newText: 'y' });
    expect(result).toMatchObject({ status: 'error', after: 'x\na\nx\nb\nx\n' });
    expect(result.text).toContain('3 times');
    expect(result.text).toContain('at lines 1, 3, 5');
  });

  it('replaces every occurrence when told to', async () => {
    const result = await edit('x\na\nx\nb\nx\n', { oldText: 'x', newText: 'y', replaceAll: true });
    expect(result.after).toBe('y\na\ny\nb\ny\n');
    expect(result.text).toContain('Changed 3 places');
  });

  it('shows the nearest lines when the old text is not there', async () => {
    const content = 'function alpha(a, b) {\n  return a + b;\n}\n\nfunction omega() {}\n';
    const result = await edit(content, { oldText: 'function alpha(a, c) {\n  return a + c;\n}', newText: 'x' });
    expect(result).toMatchObject({ status: 'error', after: content });
    expect(result.text).toContain('from line 1:\n1|function alpha(a, b) {\n2|  return a + b;\n3|}');
  });

  it.each([
    ['plainly', 'new\n', { oldText: 'old', newText: 'new' }],
    ['by an insertion that holds the old text', 'old\nmore\n', { oldText: 'old', newText: 'old\nmore' }],
    ['by a removal', 'rest\n', { oldText: 'gone\n', newText: '' }],
    ['everywhere', 'ab ab\n', { oldText: 'a', newText: 'ab', replaceAll: true }],
  ])('recognises on a second try that it has been applied, %s', async (_title, content, args) => {
    const result = await edit(content, args, { attempt: 2 });
    expect(result).toMatchObject({ status: 'ok', after: content });
    expect(result.text).toContain('Already applied');
  });

  it('applies on a second try what the first did not', async () => {
    expect((await edit('old\n', { oldText: 'old', newText: 'new' }, { attempt: 2 })).after).toBe('new\n');
  });

  it('leaves files alone that are no text, absent or unchanged', async () => {
    await writeFile(at('latin.txt'), Buffer.from([0x61, 0xe9, 0x62]));
    expect((await bench.call('edit_file', { path: 'latin.txt', oldText: 'a', newText: 'b' })).text).toContain(
      'no UTF-8',
    );
    expect(await readFile(at('latin.txt'))).toEqual(Buffer.from([0x61, 0xe9, 0x62]));
    expect((await bench.call('edit_file', { path: 'none.txt', oldText: 'a', newText: 'b' })).text).toContain(
      'write_file',
    );
    expect((await edit('a', { oldText: 'a', newText: 'a' })).status).toBe('error');
  });
});

describe('list_files and search_files', () => {
  beforeAll(async () => {
    await mkdir(at('tree/sub'), { recursive: true });
    await mkdir(at('tree/.git'), { recursive: true });
    await mkdir(at('tree/node_modules/pkg'), { recursive: true });
    await writeFile(at('tree/a.ts'), 'const needle = 1;\nconst other = 2;\n');
    await writeFile(at("tree/sub/it's b.md"), 'a Needle in\nthe needle stack\n');
    await writeFile(at('tree/.git/config'), 'needle\n');
    await writeFile(at('tree/node_modules/pkg/x.ts'), 'needle\n');
    await symlink('a.ts', at('tree/link'));
  });

  it('lists folders first, with sizes and kinds', async () => {
    const { text } = await bench.call('list_files', { path: 'tree' });
    const [head, ...lines] = text.split('\n');
    expect(head).toBe(`${at('tree')} (5 entries)`);
    expect(lines.map((line) => line.split('  ')[0])).toEqual(['.git/', 'node_modules/', 'sub/', 'a.ts', 'link@']);
    expect((await bench.call('list_files', { path: 'nowhere' })).status).toBe('error');
  });

  it('finds content with file and line, without .git and node_modules', async () => {
    const { status, text } = await bench.call('search_files', { pattern: 'needle', path: 'tree' });
    expect(status).toBe('ok');
    expect(text.split('\n').sort()).toEqual([
      `${at('tree/a.ts')}:1:const needle = 1;`,
      `${at("tree/sub/it's b.md")}:2:the needle stack`,
    ]);
  });

  it('narrows by file name, and says when nothing is found or more would be', async () => {
    expect((await bench.call('search_files', { pattern: 'needle', path: 'tree', glob: '*.md' })).text).toContain(
      'b.md:2',
    );
    expect((await bench.call('search_files', { pattern: 'no such text', path: 'tree' })).text).toBe('Nothing found.');
    const capped = await bench.call('search_files', { pattern: 'const', path: 'tree', maxResults: 1 });
    expect(capped.text).toContain('More than 1 result');
    expect(capped.text.split('\n')).toHaveLength(2);
  });

  it('finds files by name', async () => {
    const byPart = await bench.call('search_files', { pattern: 'B.M', path: 'tree', target: 'name' });
    expect(byPart.text).toBe(at("tree/sub/it's b.md"));
    const byGlob = await bench.call('search_files', { pattern: '*.ts', path: 'tree', target: 'name' });
    expect(byGlob.text).toBe(at('tree/a.ts'));
  });

  it('takes pattern and path as text, never as shell', async () => {
    const pattern = "'; touch pwned; echo '$(touch pwned)";
    expect((await bench.call('search_files', { pattern, path: 'tree', target: 'name' })).text).toBe('Nothing found.');
    await bench.call('search_files', { pattern: "-e'; touch pwned #", path: 'tree' });
    await expect(readFile(at('pwned'))).rejects.toThrow('ENOENT');
  });

  it('reports a pattern that is no regular expression, and a missing path', async () => {
    expect(await bench.call('search_files', { pattern: '(', path: 'tree' })).toMatchObject({ status: 'error' });
    expect(await bench.call('search_files', { pattern: 'x', path: 'nowhere' })).toMatchObject({ status: 'error' });
  });

  it('finds the same on a second try and leaves no run behind', async () => {
    const options = { callKey: 'main/1/9/0' };
    const first = await bench.call('search_files', { pattern: 'needle', path: 'tree' }, options);
    const second = await bench.call('search_files', { pattern: 'needle', path: 'tree' }, { ...options, attempt: 2 });
    expect(second.text).toBe(first.text);
    const runs = await bench.session.listRuns(conversationId);
    expect(runs.map((run) => run.key)).not.toContain('main/1/9/0');
  });
});

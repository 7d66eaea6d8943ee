import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createShellFiles } from '../../../src/backends/remote-files.ts';
import type { RemoteShell, ShellTransport } from '../../../src/backends/remote-shell.ts';
import { createResidentShell } from '../../../src/backends/resident-shell.ts';
import { PortError } from '../../../src/lib/port-error.ts';
import { createPlaceTransport } from '../../support/remote-place/transport.ts';

const place = { sh: ['/bin/sh'], env: { PATH: '/usr/bin:/bin' } };
let folder = '';
let shell: RemoteShell;
const at = (name: string) => join(folder, name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hermes-files-'));
  shell = createResidentShell({ transport: createPlaceTransport(place) });
});
afterEach(() => {
  shell.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The same block many times, one at a time. */
async function* blocks(block: Buffer, count: number) {
  for (let n = 0; n < count; n++) yield await Promise.resolve(block);
}

describe.each([
  ['over streams', createPlaceTransport(place)],
  ['through the shell', undefined],
])('files %s', (_how, transport: ShellTransport | undefined) => {
  const open = () => createShellFiles(shell, transport ? { transport } : {});

  it('go up and down whole, and nothing else is left beside them', async () => {
    const block = randomBytes(1_000_003);
    const count = transport ? 100 : 6;
    await open().upload(at('new/folder/big'), blocks(block, count));
    expect(readdirSync(at('new/folder'))).toEqual(['big']);
    const expected = createHash('sha256');
    for (let n = 0; n < count; n++) expected.update(block);
    const digest = expected.digest('hex');
    expect(
      createHash('sha256')
        .update(readFileSync(at('new/folder/big')))
        .digest('hex'),
    ).toBe(digest);
    const { stream, sizeBytes } = await open().download(at('new/folder/big'));
    expect(sizeBytes).toBe(block.length * count);
    const actual = createHash('sha256');
    for await (const bytes of stream as AsyncIterable<Buffer>) actual.update(bytes);
    expect(actual.digest('hex')).toBe(digest);
  }, 60_000);

  it('stay as they were when the source fails or the signal comes', async () => {
    writeFileSync(at('kept'), 'old');
    const reason = new Error('no more');
    async function* failing() {
      yield* blocks(Buffer.alloc(100_000), 5);
      throw reason;
    }
    await expect(open().upload(at('kept'), failing())).rejects.toBe(reason);
    const abort = new AbortController();
    async function* endless() {
      for (let n = 0; ; n++) {
        if (n === 20) abort.abort(reason);
        yield await Promise.resolve(Buffer.alloc(100_000));
      }
    }
    await expect(open().upload(at('kept'), endless(), { signal: abort.signal })).rejects.toBe(reason);
    expect(readFileSync(at('kept'), 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['kept']);
  });

  it('a full disk is told as such, and nothing is left behind', async () => {
    // Every write to it fails as on a full disk.
    const full = createShellFiles(limited(shell), transport ? { transport: limitedTransport(transport) } : {});
    writeFileSync(at('kept'), 'old');
    const refused = { code: 'Terminal.Full', retryable: false };
    await expect(full.upload(at('kept'), blocks(Buffer.alloc(100_000), 5))).rejects.toMatchObject(refused);
    await expect(full.write(at('kept'), Buffer.from('new'))).rejects.toMatchObject(refused);
    expect(readFileSync(at('kept'), 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['kept']);
  });
});

/** Tools that write file content find no space. */
const noSpace = `base64() { case "$__h_d" in ?*) command base64 "$@" >/dev/full ;; *) command base64 "$@" ;; esac; }\ndd() { case "$*" in *of=*) command dd of=/dev/full ;; *) command dd "$@" ;; esac; }\n`;
const limited = (real: RemoteShell): RemoteShell => ({
  run: (script, options) => real.run(noSpace + script, options),
  close: () => {
    real.close();
  },
});
const limitedTransport = (real: ShellTransport): ShellTransport => ({
  open: (command) => real.open(command.replace('exec cat >', 'exec cat >/dev/full; : >')),
});

describe('files whose answers get lost', () => {
  it('are written once more, and are there once', async () => {
    let lost = 0;
    const losing: RemoteShell = {
      ...shell,
      run: async (script, options) => {
        const result = await shell.run(script, options);
        if (lost++ % 2 === 0) throw new PortError('Terminal.OutcomeUnknown', 'lost');
        return result;
      },
    };
    const files = createShellFiles(losing);
    const bytes = randomBytes(200_000);
    await files.write(at('long'), bytes);
    await files.write(at('short'), Buffer.from('x'));
    expect((await files.read(at('long'), {})).bytes.equals(bytes)).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(['long', 'short']);
  });
});

describe('listing', () => {
  it('tells names with lines, spaces and dashes, in a folder of thousands', async () => {
    const names = ['-rf', 'a\nb', ' ', '.hidden', "it's", '*', 'ü🦉'];
    for (const name of names) writeFileSync(at(name), name);
    mkdirSync(at('many'));
    for (let n = 0; n < 3_000; n++) writeFileSync(at(`many/${n}`), '');
    const files = createShellFiles(shell);
    const entries = await files.list(folder);
    expect(entries.map(({ name }) => name)).toEqual([...names, 'many'].sort());
    expect(entries.find(({ name }) => name === 'a\nb')).toMatchObject({ kind: 'file', sizeBytes: 3 });
    const mtime = statSync(at("it's")).mtimeMs;
    const told = Date.parse(entries.find(({ name }) => name === "it's")?.modifiedAt ?? '');
    expect(Math.abs(told - mtime)).toBeLessThan(2);
    expect(await files.list(at('many'))).toHaveLength(3_000);
  });
});

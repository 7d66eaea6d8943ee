import { open, type FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createWriteStream } from 'node:fs';
import { PassThrough } from 'node:stream';
import { createInflateRaw } from 'node:zlib';

const endOfDirectory = 0x06054b50;
const directoryEntry = 0x02014b50;
const localHeader = 0x04034b50;

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly compressedBytes: number;
  readonly headerOffset: number;
}

/**
 * Writes the first entry whose name ends with `suffix` to `target` (stored or deflated; no Zip64, no encryption).
 * Throws when the archive is damaged or holds no such entry. Memory stays small whatever the entry's size.
 */
export async function extractZipEntry(archive: string, suffix: string, target: string): Promise<void> {
  const file = await open(archive, 'r');
  try {
    const entry = (await readDirectory(file)).find((candidate) => candidate.name.endsWith(suffix));
    if (entry === undefined) throw new Error(`${archive} holds no ${suffix}`);
    if (entry.method !== 0 && entry.method !== 8) {
      throw new Error(`${entry.name} is packed with unknown method ${entry.method}`);
    }
    const header = await readAt(file, entry.headerOffset, 30);
    if (header.readUInt32LE(0) !== localHeader) throw new Error(`${archive} is damaged: no header for ${entry.name}`);
    const start = entry.headerOffset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
    const source = file.createReadStream({ start, end: start + entry.compressedBytes - 1, autoClose: false });
    await pipeline(source, entry.method === 8 ? createInflateRaw() : new PassThrough(), createWriteStream(target));
  } finally {
    await file.close();
  }
}

async function readDirectory(file: FileHandle): Promise<Entry[]> {
  const { size } = await file.stat();
  const tail = await readAt(file, Math.max(0, size - 65_557), Math.min(size, 65_557));
  let at = tail.length - 22;
  while (at >= 0 && tail.readUInt32LE(at) !== endOfDirectory) at -= 1;
  if (at < 0) throw new Error('not a zip archive: it has no directory');
  const count = tail.readUInt16LE(at + 10);
  const directory = await readAt(file, tail.readUInt32LE(at + 16), tail.readUInt32LE(at + 12));
  const entries: Entry[] = [];
  let offset = 0;
  for (let index = 0; index < count; index += 1) {
    if (directory.readUInt32LE(offset) !== directoryEntry) throw new Error('the zip directory is damaged');
    const nameBytes = directory.readUInt16LE(offset + 28);
    entries.push({
      name: directory.toString('utf8', offset + 46, offset + 46 + nameBytes),
      method: directory.readUInt16LE(offset + 10),
      compressedBytes: directory.readUInt32LE(offset + 20),
      headerOffset: directory.readUInt32LE(offset + 42),
    });
    offset += 46 + nameBytes + directory.readUInt16LE(offset + 30) + directory.readUInt16LE(offset + 32);
  }
  return entries;
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  if (bytesRead < length) throw new Error('the archive is cut off');
  return buffer;
}

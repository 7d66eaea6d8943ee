import { open } from 'node:fs/promises';

const blockBytes = 512;

/**
 * Writes the regular file called `name` (at any depth) of an unpacked tar stream to `target`. Throws when the stream
 * ends before the file is complete or holds no such file. Memory stays small whatever the file's size.
 */
export async function extractTarEntry(tar: AsyncIterable<Buffer>, name: string, target: string): Promise<void> {
  const reader = new BlockReader(tar);
  for (;;) {
    const header = await reader.read(blockBytes);
    if (header === undefined || header[0] === 0) throw new Error(`the archive holds no ${name}`);
    const path = header.toString('utf8', 0, 100).replace(/\0.*$/s, '');
    const sizeBytes = Number.parseInt(header.toString('latin1', 124, 136), 8);
    if (!Number.isInteger(sizeBytes)) throw new Error('the archive is damaged: an entry has no size');
    const type = String.fromCharCode(header[156] ?? 0);
    const wanted = (type === '0' || type === '\0') && path.split('/').at(-1) === name;
    const output = wanted ? await open(target, 'w') : undefined;
    try {
      await reader.forward(sizeBytes, async (chunk) => {
        await output?.write(chunk);
      });
    } finally {
      await output?.close();
    }
    if (wanted) return;
    await reader.forward((blockBytes - (sizeBytes % blockBytes)) % blockBytes, () => Promise.resolve());
  }
}

class BlockReader {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Exactly `length` bytes, or undefined at a clean end. */
  async read(length: number): Promise<Buffer | undefined> {
    while (this.#rest.length < length) {
      const next = await this.#source.next();
      if (next.done === true) {
        if (this.#rest.length === 0) return undefined;
        throw new Error('the archive is cut off');
      }
      this.#rest = Buffer.concat([this.#rest, next.value]);
    }
    const block = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return block;
  }

  /** Hands on `length` bytes in the pieces they arrive in. */
  async forward(length: number, use: (chunk: Buffer) => Promise<void>): Promise<void> {
    let left = length;
    while (left > 0) {
      if (this.#rest.length === 0) {
        const next = await this.#source.next();
        if (next.done === true) throw new Error('the archive is cut off');
        this.#rest = next.value;
      }
      const chunk = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(chunk.length);
      left -= chunk.length;
      await use(chunk);
    }
  }
}

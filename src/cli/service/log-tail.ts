import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/**
 * Reads what was appended to a file since the last call. Starts at the file's end unless told where; starts over when
 * the file was emptied. A file that is not there yet is empty.
 */
export class LogTail {
  readonly #path: string;
  #offset: number;
  #rest = '';

  constructor(path: string, from: 'start' | 'end' = 'end') {
    this.#path = path;
    this.#offset = from === 'start' ? 0 : sizeOf(path);
  }

  /** Whole new lines. */
  read(): string[] {
    const added = readFrom(this.#path, this.#offset);
    if (added === undefined) return [];
    if (added.sizeBytes < this.#offset) {
      this.#offset = 0;
      this.#rest = '';
      return this.read();
    }
    this.#offset += added.bytes.length;
    const lines = (this.#rest + added.bytes.toString('utf8')).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines;
  }
}

/** The last lines of a file, reading at most its last megabyte; empty when it is not there. */
export function lastLines(path: string, count: number): string[] {
  const sizeBytes = sizeOf(path);
  const from = Math.max(0, sizeBytes - 1_000_000);
  const text = readFrom(path, from)?.bytes.toString('utf8') ?? '';
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  // The first line may be cut when we did not read from the start.
  return (from === 0 ? lines : lines.slice(1)).slice(-count);
}

function sizeOf(path: string): number {
  return readFrom(path, Infinity)?.sizeBytes ?? 0;
}

function readFrom(path: string, offset: number): { readonly bytes: Buffer; readonly sizeBytes: number } | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const sizeBytes = fstatSync(file).size;
    const bytes = Buffer.alloc(Math.max(0, sizeBytes - offset));
    const read = bytes.length === 0 ? 0 : readSync(file, bytes, 0, bytes.length, offset);
    return { bytes: bytes.subarray(0, read), sizeBytes };
  } finally {
    closeSync(file);
  }
}

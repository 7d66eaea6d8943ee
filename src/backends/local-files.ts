import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import {
  chown,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  type FileHandle,
} from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { PortError } from '../lib/port-error.ts';
import type { FileEntry } from './backend.ts';
import { codeOf, fileError } from './file-errors.ts';
import { untilAborted } from './file-source.ts';

/** More is refused unless the caller asks for a range. */
const wholeFileLimitBytes = 64 * 1024 * 1024;
const chunkBytes = 256 * 1024;

/** A file or a range of it. Throws Terminal.NotFound, Denied, Invalid (no regular file), TooLarge. */
export async function readLocalFile(
  path: string,
  { offset = 0, maxBytes }: { offset?: number; maxBytes?: number },
): Promise<{ bytes: Buffer; sizeBytes: number; modifiedAt: string }> {
  try {
    // O_NONBLOCK: opening a FIFO nobody writes to would wait for ever.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const info = await file.stat();
      requireRegular(info, path);
      if (maxBytes === undefined && info.size - offset > wholeFileLimitBytes) {
        const message = `The file is ${info.size} bytes long; read a range of it: ${path}`;
        throw new PortError('Terminal.TooLarge', message, { details: { path, sizeBytes: info.size } });
      }
      const bytes = await readRange(file, offset, Math.min(maxBytes ?? wholeFileLimitBytes, wholeFileLimitBytes));
      // Files the kernel makes up (/proc) say 0 and hold more.
      const sizeBytes = Math.max(info.size, bytes.length === 0 ? 0 : offset + bytes.length);
      return { bytes, sizeBytes, modifiedAt: info.mtime.toISOString() };
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(error, path);
  }
}

function requireRegular(info: Stats, path: string): void {
  if (info.isFile()) return;
  const what = info.isDirectory() ? 'It is a directory' : 'It is not a regular file';
  throw new PortError('Terminal.Invalid', `${what}: ${path}`, { details: { path } });
}

async function readRange(file: FileHandle, offset: number, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  while (length < limit) {
    const wanted = Math.min(chunkBytes, limit - length);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(wanted), 0, wanted, offset + length);
    if (bytesRead === 0) break;
    chunks.push(buffer.subarray(0, bytesRead));
    length += bytesRead;
  }
  return Buffer.concat(chunks);
}

/**
 * A whole file as a stream, with its size when it was opened: later growth is not read. Throws like `readLocalFile`, but
 * never TooLarge; the stream fails with a PortError.
 */
export async function openLocalFile(path: string): Promise<{ stream: Readable; sizeBytes: number }> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const info = await file.stat();
      requireRegular(info, path);
      return { stream: Readable.from(chunksOf(file, info.size, path), { objectMode: false }), sizeBytes: info.size };
    } catch (error) {
      await file.close();
      throw error;
    }
  } catch (error) {
    throw fileError(error, path);
  }
}

async function* chunksOf(file: FileHandle, sizeBytes: number, path: string): AsyncGenerator<Buffer> {
  try {
    for (let at = 0; at < sizeBytes;) {
      const wanted = Math.min(chunkBytes, sizeBytes - at);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(wanted), 0, wanted, at);
      if (bytesRead === 0) {
        throw new PortError('Terminal.BackendUnavailable', `The file became shorter while it was read: ${path}`);
      }
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  } catch (error) {
    throw fileError(error, path);
  } finally {
    await file.close();
  }
}

/**
 * Replaces a file by one step: readers see the old content or the new, also after a power cut. Keeps mode and owner;
 * writes through a link. Makes parent folders. Throws Terminal.Denied, NotFound, Invalid, Full.
 */
export function writeLocalFile(path: string, bytes: Buffer): Promise<void> {
  return replaceFile(path, (file) => file.writeFile(bytes));
}

/**
 * Like `writeLocalFile`, from a source of any size. What the source throws and the signal's reason come through as they
 * are; then the file is as it was.
 */
export async function saveLocalFile(
  path: string,
  source: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<void> {
  const failed: { readonly error: unknown }[] = [];
  const chunks = untilAborted(source, signal, (error) => failed.push({ error }));
  try {
    await replaceFile(path, async (file) => {
      for await (const bytes of chunks) await file.writeFile(bytes);
    });
  } catch (error) {
    throw failed[0] === undefined ? error : failed[0].error;
  }
}

/** Fills a draft beside the file and renames it into place. */
async function replaceFile(path: string, fill: (file: FileHandle) => Promise<void>): Promise<void> {
  try {
    const target = await linkTarget(path);
    const before = await orUndefined(stat(target));
    if (before) requireRegular(before, path);
    await mkdir(dirname(target), { recursive: true });
    const draft = join(dirname(target), `.${basename(target).slice(0, 100)}.${randomUUID()}`);
    try {
      const file = await open(draft, 'wx', 0o666);
      try {
        await fill(file);
        if (before) await file.chmod(before.mode & 0o7777);
        await file.datasync();
        const own = await file.stat();
        if (before && (before.uid !== own.uid || before.gid !== own.gid)) await keepOwner(draft, before);
      } finally {
        await file.close();
      }
      await rename(draft, target);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  } catch (error) {
    throw fileError(error, path);
  }
}

/** A file we may replace may belong to somebody we may not give it back to; then it is ours, as after `cp`. */
async function keepOwner(path: string, { uid, gid, mode }: Stats): Promise<void> {
  try {
    await chown(path, uid, gid);
    const file = await open(path, 'r');
    // chown clears set-id bits.
    await file.chmod(mode & 0o7777).finally(() => file.close());
  } catch (error) {
    if (codeOf(error) !== 'EPERM') throw error;
  }
}

async function linkTarget(path: string): Promise<string> {
  const info = await orUndefined(lstat(path));
  return info?.isSymbolicLink() ? realpath(path) : path;
}

async function orUndefined<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Where links in a circle are given up; as many as Linux follows. */
const mostLinks = 40;

/** The path with its links followed; its end need not exist. Throws Terminal.Invalid where links go round in circles. */
export async function realLocalPath(path: string): Promise<string> {
  let rest = '';
  let at = path;
  for (let links = 0; links < mostLinks;) {
    try {
      return join(await realpath(at), rest);
    } catch (error) {
      if (codeOf(error) === 'ELOOP') break;
      if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw fileError(error, path);
    }
    const target = await readlink(at).catch(() => null);
    if (target === null) {
      rest = join(basename(at), rest);
      at = dirname(at);
    } else {
      // A link that leads nowhere: what is made there appears at its other end.
      links += 1;
      at = resolve(dirname(at), target);
    }
  }
  throw new PortError('Terminal.Invalid', `The links of this path go round in circles: ${path}`);
}

/** Entries by name; links are not followed. Throws Terminal.NotFound, Denied. */
export async function listLocalFiles(path: string): Promise<readonly FileEntry[]> {
  try {
    const names = (await readdir(path)).sort();
    const entries: FileEntry[] = [];
    for (let at = 0; at < names.length; at += 64) {
      const infos = await Promise.all(names.slice(at, at + 64).map((name) => entryOf(path, name)));
      entries.push(...infos.filter((entry) => entry !== undefined));
    }
    return entries;
  } catch (error) {
    throw fileError(error, path);
  }
}

async function entryOf(folder: string, name: string): Promise<FileEntry | undefined> {
  // Removed since the folder was read: no entry.
  const info = await orUndefined(lstat(join(folder, name)));
  return info && { name, kind: kindOf(info), sizeBytes: info.size, modifiedAt: info.mtime.toISOString() };
}

function kindOf(info: Stats): FileEntry['kind'] {
  if (info.isFile()) return 'file';
  if (info.isDirectory()) return 'directory';
  return info.isSymbolicLink() ? 'link' : 'other';
}

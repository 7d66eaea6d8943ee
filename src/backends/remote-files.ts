import { randomBytes, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { PortError } from '../lib/port-error.ts';
import type { FileEntry } from './backend.ts';
import { inPieces, untilAborted } from './file-source.ts';
import * as scripts from './remote-file-scripts.ts';
import type { RemoteShell, ShellResult, ShellRunOptions, ShellTransport } from './remote-shell.ts';
import { shellQuote } from './run-layout.ts';
import { shellFileError } from './shell-errors.ts';
import { repeatable } from './shell-repeat.ts';

/**
 * Files of an environment by absolute path. Fails as the files of a TerminalSession do; everything may be repeated.
 * Links are followed, but for the entries of `list`.
 */
export interface RemoteFiles {
  /** Terminal.NotFound, Denied. */
  stat(path: string): Promise<RemoteFileInfo>;
  /** Terminal.NotFound, Denied, Invalid (no regular file), TooLarge (no `maxBytes` and more than 64 MB). */
  read(
    path: string,
    range: { offset?: number; maxBytes?: number },
  ): Promise<{ bytes: Buffer; sizeBytes: number; modifiedAt: string }>;
  /** Terminal.Denied, Invalid, Full; then the file is as it was. */
  write(path: string, bytes: Buffer): Promise<void>;
  /** By name. */
  list(path: string): Promise<readonly FileEntry[]>;
  download(path: string): Promise<{ stream: Readable; sizeBytes: number }>;
  /** What the source throws and the signal's reason come through as they are; then the file is as it was. */
  upload(path: string, source: AsyncIterable<Uint8Array>, options?: { signal?: AbortSignal }): Promise<void>;
}

export type RemoteFileInfo = scripts.FileInfo;

/** More is refused unless the caller asks for a range. */
const wholeFileLimitBytes = 64 * 1024 * 1024;
/** Per request; a script may be 100 KB long, and base64 makes a third more of it. */
const chunkBytes = { up: 65_536, down: 1_048_576 };
/** A folder of 100,000 entries. */
const listLimitBytes = 32 * 1024 * 1024;
/** What is longer goes over a connection of its own, where there is one to be had. */
const streamFromBytes = 1_048_576;

/**
 * Files through sh scripts. With a `transport`, long files go up and down as a stream each; without, piece by piece
 * through the shell.
 */
export function createShellFiles(shell: RemoteShell, options: { transport?: ShellTransport } = {}): RemoteFiles {
  const { transport } = options;

  const ask = async (script: string, path: string, run?: ShellRunOptions): Promise<ShellResult> => {
    const result = await shell.run(script, run);
    if (result.exitCode === scripts.exits.notRegular) throw notRegular(path, result.stdout);
    if (result.exitCode === scripts.exits.incomplete) throw incomplete(path);
    if (result.exitCode !== 0 && result.exitCode !== scripts.exits.tooLarge) throw shellFileError(result.stderr, path);
    return result;
  };

  async function readPart(path: string, range: { offset: number; count: number; wholeLimitBytes?: number }) {
    const limits = { maxOutputBytes: range.count + 4_096 };
    const result = await repeatable(() => ask(scripts.readScript(path, range), path, limits));
    const end = result.stdout.indexOf(10);
    const info = scripts.parseInfo(result.stdout.toString('latin1', 0, end));
    if (result.exitCode === scripts.exits.tooLarge) {
      const message = `The file is ${info.sizeBytes} bytes long; read a range of it: ${path}`;
      throw new PortError('Terminal.TooLarge', message, { details: { path, sizeBytes: info.sizeBytes } });
    }
    return { ...info, bytes: result.stdout.subarray(end + 1) };
  }

  async function read(path: string, { offset = 0, maxBytes }: { offset?: number; maxBytes?: number }) {
    const limit = Math.min(maxBytes ?? wholeFileLimitBytes, wholeFileLimitBytes);
    const whole = maxBytes === undefined ? { wholeLimitBytes: wholeFileLimitBytes } : {};
    const first = await readPart(path, { offset, count: Math.min(limit, chunkBytes.down), ...whole });
    const chunks = [first.bytes];
    let length = first.bytes.length;
    while (length < limit && chunks.at(-1)?.length === chunkBytes.down) {
      const next = await readPart(path, {
        offset: offset + length,
        count: Math.min(limit - length, chunkBytes.down),
      });
      chunks.push(next.bytes);
      length += next.bytes.length;
    }
    // Files the kernel makes up (/proc) say 0 and hold more.
    const sizeBytes = Math.max(first.sizeBytes, length === 0 ? 0 : offset + length);
    return { bytes: Buffer.concat(chunks), sizeBytes, modifiedAt: first.modifiedAt };
  }

  async function* inRanges(path: string, sizeBytes: number): AsyncGenerator<Buffer> {
    for (let at = 0; at < sizeBytes;) {
      const { bytes } = await readPart(path, { offset: at, count: Math.min(chunkBytes.down, sizeBytes - at) });
      if (bytes.length === 0) throw shorter(path);
      yield bytes;
      at += bytes.length;
    }
  }

  async function download(path: string) {
    const info = await readPart(path, { offset: 0, count: 0 });
    const { sizeBytes } = info;
    const chunks =
      transport && sizeBytes >= streamFromBytes ? overTransport(transport, path, sizeBytes) : inRanges(path, sizeBytes);
    return { stream: Readable.from(chunks, { objectMode: false }), sizeBytes };
  }

  function write(path: string, bytes: Buffer): Promise<void> {
    if (bytes.length <= chunkBytes.up) return writeWhole(path, bytes);
    return upload(path, Readable.from([bytes], { objectMode: true }) as AsyncIterable<Uint8Array>);
  }

  async function writeWhole(path: string, bytes: Buffer): Promise<void> {
    requireFileName(path);
    await repeatable(() => ask(scripts.writeScript(path, newDraftName(), bytes), path));
  }

  async function upload(path: string, source: AsyncIterable<Uint8Array>, { signal }: { signal?: AbortSignal } = {}) {
    const failed: { readonly error: unknown }[] = [];
    const pieces = inPieces(
      untilAborted(source, signal, (error) => failed.push({ error })),
      chunkBytes.up,
    );
    try {
      const first = await pieces.next();
      const second = first.done === true ? first : await pieces.next();
      if (second.done === true) await writeWhole(path, first.done === true ? Buffer.alloc(0) : first.value);
      else await writePieces(path, ahead([first.value as Buffer, second.value], pieces));
    } catch (error) {
      throw failed[0] === undefined ? error : failed[0].error;
    } finally {
      await pieces.return(undefined);
    }
  }

  async function writePieces(path: string, pieces: AsyncIterable<Buffer>): Promise<void> {
    requireFileName(path);
    const draftName = newDraftName();
    const begun = await repeatable(() => ask(scripts.draftScript(path, draftName), path));
    const draft = begun.stdout.toString();
    try {
      const sizeBytes = transport
        ? await sendOver(transport, draft, pieces, path)
        : await sendPieces(draft, pieces, path);
      let tries = 0;
      await repeatable(() => ask(scripts.finishScript(path, draftName, sizeBytes, tries++ > 0), path));
    } catch (error) {
      // Nothing is left behind where there is still a way to reach it; the first error is the one to tell.
      await shell.run(`rm -f ${shellQuote(draft)}`).catch(() => undefined);
      throw error;
    }
  }

  async function sendPieces(draft: string, pieces: AsyncIterable<Buffer>, path: string): Promise<number> {
    let index = 0;
    let sizeBytes = 0;
    for await (const bytes of pieces) {
      const script = scripts.pieceScript(draft, index, chunkBytes.up, bytes);
      await repeatable(() => ask(script, path));
      index += 1;
      sizeBytes += bytes.length;
    }
    return sizeBytes;
  }

  return {
    stat: async (path) =>
      scripts.parseInfo((await repeatable(() => ask(scripts.statScript(path), path))).stdout.toString()),
    read,
    write,
    list: async (path) => {
      const mark = randomBytes(16).toString('hex');
      const limits = { maxOutputBytes: listLimitBytes };
      const { stdout } = await repeatable(() => ask(scripts.listScript(path, mark), path, limits));
      return scripts.parseList(stdout, mark);
    },
    download,
    upload,
  };
}

async function* overTransport(transport: ShellTransport, path: string, sizeBytes: number): AsyncGenerator<Buffer> {
  const process = await transport.open(`LC_ALL=C exec head -c ${sizeBytes} ${shellQuote(path)}`);
  process.input.on('error', () => undefined);
  let length = 0;
  try {
    for await (const bytes of process.output as AsyncIterable<Buffer>) {
      length += bytes.length;
      yield bytes;
    }
  } catch (error) {
    throw new PortError('Terminal.BackendUnavailable', `The connection broke while a file was read: ${path}`, {
      cause: error,
    });
  } finally {
    process.destroy();
  }
  if (length === sizeBytes) return;
  const code = await process.ended;
  if (code === null) {
    throw new PortError('Terminal.BackendUnavailable', `The connection broke while a file was read: ${path}`);
  }
  throw code === 0 ? shorter(path) : shellFileError(process.errors(), path);
}

/** Sends the pieces to a `cat` of their own. Resolves with how many bytes that were, once all are in the draft. */
async function sendOver(
  transport: ShellTransport,
  draft: string,
  pieces: AsyncIterable<Buffer>,
  path: string,
): Promise<number> {
  const process = await transport.open(`LC_ALL=C exec cat >${shellQuote(draft)}`);
  let broken = false;
  let resume = () => {};
  const wake = () => {
    resume();
  };
  const breaks = () => {
    broken = true;
    wake();
  };
  process.input.on('error', breaks).on('close', breaks).on('drain', wake);
  process.output.on('error', () => undefined).resume();
  void process.ended.then(breaks);
  let sizeBytes = 0;
  try {
    for await (const bytes of pieces) {
      if (broken) break;
      sizeBytes += bytes.length;
      if (process.input.write(bytes)) continue;
      await new Promise<void>((resolve) => {
        resume = resolve;
        if (broken) resolve();
      });
    }
    if (!broken) process.input.end();
    const code = await process.ended;
    if (code === 0) return sizeBytes;
    if (code !== null) throw shellFileError(process.errors(), path);
    throw new PortError('Terminal.BackendUnavailable', `The connection broke while a file was written: ${path}`);
  } finally {
    process.destroy();
  }
}

async function* ahead(first: readonly Buffer[], rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* first;
  yield* rest;
}

const newDraftName = () => `.hermes-${randomUUID()}`;

function requireFileName(path: string): void {
  if (path.endsWith('/')) {
    throw new PortError('Terminal.Invalid', `It is a directory: ${path}`, { details: { path } });
  }
}

function notRegular(path: string, stdout: Buffer): PortError {
  const directory = scripts.parseInfo(`${stdout.toString('latin1').split('\n')[0] ?? ''} 0 0 0`).kind === 'directory';
  const what = directory ? 'It is a directory' : 'It is not a regular file';
  return new PortError('Terminal.Invalid', `${what}: ${path}`, { details: { path } });
}

function incomplete(path: string): PortError {
  return new PortError('Terminal.BackendUnavailable', `The file did not arrive whole and was not written: ${path}`);
}

function shorter(path: string): PortError {
  return new PortError('Terminal.BackendUnavailable', `The file became shorter while it was read: ${path}`);
}

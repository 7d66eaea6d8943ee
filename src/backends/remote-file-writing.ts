import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { PortError } from '../lib/port-error.ts';
import { inPieces, untilAborted } from './file-source.ts';
import type { RemoteFiles } from './remote-files.ts';
import * as scripts from './remote-file-scripts.ts';
import type { RemoteShell, ShellTransport } from './remote-shell.ts';
import { shellQuote } from './run-layout.ts';
import type { Ask } from './shell-asking.ts';
import { shellFileError } from './shell-errors.ts';

/** Per request; a script may be 100 KB long, and base64 makes a third more of it. */
const chunkBytes = 65_536;

export function createFileWriting(
  ask: Ask,
  shell: RemoteShell,
  transport: ShellTransport | undefined,
): Pick<RemoteFiles, 'write' | 'upload'> {
  function write(path: string, bytes: Buffer): Promise<void> {
    if (bytes.length <= chunkBytes) return writeWhole(path, bytes);
    return upload(path, Readable.from([bytes], { objectMode: true }) as AsyncIterable<Uint8Array>);
  }

  async function writeWhole(path: string, bytes: Buffer): Promise<void> {
    requireFileName(path);
    await ask(scripts.writeScript(path, newDraftName(), bytes), path);
  }

  async function upload(path: string, source: AsyncIterable<Uint8Array>, { signal }: { signal?: AbortSignal } = {}) {
    const failed: { readonly error: unknown }[] = [];
    const pieces = inPieces(
      untilAborted(source, signal, (error) => failed.push({ error })),
      chunkBytes,
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
    const begun = await ask(scripts.draftScript(path, draftName), path);
    const draft = begun.stdout.toString();
    try {
      const sizeBytes = transport
        ? await sendOver(transport, draft, pieces, path)
        : await sendPieces(draft, pieces, path);
      await ask(scripts.finishScript(path, draftName, sizeBytes), path);
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
      await ask(scripts.pieceScript(draft, index, chunkBytes, bytes), path);
      index += 1;
      sizeBytes += bytes.length;
    }
    return sizeBytes;
  }

  return { write, upload };
}

/** Sends the pieces to a `cat` of their own. Resolves with how many bytes that were, once all are in the draft. */
async function sendOver(
  transport: ShellTransport,
  draft: string,
  pieces: AsyncIterable<Buffer>,
  path: string,
): Promise<number> {
  const process = await transport.open(`LC_ALL=C exec cat >${shellQuote(draft)}`);
  const line = { broken: false };
  let resume = () => {};
  const wake = () => {
    resume();
  };
  const breaks = () => {
    line.broken = true;
    wake();
  };
  process.input.on('error', breaks).on('close', breaks).on('drain', wake);
  process.output.on('error', () => undefined).resume();
  void process.ended.then(breaks);
  let sizeBytes = 0;
  try {
    for await (const bytes of pieces) {
      if (line.broken) break;
      sizeBytes += bytes.length;
      if (process.input.write(bytes)) continue;
      await new Promise<void>((resolve) => {
        resume = resolve;
        if (line.broken) resolve();
      });
    }
    if (!line.broken) process.input.end();
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

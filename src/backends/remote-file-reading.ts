import { Readable } from 'node:stream';
import { PortError } from '../lib/port-error.ts';
import type { RemoteFiles } from './remote-files.ts';
import * as scripts from './remote-file-scripts.ts';
import type { ShellTransport } from './remote-shell.ts';
import { shellQuote } from './run-layout.ts';
import type { Ask } from './shell-asking.ts';
import { shellFileError } from './shell-errors.ts';

/** More is refused unless the caller asks for a range. */
const wholeFileLimitBytes = 64 * 1024 * 1024;
/** Per request. */
const chunkBytes = 1_048_576;
/** What is longer goes over a connection of its own, where there is one to be had. */
const streamFromBytes = 2 * chunkBytes;

export function createFileReading(
  ask: Ask,
  transport: ShellTransport | undefined,
): Pick<RemoteFiles, 'read' | 'download'> {
  async function readPart(path: string, range: { offset: number; count: number; wholeLimitBytes?: number }) {
    const limits = { maxOutputBytes: range.count + 4_096 };
    const result = await ask(scripts.readScript(path, range), path, limits);
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
    const first = await readPart(path, { offset, count: Math.min(limit, chunkBytes), ...whole });
    const chunks = [first.bytes];
    let length = first.bytes.length;
    while (length < limit && chunks.at(-1)?.length === chunkBytes) {
      const next = await readPart(path, {
        offset: offset + length,
        count: Math.min(limit - length, chunkBytes),
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
      const { bytes } = await readPart(path, { offset: at, count: Math.min(chunkBytes, sizeBytes - at) });
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

  return { read, download };
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

function shorter(path: string): PortError {
  return new PortError('Terminal.BackendUnavailable', `The file became shorter while it was read: ${path}`);
}

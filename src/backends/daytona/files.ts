import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Sandbox } from '@daytona/sdk';
import { PortError } from '../../lib/port-error.ts';
import { inPieces, untilAborted } from '../file-source.ts';
import { draftScript, finishScript } from '../remote-file-scripts.ts';
import { createShellFiles, type RemoteFiles } from '../remote-files.ts';
import type { RemoteShell } from '../remote-shell.ts';
import { shellQuote } from '../run-layout.ts';
import { createAsking } from '../shell-asking.ts';
import type { DaytonaClient } from './client.ts';

/** What is shorter goes within one script. */
const scriptBytes = 65_536;
/** What is shorter is read within one script. */
const readBytes = 524_288;
const transferSeconds = 3_600;

/**
 * Files through scripts, and long ones through the daemon's own upload and download, one request for the whole file.
 * An upload goes to a draft beside the file, which a script then renames into place, as every other backend does it.
 */
export function createDaytonaFiles(client: DaytonaClient, sandbox: Sandbox, shell: RemoteShell): RemoteFiles {
  const files = createShellFiles(shell);

  const { ask } = createAsking(shell);

  async function send(path: string, pieces: AsyncIterable<Buffer>, signal: AbortSignal | undefined): Promise<void> {
    const name = `.hermes-${randomUUID()}`;
    const draft = (await ask(draftScript(path, name), path)).stdout.toString();
    let sizeBytes = 0;
    const counted = async function* () {
      for await (const piece of pieces) {
        sizeBytes += piece.length;
        yield piece;
      }
    };
    try {
      const options = { timeout: transferSeconds, ...(signal ? { signal } : {}) };
      await client.ask('control', () => sandbox.fs.uploadFileStream(Readable.from(counted()), draft, options));
      await ask(finishScript(path, name, sizeBytes), path);
    } catch (error) {
      // Nothing is left behind where there is still a way to reach it; the first error is the one to tell.
      await shell.run(`rm -f ${shellQuote(draft)}`).catch(() => undefined);
      throw error;
    }
  }

  async function upload(path: string, source: AsyncIterable<Uint8Array>, options: { signal?: AbortSignal } = {}) {
    const { signal } = options;
    const failed: { readonly error: unknown }[] = [];
    const heard = untilAborted(source, signal, (error) => failed.push({ error }));
    const pieces = inPieces(heard, scriptBytes);
    try {
      const first = await pieces.next();
      const second = first.done === true ? first : await pieces.next();
      if (second.done === true) await files.write(path, first.done === true ? Buffer.alloc(0) : first.value);
      else await send(path, ahead([first.value as Buffer, second.value], pieces), signal);
    } catch (error) {
      throw failed[0] === undefined ? error : failed[0].error;
    } finally {
      await pieces.return(undefined);
    }
  }

  /**
   * The daemon ends a part where the file itself holds its boundary, and a connection may break: what is missing then
   * is read in ranges.
   */
  async function* received(path: string, sizeBytes: number): AsyncGenerator<Buffer> {
    let at = 0;
    try {
      const options = { timeout: transferSeconds };
      const stream = await client.ask('command', () => sandbox.fs.downloadFileStream(path, options));
      for await (const bytes of stream as AsyncIterable<Buffer>) {
        const wanted = bytes.subarray(0, sizeBytes - at);
        at += wanted.length;
        yield wanted;
        if (at >= sizeBytes) return;
      }
    } catch (error) {
      // A way that is shut for good is shut for the ranges too, and they say why.
      if (at >= sizeBytes) throw error;
    }
    while (at < sizeBytes) {
      const { bytes } = await files.read(path, { offset: at, maxBytes: Math.min(readBytes, sizeBytes - at) });
      if (bytes.length === 0) {
        throw new PortError('Terminal.BackendUnavailable', `The file became shorter while it was read: ${path}`);
      }
      at += bytes.length;
      yield bytes;
    }
  }

  return {
    ...files,
    upload,
    write: (path, bytes) => (bytes.length <= scriptBytes ? files.write(path, bytes) : upload(path, once(bytes))),
    download: async (path) => {
      const { bytes, sizeBytes } = await files.read(path, { offset: 0, maxBytes: readBytes });
      if (bytes.length >= sizeBytes) return { stream: Readable.from([bytes], { objectMode: false }), sizeBytes };
      // The name comes back in a header, unquoted.
      if (!/^[\w./@%+=:, -]+$/.test(path)) return files.download(path);
      return { stream: Readable.from(received(path, sizeBytes), { objectMode: false }), sizeBytes };
    },
  };
}

// eslint-disable-next-line @typescript-eslint/require-await -- a source is asynchronous
async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* ahead(first: readonly Buffer[], rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* first;
  yield* rest;
}

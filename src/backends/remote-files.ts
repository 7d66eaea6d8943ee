import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { FileEntry } from './backend.ts';
import { createFileAsking } from './remote-file-asking.ts';
import { createFileReading } from './remote-file-reading.ts';
import * as scripts from './remote-file-scripts.ts';
import { createFileWriting } from './remote-file-writing.ts';
import type { RemoteShell, ShellTransport } from './remote-shell.ts';

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
  /** With every link followed; the end of the path need not exist. Terminal.Invalid where links go round in circles. */
  realPath(path: string): Promise<string>;
  /** What the source throws and the signal's reason come through as they are; then the file is as it was. */
  upload(path: string, source: AsyncIterable<Uint8Array>, options?: { signal?: AbortSignal }): Promise<void>;
}

export type RemoteFileInfo = scripts.FileInfo;

/** A folder of 100,000 entries. */
const listLimitBytes = 32 * 1024 * 1024;

/**
 * Files through sh scripts. With a `transport`, long files go up and down as a stream each; without, piece by piece
 * through the shell.
 */
export function createShellFiles(shell: RemoteShell, options: { transport?: ShellTransport } = {}): RemoteFiles {
  const ask = createFileAsking(shell);
  return {
    ...createFileReading(ask, options.transport),
    ...createFileWriting(ask, shell, options.transport),
    stat: async (path) => scripts.parseInfo((await ask(scripts.statScript(path), path)).stdout.toString()),
    realPath: async (path) => (await ask(scripts.realPathScript(path), path)).stdout.toString(),
    list: async (path) => {
      const mark = randomBytes(16).toString('hex');
      const { stdout } = await ask(scripts.listScript(path, mark), path, { maxOutputBytes: listLimitBytes });
      return scripts.parseList(stdout, mark);
    },
  };
}

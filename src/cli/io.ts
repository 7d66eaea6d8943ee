/** The three streams of a command, so that nothing below the entry reaches for the process. */
export interface Io {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** Whether a person sits at both ends. */
export function isInteractive(io: Io): boolean {
  return io.stdin.isTTY && io.stdout.isTTY && process.env['TERM'] !== 'dumb';
}

/** Whether to write colours to this stream: not when NO_COLOR is set (no-color.org) or nobody looks at it. */
export function wantsColour(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean {
  if ((env['NO_COLOR'] ?? '') !== '') return false;
  return stream.isTTY === true && env['TERM'] !== 'dumb';
}

/** Resolves when the text is with the kernel, so that an exit right after loses nothing. A closed pipe is no error. */
export function writeOut(stream: NodeJS.WritableStream, text: string): Promise<void> {
  return new Promise((done, reject) => {
    stream.write(text, (error) => {
      if (error === null || error === undefined || (error as NodeJS.ErrnoException).code === 'EPIPE') done();
      else reject(error);
    });
  });
}

/** All of standard input as text. */
export async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(typeof part === 'string' ? Buffer.from(part) : part);
  return Buffer.concat(parts).toString('utf8');
}

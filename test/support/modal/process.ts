import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Tree } from './tree.ts';

/** How much nobody has read yet before the command has to wait, and how much is kept for those who read again. */
const limits = { waitingBytes: 8 * 1024 * 1024, keptBytes: 4 * 1024 * 1024 };

/** Output of a command, which any number of readers may read from any offset that is still kept. */
export class Output {
  private readonly pieces: { at: number; bytes: Buffer }[] = [];
  private total = 0;
  private delivered = 0;
  private ended = false;
  private waiting: (() => void)[] = [];
  private readonly source: Readable | null;

  constructor(source: Readable | null) {
    this.source = source;
    if (!source) this.ended = true;
    source?.on('data', (bytes: Buffer) => {
      this.pieces.push({ at: this.total, bytes });
      this.total += bytes.length;
      if (this.total - this.delivered > limits.waitingBytes) source.pause();
      this.wake();
    });
    source?.once('close', () => {
      this.ended = true;
      this.wake();
    });
  }

  /** Pieces from `offset` on to the end. */
  async *read(offset: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    signal.addEventListener('abort', () => {
      this.wake();
    });
    for (let at = offset; !signal.aborted;) {
      const piece = this.pieces.find(({ at: start, bytes }) => start <= at && at < start + bytes.length);
      if (piece) {
        yield piece.bytes.subarray(at - piece.at);
        at = piece.at + piece.bytes.length;
        this.deliver(at);
      } else if (this.ended) {
        return;
      } else {
        await new Promise<void>((resolve) => this.waiting.push(resolve));
      }
    }
  }

  private deliver(at: number): void {
    this.delivered = Math.max(this.delivered, at);
    if (this.total - this.delivered <= limits.waitingBytes) this.source?.resume();
    for (;;) {
      const [first] = this.pieces;
      if (!first || first.at + first.bytes.length > this.delivered - limits.keptBytes) return;
      this.pieces.shift();
    }
  }

  private wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A command in a tree, as the router keeps it: it does not mind who is connected. */
export class SandboxProcess {
  readonly output: readonly [Output, Output];
  readonly exit: Promise<Exit>;
  private readonly child: ChildProcess;
  private written = 0;
  private writing: Promise<void> = Promise.resolve();

  constructor(tree: Tree, options: { command: string[]; workdir: string; pty: boolean; timeoutMs: number }) {
    // `script` gives the command a terminal of the tree's own; 24 by 80 is what Modal makes.
    const terminal = [
      'script',
      '-qefc',
      `stty rows 24 cols 80; exec ${options.command.map(quote).join(' ')}`,
      '/dev/null',
    ];
    this.child = tree.spawn(options.pty ? terminal : options.command, { workdir: options.workdir || '/root' });
    this.output = [new Output(this.child.stdout), new Output(this.child.stderr)];
    this.child.stdin?.on('error', () => undefined);
    const timer =
      options.timeoutMs > 0
        ? setTimeout(() => {
            this.kill();
          }, options.timeoutMs)
        : undefined;
    this.exit = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => {
        clearTimeout(timer);
        resolve({ code, signal });
      });
    });
  }

  kill(): void {
    try {
      if (this.child.pid !== undefined) process.kill(-this.child.pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }

  /** Idempotent by offset. False when there is a gap before it. */
  async write(offset: number, data: Buffer, eof: boolean): Promise<boolean> {
    if (offset > this.written) return false;
    const fresh = data.subarray(this.written - offset);
    this.written += fresh.length;
    const write = async () => {
      const stdin = this.child.stdin;
      if (!stdin?.writable) return;
      if (fresh.length > 0) await new Promise<void>((resolve) => stdin.write(fresh, () => resolve()));
      if (eof) stdin.end();
    };
    this.writing = this.writing.then(write);
    await this.writing;
    return true;
  }
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

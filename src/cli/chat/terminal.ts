import { StringDecoder } from 'node:string_decoder';
import type { Io } from '../io.ts';
import { KeyDecoder, type Key } from './keys.ts';

const bracketedPasteOn = '\u001b[?2004h';
const bracketedPasteOff = '\u001b[?2004l';
const showCursor = '\u001b[?25h';
/** A lone ESC is the key when nothing follows for this long. */
const escapeMs = 50;

/** The terminal in raw mode, given back as it was whatever happens. */
export class Terminal {
  private readonly io: Io;
  private readonly decoder = new StringDecoder('utf8');
  private readonly keys = new KeyDecoder();
  private escapeTimer: NodeJS.Timeout | null = null;
  private onKey: (key: Key) => void = () => undefined;
  private readonly onData = (data: Buffer): void => this.take(data);
  private readonly giveBack = (): void => this.restore();

  constructor(io: Io) {
    this.io = io;
  }

  get columns(): number {
    return Math.max(10, this.io.stdout.columns);
  }

  get rows(): number {
    return Math.max(4, this.io.stdout.rows);
  }

  write(text: string): void {
    this.io.stdout.write(text);
  }

  open(onKey: (key: Key) => void): void {
    this.onKey = onKey;
    process.on('exit', this.giveBack);
    this.raw();
    this.io.stdin.on('data', this.onData);
    this.io.stdin.resume();
  }

  close(): void {
    if (this.escapeTimer !== null) clearTimeout(this.escapeTimer);
    this.io.stdin.off('data', this.onData);
    process.off('exit', this.giveBack);
    this.restore();
    this.io.stdin.pause();
  }

  /** Ctrl-Z: stops the process as the shell expects; `resumed` is called when it goes on. */
  suspend(resumed: () => void): void {
    this.restore();
    process.once('SIGCONT', () => {
      this.raw();
      resumed();
    });
    process.kill(process.pid, 'SIGTSTP');
  }

  private raw(): void {
    this.io.stdin.setRawMode(true);
    this.write(bracketedPasteOn);
  }

  private restore(): void {
    this.write(bracketedPasteOff + showCursor);
    this.io.stdin.setRawMode(false);
  }

  private take(data: Buffer): void {
    if (this.escapeTimer !== null) clearTimeout(this.escapeTimer);
    this.escapeTimer = null;
    for (const key of this.keys.push(this.decoder.write(data))) this.onKey(key);
    if (!this.keys.undecided) return;
    this.escapeTimer = setTimeout(() => {
      for (const key of this.keys.flush()) this.onKey(key);
    }, escapeMs);
  }
}

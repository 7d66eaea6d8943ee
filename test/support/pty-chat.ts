import { join } from 'node:path';
import { spawn, type IPty } from '@lydell/node-pty';
import headless from '@xterm/headless';
import { cliFromSources } from './run-cli.ts';

/** The command on a real pseudo-terminal, its output drawn by a real terminal emulator. */
export class PtyChat {
  readonly pty: IPty;
  /** Everything the command has written. */
  raw = '';
  exitCode: number | null = null;
  private readonly terminal: InstanceType<typeof headless.Terminal>;

  constructor(
    home: string,
    args: readonly string[] = [],
    size = { columns: 80, rows: 24 },
    env: Record<string, string> = {},
  ) {
    const { columns: cols, rows } = size;
    this.terminal = new headless.Terminal({ cols, rows, scrollback: 5_000, allowProposedApi: true });
    this.pty = spawn(process.execPath, [...cliFromSources, ...args], {
      name: 'xterm-256color',
      cols,
      rows,
      cwd: join(import.meta.dirname, '..', '..'),
      env: { ...process.env, HERMES_HOME: home, NO_COLOR: '', ...env },
    });
    this.pty.onData((data) => {
      this.raw += data;
      this.terminal.write(data);
    });
    this.pty.onExit(({ exitCode }) => (this.exitCode = exitCode));
  }

  type(text: string): void {
    this.pty.write(text);
  }

  resize(columns: number, rows: number): void {
    this.terminal.resize(columns, rows);
    this.pty.resize(columns, rows);
  }

  /** Scrollback and screen as a person would read them, without blank lines at the end. */
  text(): string {
    const buffer = this.terminal.buffer.active;
    const lines: string[] = [];
    for (let index = 0; index < buffer.length; index += 1) {
      const line = buffer.getLine(index);
      const text = line?.translateToString(true) ?? '';
      if (line?.isWrapped === true) lines.push((lines.pop() ?? '') + text);
      else lines.push(text);
    }
    return lines.join('\n').trimEnd();
  }

  cursor(): { x: number; y: number } {
    return { x: this.terminal.buffer.active.cursorX, y: this.terminal.buffer.active.cursorY };
  }

  count(text: string): number {
    return this.text().split(text).length - 1;
  }

  async shows(text: string, withinMs = 15_000): Promise<void> {
    await this.until(`"${text}" on the screen`, () => this.text().includes(text), withinMs);
  }

  async until(what: string, condition: () => boolean, withinMs = 15_000): Promise<void> {
    const end = Date.now() + withinMs;
    while (!condition()) {
      if (Date.now() > end) throw new Error(`not within ${String(withinMs)} ms: ${what}\n${this.text()}`);
      await new Promise((done) => setTimeout(done, 10));
    }
  }

  async ended(): Promise<number> {
    await this.until('the end', () => this.exitCode !== null);
    return this.exitCode ?? -1;
  }

  kill(): void {
    if (this.exitCode === null) this.pty.kill('SIGKILL');
    this.terminal.dispose();
  }
}

import { Readable, Writable } from 'node:stream';
import type * as NodePty from '@lydell/node-pty';
import { PortError } from '../lib/port-error.ts';
import type { InteractiveShell, ScreenOptions } from './backend.ts';

/** A screen larger than this is a mistake of whoever asks. */
const largestScreen = 10_000;
const closeGraceMs = 1_000;

/** Starts a program on a pseudo-terminal of this machine. Throws Terminal.Invalid where that cannot be had. */
export async function openLocalShell(
  command: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
  screen: Pick<ScreenOptions, 'columns' | 'rows' | 'term'>,
): Promise<InteractiveShell> {
  const size = { cols: sane(screen.columns), rows: sane(screen.rows) };
  const { spawn } = await loadPty();
  const [file, ...args] = command;
  let pty: NodePty.IPty;
  try {
    const variables = { ...env, TERM: screen.term };
    pty = spawn(file, args, { ...size, name: screen.term, cwd: '/', env: variables, encoding: null });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PortError('Terminal.BackendUnavailable', `No terminal could be opened: ${reason}`, { cause: error });
  }
  return shellOn(pty);
}

function sane(cells: number): number {
  if (Number.isInteger(cells) && cells > 0 && cells <= largestScreen) return cells;
  throw new PortError('Terminal.Invalid', `Not a size for a terminal: ${cells}.`);
}

async function loadPty(): Promise<typeof NodePty> {
  try {
    return await import('@lydell/node-pty');
  } catch (error) {
    throw new PortError(
      'Terminal.Invalid',
      `There is no pseudo-terminal library for ${process.platform}-${process.arch}; run \`npm install\` again without leaving out optional packages.`,
      { cause: error },
    );
  }
}

function shellOn(pty: NodePty.IPty): InteractiveShell {
  let live = true;
  let closed = false;
  const output = new Readable({
    read: () => {
      if (live) pty.resume();
    },
  });
  // Declared as text, and bytes without an encoding.
  pty.onData((data: string | Buffer) => {
    if (!output.push(data)) pty.pause();
  });
  const input = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      // Declared as text only; bytes arrive as they are.
      if (live) pty.write(chunk as unknown as string);
      done();
    },
  });
  const ended = new Promise<number | null>((resolve) => {
    pty.onExit(({ exitCode, signal }) => {
      live = false;
      output.push(null);
      input.destroy();
      if (signal === undefined || signal === 0) resolve(exitCode);
      else resolve(closed ? null : 128 + signal);
    });
  });
  const ifLive = (work: () => void) => {
    if (live) work();
  };
  return {
    input,
    output,
    ended,
    resize: (columns, rows) => ifLive(() => pty.resize(sane(columns), sane(rows))),
    close: () =>
      ifLive(() => {
        closed = true;
        // As when a terminal window is closed; a shell that ignores it is not asked twice.
        pty.kill('SIGHUP');
        setTimeout(() => {
          if (live) pty.kill('SIGKILL');
        }, closeGraceMs).unref();
      }),
  };
}

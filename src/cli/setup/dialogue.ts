import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { writeOut, type Io } from '../io.ts';

/** Asks one question. Null when there is nobody to answer any more. `hidden`: what is typed is not shown. */
export type Ask = (question: string, options?: { readonly hidden?: boolean }) => Promise<string | null>;
/** Tells one line or several; the line end is added. */
export type Say = (text: string) => Promise<void>;

export interface Dialogue {
  readonly ask: Ask;
  readonly say: Say;
  close(): void;
}

/**
 * Questions on standard output, answers from standard input, one line each. Works at a terminal and in a pipe; lines
 * that arrive before they are asked for are kept.
 */
export function openDialogue(io: Io): Dialogue {
  let muted = false;
  // What readline shows of the typing goes through here, so that a key can be typed unseen.
  const echo = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (muted) done();
      else io.stdout.write(chunk, () => done());
    },
  });
  const lines = createInterface({ input: io.stdin, output: echo, terminal: io.stdin.isTTY });
  const kept: string[] = [];
  let waiting: ((line: string | null) => void) | null = null;
  let ended = false;
  const settle = (line: string | null): void => {
    const answer = waiting;
    waiting = null;
    answer?.(line);
  };
  lines.on('line', (line) => {
    if (waiting === null) kept.push(line);
    else settle(line);
  });
  lines.on('close', () => {
    ended = true;
    settle(null);
  });
  lines.on('SIGINT', () => lines.close());

  const next = (): Promise<string | null> => {
    const line = kept.shift();
    if (line !== undefined) return Promise.resolve(line);
    return ended ? Promise.resolve(null) : new Promise((answer) => (waiting = answer));
  };
  return {
    ask: async (question, options = {}) => {
      await writeOut(io.stdout, `${question} `);
      muted = options.hidden === true;
      const answer = await next();
      const unseen = muted || !io.stdin.isTTY;
      muted = false;
      if (unseen || answer === null) await writeOut(io.stdout, '\n');
      return answer;
    },
    say: (text) => writeOut(io.stdout, `${text}\n`),
    close: () => lines.close(),
  };
}

import { shellQuote } from './run-layout.ts';

/**
 * How one answer of a resident shell is told from the next. Every request has a random mark that nothing in the
 * environment can guess, so the output in between may hold any bytes:
 *
 *   <mark>(\n  output  \n<mark> exitCode\n  errors  \n<mark>)\n
 */

const errorLimitBytes = 4_096;

/**
 * Said to a fresh `sh` that reads its commands from standard input. Descriptor 3 is the way back; errors are collected
 * in a variable, since the one error stream of the connection is shared by all requests.
 */
export function greeting(mark: string): string {
  return `cd / && exec 3>&1 && printf '%s\\n' ${mark}\n`;
}

/**
 * The line for one script. It runs in a subshell, so nothing of it stays, with nothing to read. `eval` keeps a script
 * that is no shell syntax from ending the resident shell.
 */
export function request(mark: string, script: string): string {
  return `__h_s=${shellQuote(script)}
printf '%s(\\n' ${mark}; __h_e=$(eval "$__h_s" 2>&1 >&3 3>&- </dev/null); printf '\\n%s %s\\n%s\\n%s)\\n' ${mark} "$?" "$__h_e" ${mark}; __h_s= __h_e=
`;
}

export interface Answer {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Takes the stream of one answer piece by piece, in any cuts. */
export interface AnswerReader {
  /** The answer once its last byte is there. */
  push(piece: Buffer): Answer | undefined;
  /** Bytes held, with the frame. */
  readonly heldBytes: number;
}

export function readAnswer(mark: string): AnswerReader {
  const last = Buffer.from(`\n${mark})\n`, 'latin1');
  const pieces: Buffer[] = [];
  let held = 0;
  let tail: Buffer = Buffer.alloc(0);
  return {
    get heldBytes() {
      return held;
    },
    push(piece) {
      pieces.push(piece);
      held += piece.length;
      // The end may lie across pieces; only so much of the past is looked at again.
      const seam = Buffer.concat([tail, piece.subarray(0, last.length)]);
      const ended = piece.includes(last) || seam.includes(last);
      tail = piece.length >= last.length ? piece.subarray(-last.length) : seam.subarray(-last.length);
      return ended ? parse(Buffer.concat(pieces), mark, last) : undefined;
    },
  };
}

function parse(all: Buffer, mark: string, last: Buffer): Answer {
  // What something in the background wrote between two answers comes before the first mark.
  const first = Buffer.from(`${mark}(\n`, 'latin1');
  const start = all.indexOf(first) + first.length;
  const middle = Buffer.from(`\n${mark} `, 'latin1');
  const end = all.indexOf(middle, start);
  const afterCode = all.indexOf(10, end + middle.length);
  const exitCode = Number(all.toString('latin1', end + middle.length, afterCode));
  const errorEnd = all.indexOf(last, afterCode);
  const errors = all.subarray(afterCode + 1, Math.max(afterCode + 1, errorEnd));
  return {
    exitCode,
    stdout: all.subarray(start, end),
    stderr: errors.subarray(-errorLimitBytes).toString('utf8'),
  };
}

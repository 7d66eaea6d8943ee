import { randomBytes } from 'node:crypto';
import { PortError } from '../lib/port-error.ts';
import type { ShellProcess, ShellResult, ShellTransport } from './remote-shell.ts';
import { greeting, readAnswer, request } from './shell-frame.ts';

/** Output may still be on its way when the end of the process is known. */
const lastWordsMs = 250;
/** A shell whose input has ended leaves at once; one that does not is cut off. */
const leaveMs = 1_000;

export interface RequestLimits {
  readonly maxOutputBytes: number;
  readonly timeoutMs: number;
}

/** One `sh` in the environment that answers one request at a time. */
export interface ShellConnection {
  /** Not before the one before has been answered. Rejects as RemoteShell.run does, except for what concerns opening. */
  run(script: string, limits: RequestLimits): Promise<ShellResult>;
  /** False once it is lost or closed. */
  readonly usable: () => boolean;
  /** Lets the shell end. What is not answered is rejected with Terminal.OutcomeUnknown. */
  close(): void;
}

/** Starts a shell and waits for its first word. Rejects with a PortError; nothing is left behind then. */
export async function openConnection(transport: ShellTransport, openTimeoutMs: number): Promise<ShellConnection> {
  const late = new PortError('Terminal.BackendUnavailable', `No shell answered within ${openTimeoutMs / 1000} s.`);
  const opening = transport.open('exec sh');
  const process = await within(opening, openTimeoutMs, () => {
    // Whatever comes of it, nobody wants it any more; its failure has been told as lateness.
    opening.then(
      (unwanted) => {
        unwanted.destroy();
      },
      () => undefined,
    );
    return late;
  });
  const line = createLine(process);
  const mark = newMark();
  try {
    const word = Buffer.from(`${mark}\n`);
    let seen = Buffer.alloc(0);
    const greeted = line.exchange(greeting(mark), (piece) => {
      // Log-in scripts may have said something first.
      seen = Buffer.concat([seen.subarray(-word.length), piece]);
      return seen.includes(word) ? true : undefined;
    });
    await within(greeted, openTimeoutMs, () => late);
  } catch (error) {
    process.destroy();
    if (error === late) throw error;
    throw new PortError('Terminal.BackendUnavailable', `No shell could be started. ${process.errors()}`.trim(), {
      cause: error,
    });
  }
  return {
    run: (script, limits) => exchange(line, script, limits),
    usable: line.usable,
    close: () => {
      line.leave();
    },
  };
}

async function exchange(line: Line, script: string, limits: RequestLimits): Promise<ShellResult> {
  const mark = newMark();
  const text = request(mark, script);
  const answer = readAnswer(mark);
  const frameBytes = 8_192;
  const answered = line.exchange(text, (piece) => {
    const whole = answer.push(piece);
    if ((whole?.stdout.length ?? answer.heldBytes - frameBytes) > limits.maxOutputBytes) {
      const message = `The answer has more than ${limits.maxOutputBytes} bytes.`;
      throw new PortError('Terminal.TooLarge', message);
    }
    return whole;
  });
  try {
    return await within(answered, limits.timeoutMs, () => {
      return outcomeUnknown(`No answer within ${limits.timeoutMs / 1000} s.`);
    });
  } catch (error) {
    // The shell is in the middle of something; nothing can be asked of it any more.
    line.cut();
    throw error;
  }
}

/** The two streams of a process with at most one exchange under way. */
interface Line {
  exchange<T>(text: string, take: (piece: Buffer) => T | undefined): Promise<T>;
  readonly usable: () => boolean;
  leave(): void;
  cut(): void;
}

function createLine(process: ShellProcess): Line {
  let current: { take: (piece: Buffer) => void; fail: (error: unknown) => void } | undefined;
  let gone = false;
  let leaving = false;

  function lose(): void {
    if (gone) return;
    gone = true;
    process.destroy();
    current?.fail(outcomeUnknown(`The connection to the environment broke. ${process.errors()}`.trim()));
    current = undefined;
  }
  process.output.on('data', (piece: Buffer) => current?.take(piece));
  for (const event of ['end', 'close', 'error']) process.output.on(event, lose);
  for (const event of ['close', 'error']) process.input.on(event, lose);
  void process.ended.then(() => setTimeout(lose, lastWordsMs).unref());

  return {
    usable: () => !gone && !leaving,
    exchange: (text, take) =>
      new Promise((resolve, reject) => {
        if (gone) {
          reject(outcomeUnknown('The connection to the environment broke.'));
          return;
        }
        const settle = () => (current = undefined);
        const fail: (error: unknown) => void = reject;
        current = {
          take: (piece) => {
            try {
              const whole = take(piece);
              if (whole === undefined) return;
              settle();
              resolve(whole);
            } catch (error: unknown) {
              settle();
              fail(error);
            }
          },
          fail,
        };
        process.input.write(text);
      }),
    leave: () => {
      if (gone) return;
      if (current) {
        lose();
        return;
      }
      leaving = true;
      process.input.end();
      setTimeout(lose, leaveMs).unref();
    },
    cut: lose,
  };
}

function newMark(): string {
  return `__h_${randomBytes(16).toString('hex')}`;
}

function outcomeUnknown(message: string): PortError {
  return new PortError('Terminal.OutcomeUnknown', `${message} Whether the request had an effect is not known.`);
}

function within<T>(work: Promise<T>, ms: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(late());
    }, ms);
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer);
    });
  });
}

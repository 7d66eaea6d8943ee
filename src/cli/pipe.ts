import { createInterface, type Interface } from 'node:readline';
import type { Answer, SubmitRequest } from '../contracts/api.ts';
import { awaitAnswer, newInboundId } from './client/await-answer.ts';
import type { HermesClient } from './client/client.ts';
import { connect } from './client/connect.ts';
import { Interrupted, interruptedExitCode, onCtrlC, stopTurn } from './interrupt.ts';
import { writeOut, type Io } from './io.ts';
import { shellWord } from './one-shot.ts';
import { stripControls } from '../lib/markdown/strip-controls.ts';

export interface PipeOptions {
  readonly home: string;
  /** Absent: the person's current conversation. */
  readonly conversation?: string;
  readonly model?: string;
}

/**
 * `hermes` without a terminal: every line of standard input is one message of the same conversation, and its answer is
 * printed before the next is sent. A line that follows a question or an approval is the answer to it.
 *
 * @returns 0 when every line was answered, 1 when one failed (the others are still answered), 130 interrupted.
 */
export async function runPipe(options: PipeOptions, io: Io): Promise<number> {
  const client = connect(options.home, io.stderr);
  const ctrlC = onCtrlC();
  const lines = lineReader(createInterface({ input: io.stdin, crlfDelay: Infinity }), ctrlC.signal);
  const talk: Talk = { client, options, io, lines, signal: ctrlC.signal, conversationId: null };
  let failed = false;
  try {
    for (let line = await lines.next(); line !== null; line = await lines.next()) {
      if (line.trim() !== '' && !(await answerLine(talk, line))) failed = true;
    }
    return failed ? 1 : 0;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    if (talk.conversationId !== null) await stopTurn(client, talk.conversationId);
    return interruptedExitCode;
  } finally {
    lines.close();
    ctrlC.release();
    client.close();
  }
}

interface Talk {
  readonly client: HermesClient;
  readonly options: PipeOptions;
  readonly io: Io;
  readonly lines: LineReader;
  readonly signal: AbortSignal;
  conversationId: string | null;
}

async function answerLine(talk: Talk, line: string): Promise<boolean> {
  const { client, io, signal } = talk;
  const inboundId = newInboundId();
  const accepted = await client.submit(requestOf(talk, inboundId, line), { signal });
  talk.conversationId = accepted.conversationId;
  if (accepted.decided !== null) {
    await writeOut(io.stderr, `hermes: taken as the answer to ${accepted.decided}; its turn goes on\n`);
  }
  const answer = await awaitAnswer(client, inboundId, { signal, onWaiting: (waiting) => passOn(talk, waiting) });
  if (answer?.state === 'done') {
    const text = io.stdout.isTTY ? stripControls(answer.text) : answer.text;
    await writeOut(io.stdout, text.endsWith('\n') ? text : `${text}\n`);
    return true;
  }
  await writeOut(io.stderr, `hermes: ${stripControls(answer?.text ?? 'no answer')}\n`);
  return false;
}

function requestOf(talk: Talk, inboundId: string, text: string): SubmitRequest {
  const { conversation: name, model } = talk.options;
  if (talk.conversationId !== null) return { inboundId, text, conversation: { id: talk.conversationId } };
  return {
    inboundId,
    text,
    ...(name === undefined ? {} : { conversation: { name } }),
    ...(model === undefined ? {} : { model }),
  };
}

/** The turn waits for a person: the next line is their word. At the end of the input only another way is left. */
async function passOn(talk: Talk, waiting: Answer): Promise<'stay'> {
  const { client, io, signal, lines } = talk;
  for (const { approvalId, kind, title } of waiting.waitingFor) {
    await writeOut(
      io.stderr,
      `hermes: ${kind === 'question' ? 'question' : 'approval needed'}: ${stripControls(title)}\n`,
    );
    // What is not understood as a decision reaches the running turn as a message, and the decision still waits.
    for (let decided = false; !decided;) {
      const line = await lines.next();
      if (line === null) {
        const verb = kind === 'question' ? 'answer' : 'approve';
        const how = `hermes approvals ${verb} ${shellWord(approvalId)}`;
        await writeOut(io.stderr, `hermes: waiting; from another terminal: ${how}\n`);
        return 'stay';
      }
      if (line.trim() === '') continue;
      const taken = await client.submit(requestOf(talk, newInboundId(), line), { signal });
      decided = taken.decided !== null;
    }
  }
  return 'stay';
}

interface LineReader {
  /** Null at the end of the input. Rejects with the signal's reason. */
  next(): Promise<string | null>;
  close(): void;
}

function lineReader(input: Interface, signal: AbortSignal): LineReader {
  const iterator = input[Symbol.asyncIterator]();
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  // Whoever waits gets the rejection through the race; with nobody waiting it is no news.
  aborted.catch(() => undefined);
  return {
    next: async () => {
      const read = await Promise.race([iterator.next(), aborted]);
      return read.done === true ? null : read.value;
    },
    close: () => input.close(),
  };
}

import type { Answer, SubmitRequest } from '../contracts/api.ts';
import { awaitAnswer, newInboundId, type FinalAnswer } from './client/await-answer.ts';
import type { HermesClient } from './client/client.ts';
import { connect } from './client/connect.ts';
import { CliError } from './errors.ts';
import { Interrupted, interruptedExitCode, onCtrlC, stopTurn } from './interrupt.ts';
import { readAll, writeOut, type Io } from './io.ts';
import { stripControls } from '../lib/markdown/strip-controls.ts';

export interface OneShotOptions {
  readonly home: string;
  /** `-` reads standard input. */
  readonly prompt: string;
  readonly json: boolean;
  /** Continues the conversation of that name (made if new); absent: a new conversation. */
  readonly conversation?: string;
  /** `provider:name`, from this message on. */
  readonly model?: string;
  /** False: exit 3 instead of waiting when a person must decide something. */
  readonly wait: boolean;
}

/** Exit code where an approval is needed and `--no-wait` was given. */
const waitingExitCode = 3;

/**
 * `hermes -z`: one message, one answer. Standard output gets the answer alone; everything else goes to standard error.
 *
 * @returns the exit code: 0 answered, 1 failed, 3 waits for a person (`--no-wait`), 130 interrupted.
 */
export async function runOneShot(options: OneShotOptions, io: Io): Promise<number> {
  const text = options.prompt === '-' ? await readAll(io.stdin) : options.prompt;
  if (text.trim() === '') {
    throw new CliError(options.prompt === '-' ? 'Standard input was empty.' : 'The prompt is empty.');
  }
  const client = connect(options.home, io.stderr);
  const ctrlC = onCtrlC();
  let conversationId: string | null = null;
  try {
    const message = requestOf(options, text);
    const accepted = await client.submit(message, { signal: ctrlC.signal });
    conversationId = accepted.conversationId;
    if (accepted.decided !== null) {
      await writeOut(io.stderr, `hermes: taken as the answer to ${accepted.decided}; its turn goes on\n`);
    }
    const answer = await awaitAnswer(client, message.inboundId, {
      signal: ctrlC.signal,
      onWaiting: (waiting) => tellWaiting(waiting, options, io),
    });
    return answer === null ? waitingExitCode : await printAnswer(answer, options, io);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    return await leave(client, conversationId, io);
  } finally {
    ctrlC.release();
    client.close();
  }
}

function requestOf(options: OneShotOptions, text: string): SubmitRequest {
  return {
    inboundId: newInboundId(),
    text,
    conversation: options.conversation === undefined ? { new: true } : { name: options.conversation },
    ...(options.model === undefined ? {} : { model: options.model }),
    platform: 'cli',
  };
}

async function tellWaiting(answer: Answer, options: OneShotOptions, io: Io): Promise<'leave' | 'stay'> {
  const lines = answer.waitingFor.map(({ approvalId, kind, title }) => {
    const how =
      kind === 'question'
        ? `hermes approvals answer ${shellWord(approvalId)} "…"`
        : `hermes approvals approve ${shellWord(approvalId)}   (or deny)`;
    return `hermes: waiting for ${kind === 'question' ? 'an answer' : 'an approval'}: ${stripControls(title)}\n  ${how}`;
  });
  if (!options.wait) lines.push('hermes: not waiting (--no-wait); the turn goes on once it is decided.');
  await writeOut(io.stderr, `${lines.join('\n')}\n`);
  return options.wait ? 'stay' : 'leave';
}

async function printAnswer(answer: FinalAnswer, options: OneShotOptions, io: Io): Promise<number> {
  if (answer.state !== 'done') {
    const what = answer.text === '' ? 'The turn has no answer.' : answer.text;
    const said = answer.state === 'interrupted' ? `the turn was interrupted. ${what}` : what;
    const code = answer.errorCode === null ? '' : ` (${answer.errorCode})`;
    await writeOut(io.stderr, `hermes: ${stripControls(said)}${code}\n`);
    return 1;
  }
  if (options.json) await writeOut(io.stdout, `${JSON.stringify(jsonOf(answer))}\n`);
  else {
    // A terminal must not be steered by what a model wrote; a pipe gets the bytes as they are.
    const text = io.stdout.isTTY ? stripControls(answer.text) : answer.text;
    await writeOut(io.stdout, text.endsWith('\n') ? text : `${text}\n`);
  }
  return 0;
}

/** The object `--json` promises; nothing else may be added without care, since scripts read it. */
function jsonOf(answer: Answer): Record<string, unknown> {
  return {
    conversationId: answer.conversationId,
    turn: answer.turn,
    text: answer.text,
    model: answer.model,
    usage: {
      inputTokens: answer.usage.inputTokens,
      outputTokens: answer.usage.outputTokens,
      costUsd: answer.usage.costUsd,
    },
    toolCalls: answer.toolCalls.map(({ name, status, durationMs }) => ({ name, status, durationMs })),
    durationMs: answer.durationMs,
  };
}

async function leave(client: HermesClient, conversationId: string | null, io: Io): Promise<number> {
  if (conversationId !== null && !(await stopTurn(client, conversationId))) {
    await writeOut(io.stderr, `hermes: the service is away, so the turn of ${conversationId} could not be stopped.\n`);
  }
  return interruptedExitCode;
}

/** Approval ids have characters that some shells expand. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

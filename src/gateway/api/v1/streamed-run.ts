import type { Context } from 'hono';
import type { Answer } from '../../../contracts/api.ts';
import type { ApiContext } from '../deps.ts';
import { eventStream, type EventStream } from '../event-stream.ts';
import { requestEnd } from '../request-end.ts';
import { Refusal } from '../../refusal.ts';
import { AnswerText, type TextPiece } from './answer-text.ts';
import { doNotRetry, failedTurn } from './openai-errors.ts';
import type { Run } from './run.ts';
import type { FeedItem } from './turn-feed.ts';

/** How a run's answer is put into events of one of the interfaces. */
export interface StreamForm {
  open(stream: EventStream): void;
  piece(stream: EventStream, piece: TextPiece): void;
  /** The turn has ended, or waits. */
  finish(stream: EventStream, answer: Answer): void;
}

/** While nothing has been said the status is still open, so that a turn that fails at once is an HTTP error. */
const openingMs = 1_000;

/** Answers with the turn's events as they come. A client that leaves stops nothing. */
export async function streamRun(c: Context, context: ApiContext, run: Run, form: StreamForm): Promise<Response> {
  const events = run.feed.follows(requestEnd(c, context));
  const opening = await readOpening(events);
  if (opening.ended !== null && !isAnswer(opening.ended)) return failure(c, run, opening.ended);
  const onError = (err: unknown): void => context.log.warn({ ...run.target, err }, 'a streamed answer broke off');
  return eventStream(c, { closing: context.closing, headers: headersOf(run), onError }, async (stream) => {
    form.open(stream);
    const text = new AnswerText();
    const send = (pieces: readonly TextPiece[]): void => pieces.forEach((piece) => form.piece(stream, piece));
    for (const item of opening.seen) send(text.take(item.event, item.folded));
    let next = await opening.next;
    for (; next.done !== true; next = await events.next()) send(text.take(next.value.event, next.value.folded));
    const answer = next.value;
    if (answer.state === 'waiting') send(text.add(await askText(context, answer)));
    else if (answer.state === 'done') send(text.finish(answer.text));
    form.finish(stream, answer);
  });
}

/** Waits for the end of the turn, or until it waits; then the text is what it asks. Throws a Refusal when closing. */
export async function collectRun(c: Context, context: ApiContext, run: Run): Promise<Answer> {
  const events = run.feed.follows(requestEnd(c, context));
  let next = await events.next();
  while (next.done !== true) next = await events.next();
  const answer = next.value;
  if (answer.state === 'waiting') return { ...answer, text: await askText(context, answer) };
  if (answer.state === 'pending') throw closingRefusal();
  return answer;
}

export function failure(c: Context, run: Run, answer: Answer): Response {
  if (answer.state === 'pending') throw closingRefusal();
  const { status, error } = failedTurn(answer);
  return c.json({ error }, status, { ...headersOf(run), ...doNotRetry });
}

/** Whether there is something to show as the agent's words. */
export function isAnswer(answer: Answer): boolean {
  return answer.state === 'done' || answer.state === 'waiting';
}

export function headersOf(run: Run): Record<string, string> {
  const turn = run.feed.turnNumber;
  return {
    'x-hermes-conversation': run.target.conversationId,
    ...(turn === null ? {} : { 'x-hermes-turn': String(turn) }),
  };
}

/** What OpenAI's interfaces have no field for. */
export function extension(answer: Answer) {
  const { conversationId, turn, state, waitingFor, toolCalls, usage } = answer;
  return { conversationId, turn, state, waitingFor, toolCalls, costUsd: usage.costUsd };
}

interface Opening {
  readonly seen: readonly FeedItem[];
  readonly next: Promise<IteratorResult<FeedItem, Answer>>;
  readonly ended: Answer | null;
}

async function readOpening(events: AsyncGenerator<FeedItem, Answer>): Promise<Opening> {
  const seen: FeedItem[] = [];
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, openingMs, null);
  });
  try {
    for (;;) {
      const next = events.next();
      const result = await Promise.race([next, late]);
      if (result === null) return { seen, next, ended: null };
      if (result.done === true) return { seen, next, ended: result.value };
      seen.push(result.value);
      const { kind } = result.value.event;
      if (kind === 'delta' || kind === 'tool-started') return { seen, next: events.next(), ended: null };
    }
  } finally {
    clearTimeout(timer);
  }
}

/** The question, in words that say how to answer it. */
async function askText(context: ApiContext, answer: Answer): Promise<string> {
  const { conversationId } = answer;
  const waiting = await context.store.approvals.list({ state: 'waiting', conversationId, limit: 50 });
  const lines = waiting
    .filter((row) => row.turn === answer.turn)
    .reverse()
    .map((row) => {
      const choices = row.choices.map((choice, index) => `\n${String(index + 1)}. ${choice}`).join('');
      if (row.kind === 'question') return `${row.title}${choices}`;
      const detail = row.detail === '' || row.detail === row.title ? '' : `\n${row.detail}`;
      return `${row.title}${detail}\nMay I? Answer yes, no or always.`;
    });
  return `${lines.join('\n\n')}\n\n(Waiting in conversation ${conversationId}.)`;
}

function closingRefusal(): Refusal {
  return new Refusal('Api.Closing', 'The service is stopping; the turn goes on when it is back.', {
    hint: 'Repeat the request with the same Idempotency-Key to get its answer.',
  });
}

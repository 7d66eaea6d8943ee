import type { Context } from 'hono';
import type { Answer } from '../../../contracts/api.ts';
import type { ApiContext } from '../deps.ts';
import type { EventStream } from '../event-stream.ts';
import type { TextPiece } from './answer-text.ts';
import { failedTurn } from './openai-errors.ts';
import type { AskedChat } from './requests.ts';
import { hashOf, type Run } from './run.ts';
import { collectRun, extension, failure, headersOf, isAnswer, streamRun, type StreamForm } from './streamed-run.ts';

/** Answers one request of the chat completions interface. */
export async function answerChat(c: Context, context: ApiContext, asked: AskedChat, run: Run): Promise<Response> {
  if (asked.stream) return streamRun(c, context, run, new ChatStream(asked, run));
  const answer = await collectRun(c, context, run);
  if (!isAnswer(answer)) return failure(c, run, answer);
  const body = {
    id: completionId(run),
    object: 'chat.completion',
    created: run.createdAt,
    model: asked.model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: answer.text, refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: usageOf(answer),
    hermes: extension(answer),
  };
  return c.json(body, 200, headersOf(run));
}

class ChatStream implements StreamForm {
  private readonly asked: AskedChat;
  private readonly head: object;

  constructor(asked: AskedChat, run: Run) {
    this.asked = asked;
    const created = run.createdAt;
    this.head = { id: completionId(run), object: 'chat.completion.chunk', created, model: asked.model };
  }

  open(stream: EventStream): void {
    this.delta(stream, { role: 'assistant', content: '' });
  }

  piece(stream: EventStream, piece: TextPiece): void {
    if (piece.kind === 'text') this.delta(stream, { content: piece.text });
    else this.delta(stream, { content: piece.kind === 'new-part' ? '\n\n' : restartNote });
  }

  finish(stream: EventStream, answer: Answer): void {
    if (answer.state === 'pending') return;
    if (!isAnswer(answer)) {
      stream.send({ error: failedTurn(answer).error });
      return;
    }
    const usage = this.asked.includeUsage ? { usage: null } : {};
    const last = { index: 0, delta: {}, logprobs: null, finish_reason: 'stop' };
    stream.send({ ...this.head, choices: [last], ...usage, hermes: extension(answer) });
    if (this.asked.includeUsage) stream.send({ ...this.head, choices: [], usage: usageOf(answer) });
    stream.send('[DONE]');
  }

  private delta(stream: EventStream, delta: { role?: string; content: string }): void {
    const usage = this.asked.includeUsage ? { usage: null } : {};
    stream.send({ ...this.head, choices: [{ index: 0, delta, logprobs: null, finish_reason: null }], ...usage });
  }
}

/** A client of this interface keeps what it was sent, so it is told that the text before is void. */
const restartNote = '\n\n[The answer starts again after an interruption.]\n\n';

function completionId(run: Run): string {
  return `chatcmpl-${hashOf(run.target.inboundId).slice(0, 29)}`;
}

function usageOf({ usage }: Answer) {
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
  };
}

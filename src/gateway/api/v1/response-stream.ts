import type { Answer } from '../../../contracts/api.ts';
import type { EventStream } from '../event-stream.ts';
import type { TextPiece } from './answer-text.ts';
import { outputItem, responseObject, type OutputItem, type ResponseEcho } from './response-object.ts';
import type { Run } from './run.ts';
import type { StreamForm } from './streamed-run.ts';

/** The events of the responses interface: one output message per step that says something. */
export class ResponseStream implements StreamForm {
  private readonly echo: ResponseEcho;
  private readonly run: Run;
  private readonly output: OutputItem[] = [];
  /** Of the message that is being said; null between messages. */
  private text: string | null = null;
  private sequence = 0;

  constructor(echo: ResponseEcho, run: Run) {
    this.echo = echo;
    this.run = run;
  }

  open(stream: EventStream): void {
    this.event(stream, 'response.created', { response: this.response(null) });
    this.event(stream, 'response.in_progress', { response: this.response(null) });
  }

  piece(stream: EventStream, piece: TextPiece): void {
    if (piece.kind !== 'text') {
      this.closeItem(stream, piece.kind === 'restart' ? 'incomplete' : 'completed');
      return;
    }
    if (this.text === null) this.openItem(stream);
    this.text = (this.text ?? '') + piece.text;
    this.event(stream, 'response.output_text.delta', {
      ...this.at(),
      content_index: 0,
      delta: piece.text,
      logprobs: [],
    });
  }

  finish(stream: EventStream, answer: Answer): void {
    if (answer.state === 'pending') return;
    this.closeItem(stream, answer.state === 'failed' || answer.state === 'interrupted' ? 'incomplete' : 'completed');
    const response = this.response(answer);
    const how = answer.state === 'done' ? 'completed' : answer.state === 'waiting' ? 'incomplete' : 'failed';
    this.event(stream, `response.${how}`, { response });
  }

  private openItem(stream: EventStream): void {
    this.text = '';
    const index = this.output.length;
    const item = outputItem(this.run.target.inboundId, index, '', 'in_progress');
    this.event(stream, 'response.output_item.added', { output_index: index, item });
    this.event(stream, 'response.content_part.added', { ...this.at(), content_index: 0, part: textPart('') });
  }

  private closeItem(stream: EventStream, status: OutputItem['status']): void {
    const { text } = this;
    if (text === null) return;
    const at = this.at();
    const item = outputItem(this.run.target.inboundId, this.output.length, text, status);
    this.event(stream, 'response.output_text.done', { ...at, content_index: 0, text, logprobs: [] });
    this.event(stream, 'response.content_part.done', { ...at, content_index: 0, part: textPart(text) });
    this.event(stream, 'response.output_item.done', { output_index: at.output_index, item });
    this.output.push(item);
    this.text = null;
  }

  private at(): { item_id: string; output_index: number } {
    const index = this.output.length;
    return { item_id: outputItem(this.run.target.inboundId, index, '', 'in_progress').id, output_index: index };
  }

  private response(answer: Answer | null) {
    const { target, createdAt } = this.run;
    return responseObject(target.inboundId, createdAt, this.echo, { answer, output: this.output });
  }

  private event(stream: EventStream, type: string, data: object): void {
    stream.send({ type, sequence_number: this.sequence, ...data }, type);
    this.sequence += 1;
  }
}

function textPart(text: string) {
  return { type: 'output_text', text, annotations: [], logprobs: [] };
}

import type { StreamEvent } from '../../../contracts/stream.ts';

/** What is sent on of a turn's text, piece by piece. */
export type TextPiece =
  | { readonly kind: 'text'; readonly text: string }
  /** What follows is another step's text. */
  | { readonly kind: 'new-part' }
  /** What was sent of this part is void: the step was begun anew and says something else. */
  | { readonly kind: 'restart' };

/**
 * Turns live events into text that can be sent to a client which cannot take anything back. A delta that is missing stops
 * the live text of its step; a step that is begun anew is compared with what was sent; the durable answer at the end
 * fills in what is missing.
 */
export class AnswerText {
  private step = -1;
  private attempt = -1;
  /** Of the current step: sent to the client. */
  private sent = '';
  /** Of the current step: said by the newest attempt, while that only repeats what was sent. Null: in line with `sent`. */
  private repeating: string | null = null;
  /** Null: any may come next. */
  private nextSeq: number | null = 0;
  private gap = false;
  private restarted = false;
  /** The step has gone on to its tools: the final answer comes from a later one. */
  private stepOver = false;
  private anySent = false;

  /**
   * Takes in one event; what comes back is to be sent, in order.
   *
   * @param folded The event stands for all deltas of its step so far, so its number says nothing.
   */
  take(event: StreamEvent, folded = false): readonly TextPiece[] {
    if (event.kind === 'tool-started' && event.step >= this.step) this.stepOver = true;
    if (event.kind === 'step-started') this.moveTo(event.step, event.attempt);
    if (event.kind !== 'delta') return [];
    this.moveTo(event.step, event.attempt);
    if (event.step < this.step || event.attempt < this.attempt || this.gap) return [];
    if (!folded && this.nextSeq !== null && event.seq !== this.nextSeq) {
      this.gap = event.seq > this.nextSeq;
      return [];
    }
    this.nextSeq = folded ? null : event.seq + 1;
    return event.channel === 'answer' ? this.say(event.text) : [];
  }

  /** The turn is over and this is its answer: what the client still lacks of it. */
  finish(answer: string): readonly TextPiece[] {
    if (!this.stepOver && answer.startsWith(this.sent)) return this.send(answer.slice(this.sent.length));
    const isVoid = !this.stepOver && (this.restarted || this.gap);
    this.startPart();
    return this.send(answer, isVoid);
  }

  /** Something else than the model's text, a question for instance, as a part of its own. */
  add(text: string): readonly TextPiece[] {
    this.startPart();
    return this.send(text);
  }

  private moveTo(step: number, attempt: number): void {
    if (step > this.step) {
      this.startPart();
      this.step = step;
    } else if (step < this.step || attempt <= this.attempt) {
      return;
    } else {
      this.restarted = this.sent !== '';
      this.repeating = this.sent === '' ? null : '';
      this.gap = false;
    }
    this.attempt = attempt;
    this.nextSeq = 0;
  }

  private startPart(): void {
    this.sent = '';
    this.repeating = null;
    this.gap = false;
    this.restarted = false;
    this.stepOver = false;
  }

  private say(text: string): readonly TextPiece[] {
    if (this.repeating === null) return this.send(text);
    const said = this.repeating + text;
    this.repeating = said;
    if (this.sent.startsWith(said)) return [];
    this.repeating = null;
    if (said.startsWith(this.sent)) return this.send(said.slice(this.sent.length));
    this.sent = '';
    return this.send(said, true);
  }

  private send(text: string, isRestart = false): readonly TextPiece[] {
    if (text === '') return [];
    const opens: TextPiece[] = this.sent !== '' || !this.anySent ? [] : [{ kind: isRestart ? 'restart' : 'new-part' }];
    this.anySent = true;
    this.sent += text;
    return [...opens, { kind: 'text', text }];
  }
}

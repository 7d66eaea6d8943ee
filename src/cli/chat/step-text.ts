import { finishedLength } from '../../lib/markdown/finished.ts';

/** What `take` gives: text to print now, and whether it replaces what was printed before. */
export interface Printable {
  readonly text: string;
  readonly anew: boolean;
}

/**
 * The text of one model step on its way to the screen. Finished blocks are given out once; the rest stays in `tail`. A
 * second attempt (the worker died) goes on where the first one stood as long as it says the same, and is given out from
 * its start when it says something else. Pure state, no clock.
 */
export class StepText {
  closed = false;
  private attempt = 0;
  private text = '';
  private printed = '';
  /** Next number expected; null: whichever comes beyond `foldedUpTo` (the pieces before it came joined). */
  private nextSeq: number | null = 0;
  private foldedUpTo = -1;

  /** @returns false for a voice from a former attempt. */
  begin(attempt: number): boolean {
    if (attempt < this.attempt) return false;
    if (attempt > this.attempt) {
      this.attempt = attempt;
      this.text = '';
      this.nextSeq = 0;
      this.foldedUpTo = -1;
    }
    return true;
  }

  /** A piece of the answer, or (with no text) of the reasoning, which shares the numbering. */
  add(attempt: number, seq: number, text: string): 'taken' | 'old' | 'gap' {
    if (this.closed || !this.begin(attempt)) return 'old';
    if (seq < (this.nextSeq ?? this.foldedUpTo + 1)) return 'old';
    if (this.nextSeq !== null && seq > this.nextSeq) return 'gap';
    this.nextSeq = seq + 1;
    this.text += text;
    return 'taken';
  }

  /** The joined pieces of an attempt, as a reader who comes late gets them; null for those of the reasoning. */
  fold(attempt: number, seq: number, text: string | null): void {
    if (this.closed || !this.begin(attempt)) return;
    if (text !== null) this.text = text;
    this.foldedUpTo = Math.max(this.foldedUpTo, seq);
    this.nextSeq = null;
  }

  /** Not printed yet. */
  get tail(): string {
    return this.text.startsWith(this.printed) ? this.text.slice(this.printed.length) : '';
  }

  /** Gives out what is finished. */
  take(): Printable | null {
    if (this.closed) return null;
    const anew = this.diverged();
    const tail = anew ? this.text : this.tail;
    return this.giveOut(tail.slice(0, finishedLength(tail)), anew);
  }

  /** The step is over: gives out the rest. `final` is the store's word and wins over what was heard. */
  close(final?: string): Printable | null {
    if (this.closed && (final === undefined || final === this.text)) return null;
    this.closed = true;
    if (final !== undefined) this.text = final;
    const anew = this.diverged() || (this.text.length < this.printed.length && final !== undefined);
    return this.giveOut(anew ? this.text : this.tail, anew);
  }

  /** What was printed is not how this text begins. */
  private diverged(): boolean {
    return !this.text.startsWith(this.printed) && !this.printed.startsWith(this.text);
  }

  private giveOut(text: string, anew: boolean): Printable | null {
    if (text === '') return null;
    this.printed = anew ? text : this.printed + text;
    return { text, anew };
  }
}

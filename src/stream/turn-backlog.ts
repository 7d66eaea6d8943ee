import type { StreamEvent } from '../contracts/stream.ts';

type Delta = Extract<StreamEvent, { kind: 'delta' }>;

/** Limits of what is kept of one turn. */
export interface BacklogLimits {
  /** Of one step's text per channel; beyond it the beginning is forgotten. */
  readonly maxTextChars: number;
  /** Beyond it the oldest events are forgotten. */
  readonly maxEvents: number;
}

/** The turn in progress of one conversation, folded so that a late reader can catch up with few events. */
export class TurnBacklog {
  private readonly limits: BacklogLimits;
  private turn = -1;
  private finished = false;
  private events: StreamEvent[] = [];

  constructor(limits: BacklogLimits) {
    this.limits = limits;
  }

  read(): readonly StreamEvent[] {
    return [...this.events];
  }

  add(event: StreamEvent): void {
    if (event.kind === 'outbox') return;
    if (event.kind === 'turn-started' || event.turn > this.turn) this.begin(event.turn);
    // A straggler of a turn that is over says nothing about the one in progress.
    if (event.turn < this.turn || this.finished) return;
    switch (event.kind) {
      case 'turn-finished':
        // From now on the store tells it all.
        this.finished = true;
        this.events = [];
        return;
      case 'delta':
        this.addDelta(event);
        break;
      case 'step-started':
        if (this.isOutdated(event)) return;
        this.forget((one) => isOfStep(one, event.step));
        this.events.push(event);
        break;
      case 'tool-started':
        // Again after a crash: the call is told once.
        this.forget((one) => isOfCall(one, event.callKey));
        this.events.push(event);
        break;
      case 'asked':
        this.forget((one) => one.kind === 'asked' && one.approvalId === event.approvalId);
        this.events.push(event);
        break;
      default:
        this.events.push(event);
    }
    if (this.events.length > this.limits.maxEvents) this.events.shift();
  }

  private begin(turn: number): void {
    this.turn = turn;
    this.finished = false;
    this.events = [];
  }

  private addDelta(event: Delta): void {
    if (this.isOutdated(event)) return;
    // A higher attempt voids what lower ones have shown, even where its own start got lost.
    this.forget((one) => isOfStep(one, event.step) && one.attempt < event.attempt);
    const at = this.events.findLastIndex(
      (one) => one.kind === 'delta' && one.step === event.step && one.channel === event.channel,
    );
    const before = this.events[at];
    if (before?.kind !== 'delta') this.events.push(event);
    else this.events[at] = { ...event, text: this.cap(before.text + event.text) };
  }

  private isOutdated(event: { readonly step: number; readonly attempt: number }): boolean {
    return this.events.some((one) => isOfStep(one, event.step) && one.attempt > event.attempt);
  }

  private forget(matches: (event: StreamEvent) => boolean): void {
    if (this.events.some(matches)) this.events = this.events.filter((one) => !matches(one));
  }

  /** Cuts rarely and by half, so that a long text costs no copy per delta. */
  private cap(text: string): string {
    const { maxTextChars } = this.limits;
    return text.length <= maxTextChars ? text : `…${text.slice(text.length - Math.floor(maxTextChars / 2))}`;
  }
}

function isOfStep(event: StreamEvent, step: number): event is Extract<StreamEvent, { kind: 'delta' | 'step-started' }> {
  return (event.kind === 'delta' || event.kind === 'step-started') && event.step === step;
}

function isOfCall(event: StreamEvent, callKey: string): boolean {
  return (event.kind === 'tool-started' || event.kind === 'tool-finished') && event.callKey === callKey;
}

import type { StreamEvent } from '../contracts/stream.ts';

/** Events on their way out: bounded, and neighbouring deltas of one text joined, so that a wait makes them few. */
export class SendBuffer {
  private readonly maxEvents: number;
  private events: StreamEvent[] = [];

  constructor(maxEvents: number) {
    this.maxEvents = maxEvents;
  }

  get size(): number {
    return this.events.length;
  }

  /** Beyond the limit the oldest event is lost. */
  add(event: StreamEvent): void {
    const last = this.events.at(-1);
    if (event.kind === 'delta' && last?.kind === 'delta' && continues(last, event)) {
      this.events[this.events.length - 1] = { ...event, text: last.text + event.text };
      return;
    }
    this.events.push(event);
    if (this.events.length > this.maxEvents) this.events.shift();
  }

  take(count: number): readonly StreamEvent[] {
    return this.events.splice(0, count);
  }

  putBack(events: readonly StreamEvent[]): void {
    this.events = [...events, ...this.events].slice(-this.maxEvents);
  }
}

type Delta = Extract<StreamEvent, { kind: 'delta' }>;

/** Joined text of one delta stays bounded too. */
const maxJoinedChars = 64_000;

function continues(before: Delta, after: Delta): boolean {
  return (
    before.conversationId === after.conversationId &&
    before.turn === after.turn &&
    before.step === after.step &&
    before.attempt === after.attempt &&
    before.channel === after.channel &&
    before.text.length + after.text.length <= maxJoinedChars
  );
}

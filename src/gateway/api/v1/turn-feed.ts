import type { Answer } from '../../../contracts/api.ts';
import type { StreamEvent } from '../../../contracts/stream.ts';
import { Bell, hasEnded, mayChangeAnswer, readAnswer, storePollMs, type AnswerTarget } from '../answer.ts';
import type { ApiContext } from '../deps.ts';
import type { RequestEnd } from '../request-end.ts';

export interface FeedItem {
  readonly event: StreamEvent;
  /** It stands for all deltas of its step so far. */
  readonly folded: boolean;
}

/**
 * The events of one message's turn, listened to from the moment before the message is accepted, and the turn's end as the
 * store has it.
 */
export class TurnFeed {
  private readonly context: Pick<ApiContext, 'store' | 'bus'>;
  private readonly bell = new Bell();
  private readonly unsubscribe: () => void;
  /** Until it is known what to follow, everything is kept. */
  private early: FeedItem[] | null;
  private readonly items: FeedItem[] = [];
  private target: AnswerTarget | null = null;
  private turn: number | null = null;
  private mustLook = true;

  constructor(context: Pick<ApiContext, 'store' | 'bus'>, conversationId: string) {
    this.context = context;
    this.unsubscribe = context.bus.subscribe(conversationId, (event) => this.hear({ event, folded: false }));
    // A repeated request comes into the middle of its turn.
    this.early = context.bus.backlog(conversationId).map((event) => ({ event, folded: true }));
  }

  follow(target: AnswerTarget): void {
    this.target = target;
    this.turn = target.turn;
    const early = this.early ?? [];
    this.early = null;
    // Who answered a question has had what the turn said before it.
    for (const item of early) if (target.turn === null || !item.folded) this.admit(item);
  }

  /** The turn's number, once a turn has taken the message. */
  get turnNumber(): number | null {
    return this.turn;
  }

  /**
   * Yields the turn's events and returns how it ended, or that it waits for the person. Ends early, with things as they
   * stand, when the request ends; releases it in any case. Rejects with a PortError of the store.
   */
  async *follows({ signal, release }: RequestEnd): AsyncGenerator<FeedItem, Answer> {
    const target = this.target;
    if (target === null) throw new Error('follow() comes first');
    const ring = (): void => this.bell.ring();
    signal.addEventListener('abort', ring, { once: true });
    try {
      for (;;) {
        for (let item = this.items.shift(); item !== undefined; item = this.items.shift()) yield item;
        if (!this.mustLook && !signal.aborted) {
          await this.listen();
          continue;
        }
        this.mustLook = false;
        const answer = await readAnswer(this.context.store, target);
        if (answer.turn !== null) this.enter(answer.turn, target.conversationId);
        if (!signal.aborted && !hasEnded(answer) && !this.waits(answer)) continue;
        yield* this.items.splice(0);
        return answer;
      }
    } finally {
      release();
      this.close();
    }
  }

  close(): void {
    this.unsubscribe();
  }

  private async listen(): Promise<void> {
    const before = performance.now();
    await this.bell.heard(storePollMs);
    if (performance.now() - before >= storePollMs - 1) this.mustLook = true;
  }

  /** A message that is queued behind a turn that waits is not what the question is about. */
  private waits(answer: Answer): boolean {
    return answer.state === 'waiting' && this.turn !== null;
  }

  private hear(item: FeedItem): void {
    if (this.early === null) this.admit(item);
    else this.early.push(item);
    if (mayChangeAnswer(item.event)) this.mustLook = true;
    this.bell.ring();
  }

  private admit(item: FeedItem): void {
    const { event } = item;
    const inboundId = this.target?.inboundId ?? '';
    if (event.kind === 'turn-started' && event.inboundIds.includes(inboundId)) this.turn ??= event.turn;
    if (this.turn === event.turn) this.items.push(item);
  }

  /** The number came from the store: what the turn has said so far is in the backlog. */
  private enter(turn: number, conversationId: string): void {
    if (this.turn !== null) return;
    this.turn = turn;
    for (const event of this.context.bus.backlog(conversationId)) {
      if (event.turn === turn) this.items.push({ event, folded: true });
    }
  }
}

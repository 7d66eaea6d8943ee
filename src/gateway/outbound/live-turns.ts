import type { ReplyAddress } from '../../contracts/conversation.ts';
import type { StreamEvent } from '../../contracts/stream.ts';
import type { Desk } from './desk.ts';
import { answerId } from './desk.ts';
import { LiveRows, type Growing } from './live-rows.ts';
import { LiveTurn } from './live-turn.ts';

/** Events of a turn whose address is still being looked up. */
const mostEarly = 1_000;
const quietMs = 60_000;

/** Shows the turns that run in the chats they came from. */
export class LiveTurns implements Growing {
  readonly rows: LiveRows;
  private readonly desk: Desk;
  /** By conversation: a turn that is shown, early events of one that is looked up, or a turn that is nobody's here. */
  private readonly turns = new Map<string, Known>();
  private unsubscribe: () => void = () => undefined;
  private watching: NodeJS.Timeout | null = null;

  constructor(desk: Desk) {
    this.desk = desk;
    this.rows = new LiveRows(desk, this);
  }

  start(): void {
    this.unsubscribe = this.desk.deps.bus.subscribeAll((event) => this.hear(event));
    this.adopt().catch((error: unknown) => {
      this.desk.deps.log.warn({ error: String(error) }, 'running turns are shown from their next step on');
    });
    this.watching = setInterval(() => void this.forgetEnded(), quietMs / 2);
    this.watching.unref();
  }

  close(): void {
    this.unsubscribe();
    if (this.watching !== null) clearInterval(this.watching);
    for (const known of this.turns.values()) known.live?.stop();
    this.turns.clear();
  }

  stop(turn: { readonly conversationId: string; readonly turn: number }): void {
    const known = this.turns.get(turn.conversationId);
    if (known?.turn === turn.turn) known.live?.stop();
  }

  leave(rowId: string): string | null {
    for (const { live } of this.turns.values()) if (live?.owns(rowId) === true) return live.leave();
    return null;
  }

  private hear(event: StreamEvent): void {
    if (event.kind === 'outbox' || (event.kind === 'notice' && !this.turns.has(event.conversationId))) return;
    const before = this.turns.get(event.conversationId);
    if (before !== undefined && event.turn < before.turn) return;
    if (event.kind === 'turn-finished') {
      if (before !== undefined) this.forget(event.conversationId, before);
      return;
    }
    const inboundIds = event.kind === 'turn-started' ? event.inboundIds : null;
    const known = before?.turn === event.turn ? before : this.begin(event, inboundIds);
    known.heardAt = Date.now();
    if (known.live !== null) known.live.hear(event);
    else if (known.early !== null && known.early.length < mostEarly) known.early.push(event);
  }

  /** What runs since before this process began. */
  private async adopt(): Promise<void> {
    for (const { conversationId, turn, inboundIds } of await this.desk.store.turns.running()) {
      if (!this.turns.has(conversationId)) this.begin({ conversationId, turn }, inboundIds);
    }
  }

  private begin(of: Pick<StreamEvent, 'conversationId' | 'turn'>, inboundIds: readonly string[] | null): Known {
    const { conversationId, turn } = of;
    this.turns.get(conversationId)?.live?.stop();
    const known: Known = { turn, live: null, early: [], heardAt: Date.now() };
    this.turns.set(conversationId, known);
    this.open(conversationId, known, inboundIds).catch((error: unknown) => {
      this.desk.deps.log.warn({ conversationId, error: String(error) }, 'a turn is not shown live');
      known.early = null;
    });
    return known;
  }

  private async open(conversationId: string, known: Known, inboundIds: readonly string[] | null): Promise<void> {
    const to = await this.addressOf(conversationId, known.turn, inboundIds);
    if (this.turns.get(conversationId) !== known) return;
    if (to === null) {
      known.early = null;
      return;
    }
    const live = new LiveTurn(this.desk, this.rows, { conversationId, turn: known.turn, to });
    await live.begin();
    if (this.turns.get(conversationId) !== known) {
      live.stop();
      return;
    }
    known.live = live;
    for (const event of known.early ?? []) live.hear(event);
    known.early = null;
  }

  /** Where the turn's newest message came from, unless its answer goes elsewhere. */
  private async addressOf(
    conversationId: string,
    turn: number,
    inboundIds: readonly string[] | null,
  ): Promise<ReplyAddress | null> {
    const { store } = this.desk;
    const handedTo = await store.handoffs.to(conversationId, turn);
    const begun = inboundIds === null ? await store.turns.get(conversationId, turn) : null;
    // A straggler of a turn that is over says nothing new.
    const ids = inboundIds ?? (begun?.state === 'running' ? begun.inboundIds : []);
    const last = ids.at(-1);
    if (last === undefined) return null;
    if (handedTo !== null) return handedTo;
    return (await store.inbox.get(last))?.replyTo ?? null;
  }

  /** A worker that died says nothing; the store knows when the turn has ended otherwise. */
  private async forgetEnded(): Promise<void> {
    for (const [conversationId, known] of [...this.turns]) {
      if (Date.now() - known.heardAt < quietMs) continue;
      try {
        const turn = await this.desk.store.turns.get(conversationId, known.turn);
        if (turn?.state !== 'running' || known.live === null) this.forget(conversationId, known);
        else known.heardAt = Date.now();
      } catch (error) {
        this.desk.deps.log.debug(
          { turn: answerId({ conversationId, turn: known.turn }), error: String(error) },
          'not seen',
        );
      }
    }
  }

  private forget(conversationId: string, known: Known): void {
    known.live?.stop();
    if (this.turns.get(conversationId) === known) this.turns.delete(conversationId);
  }
}

interface Known {
  readonly turn: number;
  live: LiveTurn | null;
  /** Null: nothing more is kept for it. */
  early: StreamEvent[] | null;
  heardAt: number;
}

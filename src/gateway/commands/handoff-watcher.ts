import type { BaseLogger } from 'pino';
import type { HandoffRow } from '../../store/people-ports.ts';
import type { Store } from '../../store/ports.ts';
import type { StreamBus } from '../../stream/bus.ts';

export interface HandoffWatcherDeps {
  readonly store: Store;
  readonly bus: StreamBus;
  readonly redact: (text: string) => string;
  readonly log: BaseLogger;
  readonly intervalMs?: number;
}

/**
 * Sees to turns that were handed over: their answer, and the questions they ask meanwhile, go into the outbox under the
 * very ids that `deliverMessage` uses, so that a turn which has an address of its own is not answered twice.
 */
export interface HandoffWatcher {
  /** Begins with what an earlier process left behind. */
  start(): void;
  /** Ends when the running look has ended. Idempotent. */
  stop(): Promise<void>;
}

const pageSize = 100;
/** A message that waited at the handoff and became part of no turn of its own by then never will. */
const forgottenMs = 24 * 60 * 60 * 1000;

export function createHandoffWatcher(deps: HandoffWatcherDeps): HandoffWatcher {
  return new PollingWatcher(deps);
}

class PollingWatcher implements HandoffWatcher {
  private readonly deps: HandoffWatcherDeps;
  private timer: NodeJS.Timeout | null = null;
  private looking: Promise<void> = Promise.resolve();
  private stopped = false;
  private failing = false;

  constructor(deps: HandoffWatcherDeps) {
    this.deps = deps;
  }

  start(): void {
    this.looking = this.look();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await this.looking;
  }

  private async look(): Promise<void> {
    try {
      for (const handoff of await this.deps.store.handoffs.open(pageSize)) await attendTo(this.deps, handoff);
      this.failing = false;
    } catch (err) {
      if (!this.failing) this.deps.log.warn({ err }, 'turns that were handed over cannot be looked after now');
      this.failing = true;
    }
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.looking = this.look();
    }, this.deps.intervalMs ?? 1000);
  }
}

async function attendTo(deps: HandoffWatcherDeps, handoff: HandoffRow): Promise<void> {
  const { store } = deps;
  const { conversationId, turn } = handoff;
  const row = await store.turns.get(conversationId, turn);
  if (row === null) {
    if (Date.now() - Date.parse(handoff.createdAt) > forgottenMs) await store.handoffs.settle(conversationId, turn);
    return;
  }
  if (row.state === 'running') return bringQuestions(deps, handoff);
  // What was taken back is not told any more.
  if (row.state !== 'undone') await bring(deps, handoff, { text: row.answer ?? '', approvalId: null });
  await store.handoffs.settle(conversationId, turn);
}

async function bringQuestions(deps: HandoffWatcherDeps, handoff: HandoffRow): Promise<void> {
  const { conversationId, turn } = handoff;
  const waiting = await deps.store.approvals.list({ state: 'waiting', conversationId, limit: 50 });
  const asks = waiting
    .filter((ask) => ask.turn === turn)
    .sort((one, other) => one.askedAt.localeCompare(other.askedAt));
  for (const { id, title, detail } of asks) {
    const text = [title, detail].filter((part) => part !== '').join('\n\n');
    await bring(deps, handoff, { text, approvalId: id });
  }
}

async function bring(
  { store, bus, redact }: HandoffWatcherDeps,
  { conversationId, turn, to }: HandoffRow,
  what: { readonly text: string; readonly approvalId: string | null },
): Promise<void> {
  const { approvalId } = what;
  const text = redact(what.text);
  if (text === '') return;
  const id = approvalId ?? `${conversationId}/${String(turn)}`;
  // Asked once a second while a question waits.
  if ((await store.outbox.get(id)) !== null) return;
  const common = { id, to, conversationId, turn, text };
  await store.outbox.enqueue(
    approvalId === null ? { ...common, kind: 'text' } : { ...common, kind: 'ask', approvalId },
  );
  bus.publish({ conversationId, turn, kind: 'outbox' });
}

import type { Answer } from '../../contracts/api.ts';
import type { StreamEvent } from '../../contracts/stream.ts';
import type { Store, TurnRow } from '../../store/ports.ts';
import type { StreamBus } from '../../stream/bus.ts';
import { decidedKey } from '../submit.ts';
import { answerView } from './views.ts';

/** What somebody waits for: the turn that takes a message, or a turn whose number is known. */
export interface AnswerTarget {
  readonly conversationId: string;
  readonly inboundId: string;
  /** Set when the message decided something in this turn and starts none of its own. */
  readonly turn: number | null;
}

/** @returns null for a message nobody sent. */
export async function findTarget(store: Store, inboundId: string): Promise<AnswerTarget | null> {
  const row = await store.inbox.get(inboundId);
  if (row !== null) return { conversationId: row.conversationId, inboundId, turn: null };
  const entry = await store.idempotency.find(decidedKey(inboundId));
  const approval = entry === null ? null : await store.approvals.get(entry.inboundId);
  return approval === null ? null : { conversationId: approval.conversationId, inboundId, turn: approval.turn };
}

/** How the store stands now. */
export async function readAnswer(store: Store, target: AnswerTarget): Promise<Answer> {
  const { conversationId } = target;
  const turn =
    target.turn === null
      ? await store.turns.ofInbound(target.inboundId)
      : await store.turns.get(conversationId, target.turn);
  if (turn === null || turn.state === 'running') {
    const waiting = await store.approvals.list({ state: 'waiting', conversationId, limit: 50 });
    return answerView(conversationId, turn, '', waiting);
  }
  return answerView(conversationId, turn, turn.answer ?? (await lastNotice(store, turn)), []);
}

/**
 * Waits for the end of a turn, or until it waits for the person.
 * Contract: honours the signal by answering with how things stand; rejects only with a PortError of the store. The
 * subscription is made before the store is read, so that no end is missed in between.
 */
export async function awaitAnswer(
  deps: { store: Store; bus: StreamBus },
  target: AnswerTarget,
  wait: { waitMs: number; through: 'waiting' | 'end'; signal: AbortSignal },
): Promise<Answer> {
  const until = performance.now() + wait.waitMs;
  const bell = new Bell();
  const ring = (): void => bell.ring();
  const unsubscribe = deps.bus.subscribe(target.conversationId, (event) => {
    if (mayChangeAnswer(event)) bell.ring();
  });
  wait.signal.addEventListener('abort', ring, { once: true });
  try {
    for (;;) {
      const answer = await readAnswer(deps.store, target);
      const leftMs = until - performance.now();
      if (hasEnded(answer) || wait.signal.aborted || leftMs <= 0) return answer;
      if (answer.state === 'waiting' && wait.through === 'waiting') return answer;
      await bell.heard(Math.min(storePollMs, leftMs));
    }
  } finally {
    unsubscribe();
    wait.signal.removeEventListener('abort', ring);
  }
}

export function hasEnded(answer: Answer): boolean {
  return answer.state !== 'pending' && answer.state !== 'waiting';
}

export function mayChangeAnswer(event: StreamEvent): boolean {
  return event.kind === 'turn-finished' || event.kind === 'asked' || event.kind === 'decided';
}

/** Workers in other processes write to the store without a word here when the way between is broken. */
export const storePollMs = 1_000;

/** Remembers that it rang, so that a ring between two waits is not lost. */
export class Bell {
  private rung = false;
  private wake: (() => void) | null = null;

  ring(): void {
    this.rung = true;
    this.wake?.();
  }

  /** Resolves at the next ring (or at once if it rang since the last wait), at the latest after `limitMs`. */
  async heard(limitMs: number): Promise<void> {
    if (!this.rung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, limitMs);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.wake = null;
    this.rung = false;
  }
}

async function lastNotice(store: Store, turn: TurnRow): Promise<string> {
  const { conversationId, turn: number } = turn;
  const messages = await store.transcript.load(conversationId, { fromTurn: number, toTurn: number });
  return messages.findLast((message) => message.role === 'notice')?.text ?? '';
}

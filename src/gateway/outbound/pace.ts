import { setTimeout as sleep } from 'node:timers/promises';
import type { OutboxLane } from '../../store/outbox-ports.ts';
import type { PlatformCapabilities } from '../platforms/platform.ts';

type PaceMs = PlatformCapabilities['paceMs'];

/** When the next message may go, per chat and per account. Kept in memory: a restart costs at most one refusal. */
export class Pace {
  private readonly next = new Map<string, number>();
  private sweptAt = 0;

  /** Takes the next free moment for a message to the chat and waits for it. Rejects when the signal aborts. */
  async turn(lane: OutboxLane, pace: PaceMs, signal: AbortSignal): Promise<void> {
    // First the chat's own pause: as long as it lasts, the account is free for its other chats.
    await pauseUntil(this.at(keyOf(lane)), signal);
    const now = Date.now();
    const at = Math.max(now, this.at(lane.account), this.at(keyOf(lane)));
    this.next.set(lane.account, at + pace.account);
    this.next.set(keyOf(lane), at + pace.chat);
    this.sweep(now);
    await pauseUntil(at, signal);
  }

  /** Takes a moment for something that may as well be left out, as an edit of what is still growing. */
  spare(lane: OutboxLane, pace: PaceMs): boolean {
    const now = Date.now();
    if (Math.max(this.at(lane.account), this.at(keyOf(lane))) > now) return false;
    this.next.set(lane.account, now + pace.account);
    return true;
  }

  /** The platform has said how long it takes nothing. */
  hold(lane: OutboxLane, ms: number): void {
    this.next.set(keyOf(lane), Math.max(this.at(keyOf(lane)), Date.now() + ms));
  }

  private at(key: string): number {
    return this.next.get(key) ?? 0;
  }

  private sweep(now: number): void {
    if (now - this.sweptAt < 10_000) return;
    this.sweptAt = now;
    for (const [key, at] of this.next) if (at < now) this.next.delete(key);
  }
}

async function pauseUntil(at: number, signal: AbortSignal): Promise<void> {
  const leftMs = at - Date.now();
  if (leftMs > 0) await sleep(leftMs, undefined, { signal });
}

export function keyOf({ account, chat }: OutboxLane): string {
  return `${account}\n${chat}`;
}

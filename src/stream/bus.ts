import type { StreamEvent } from '../contracts/stream.ts';

/**
 * Carries live events from activities to whoever watches.
 * Contract: `publish` never throws and never waits; a slow or absent reader costs the publisher nothing.
 */
export interface StreamBus {
  publish(event: StreamEvent): void;
  /** @returns a function that ends the subscription; idempotent. */
  subscribe(conversationId: string, listener: (event: StreamEvent) => void): () => void;
  /** Every event of every conversation that this process hears of. @returns as `subscribe` does. */
  subscribeAll(listener: (event: StreamEvent) => void): () => void;
  /** Events of the turn in progress, folded: deltas of the newest attempt joined into one per channel and step. */
  backlog(conversationId: string): readonly StreamEvent[];
}

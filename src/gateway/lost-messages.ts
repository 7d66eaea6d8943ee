import type { BaseLogger } from 'pino';
import type { ConversationSnapshot } from '../contracts/conversation.ts';
import type { InboundRow, Store } from '../store/ports.ts';
import type { ConversationClient } from './conversation-client.ts';

export interface LostMessageDeps {
  readonly store: Store;
  readonly client: ConversationClient;
  readonly log: BaseLogger;
  readonly untakenAfterMs: number;
  /** Signals it again. */
  readonly signal: (message: InboundRow) => Promise<void>;
}

/**
 * Finds messages that were signalled but that no workflow has: a Temporal that lost its file forgets its signals. Such a
 * message is signalled again, which is harmless where it was not lost after all.
 */
export interface LostMessageSearch {
  /** Makes the next look due at once. */
  lookSoon(): void;
  /** Looks if the last look was long enough ago. Rejects with a PortError when the store fails; skips what cannot be told. */
  lookWhenDue(): Promise<void>;
}

const pageSize = 200;
/** A message its conversation keeps refusing to take is not lost, it is stuck; signalling it for ever helps nobody. */
const attemptsPerMessage = 5;

export function createLostMessageSearch(deps: LostMessageDeps): LostMessageSearch {
  let lookedAt = -Infinity;
  const attempts = new Map<string, number>();

  const signalAgain = async (message: InboundRow): Promise<void> => {
    const made = (attempts.get(message.id) ?? 0) + 1;
    attempts.set(message.id, made);
    const about = { inboundId: message.id, conversationId: message.conversationId, attempt: made };
    if (made > attemptsPerMessage + 1) return;
    if (made > attemptsPerMessage) {
      deps.log.error(about, 'a message is taken by no turn however often it is signalled');
      return;
    }
    deps.log.warn(about, 'a signalled message was lost; signalling it again');
    await deps.signal(message);
  };

  const lookAt = async (conversationId: string, messages: readonly InboundRow[]): Promise<void> => {
    try {
      const snapshot = await deps.client.snapshot(conversationId);
      for (const message of messages) if (isLost(message, snapshot)) await signalAgain(message);
    } catch (error) {
      // No worker answers, or Temporal went away meanwhile: nothing can be said of these, so they are looked at again.
      deps.log.debug({ conversationId, err: error }, 'cannot tell whether messages were lost');
    }
  };

  return {
    lookSoon: () => {
      lookedAt = -Infinity;
    },
    lookWhenDue: async () => {
      const now = performance.now();
      if (now - lookedAt < deps.untakenAfterMs) return;
      lookedAt = now;
      const untaken = await deps.store.inbox.untaken(deps.untakenAfterMs, pageSize);
      const ids = new Set(untaken.map((message) => message.id));
      for (const id of attempts.keys()) if (!ids.has(id)) attempts.delete(id);
      for (const [conversationId, messages] of byConversation(untaken)) await lookAt(conversationId, messages);
    },
  };
}

/** An idle workflow without the message in its queue has not got it; a busy one may be about to take it. */
function isLost(message: InboundRow, snapshot: ConversationSnapshot | null): boolean {
  if (snapshot === null) return true;
  return snapshot.phase === 'idle' && !snapshot.queue.some((queued) => queued.inboundId === message.id);
}

function byConversation(messages: readonly InboundRow[]): Map<string, InboundRow[]> {
  const groups = new Map<string, InboundRow[]>();
  for (const message of messages) {
    const group = groups.get(message.conversationId);
    if (group === undefined) groups.set(message.conversationId, [message]);
    else group.push(message);
  }
  return groups;
}

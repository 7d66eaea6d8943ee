import type { ReplyAddress } from '../../contracts/conversation.ts';
import type { Store } from '../../store/ports.ts';
import type { StreamBus } from '../../stream/bus.ts';
import type { FileOutbound } from '../../tools/tool-deps.ts';
import type { PlatformCapabilities } from '../platforms/platform.ts';
import { fileKindOf } from './file-kind.ts';

/** It is in memory as a whole on its way into the store. */
const largestBytes = 100_000_000;

/** Files of `send_file`, on the outbox. Works in a process without connections. */
export function createFileOutbound(deps: {
  readonly store: Pick<Store, 'outbox' | 'turns' | 'inbox' | 'handoffs'>;
  readonly bus: Pick<StreamBus, 'publish'>;
  /** Of an account that is set up, on or off; undefined for every other. */
  readonly capabilitiesOf: (accountId: string) => PlatformCapabilities | undefined;
}): FileOutbound {
  const addressOf = async (of: { conversationId: string; turn: number }): Promise<ReplyAddress | null> => {
    const handedTo = await deps.store.handoffs.to(of.conversationId, of.turn);
    if (handedTo !== null) return handedTo;
    const ids = (await deps.store.turns.get(of.conversationId, of.turn))?.inboundIds ?? [];
    for (const id of ids.toReversed()) {
      const to = (await deps.store.inbox.get(id))?.replyTo ?? null;
      if (to !== null) return to;
    }
    return null;
  };
  return {
    fileLimit: async (of) => {
      const to = await addressOf(of);
      const taken = to === null ? undefined : deps.capabilitiesOf(to.platform)?.files.sendBytes;
      return taken === undefined ? null : Math.min(taken, largestBytes);
    },
    sendFile: async ({ key, conversationId, turn, name, mediaType, caption, blobId, sizeBytes }) => {
      const to = await addressOf({ conversationId, turn });
      // The tool asks for the limit first, which says that there is one.
      if (to === null) return;
      const file = { name, mediaType, sizeBytes, kind: fileKindOf(mediaType), source: { blobId } };
      await deps.store.outbox.enqueue({ id: key, kind: 'file', to, conversationId, turn, text: caption, file });
      deps.bus.publish({ conversationId, turn, kind: 'outbox' });
    },
  };
}

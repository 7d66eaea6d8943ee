import { createHash } from 'node:crypto';
import type { Store } from '../../store/ports.ts';
import type { PlatformEvent, PlatformInbox } from '../platforms/platform.ts';
import { laneOf } from './names.ts';

/** What tells people about a connection; the store has no part in it. */
export type InboxHooks = Partial<Pick<PlatformInbox, 'state' | 'show'>>;

interface InboxDeps {
  readonly store: Store;
  /** An event of this lane is in the store. */
  readonly wake: (lane: string) => void;
}

const longestKey = 150;

/** The inbox of one account over the store: an event is on disk before `accept` resolves. */
export function createInbox(accountId: string, deps: InboxDeps, hooks: InboxHooks = {}): PlatformInbox {
  const { platformEvents: events, platformValues: values } = deps.store;
  return {
    accept: async (event) => {
      if (isOverheard(event)) return;
      const lane = laneOf(accountId, event.chat);
      const { created } = await events.accept({
        account: accountId,
        keys: [keyFrom(event.key), ...(event.aliases ?? []).map(keyFrom)],
        lane,
        sender: event.sender.id,
        event: JSON.stringify(event),
      });
      if (created) deps.wake(lane);
    },
    load: (name) => values.load(accountId, name),
    save: (changes) => values.save(accountId, changes),
    names: (prefix) => values.names(accountId, prefix),
    state: (state, detail) => hooks.state?.(state, detail),
    show: (text) => hooks.show?.(text),
  };
}

/**
 * What people say to each other in a group is nobody's to keep. Files may be the rest of an album whose first part
 * addresses the agent.
 */
function isOverheard(event: PlatformEvent): boolean {
  return event.kind === 'message' && event.chat.kind === 'group' && !event.addressed && event.files.length === 0;
}

function keyFrom(key: string): string {
  return key.length <= longestKey
    ? key
    : `${key.slice(0, 100)}#${createHash('sha256').update(key).digest('hex')}`.slice(0, longestKey);
}

import type { PlatformEvent, PlatformInbox } from '../platform.ts';
import { isoOf } from './fields.ts';

/** So long what is said in a thread needs no mention; afterwards a mention is heard there as anywhere. */
const threadDays = 14;

/** Threads of channels that began with a message to the bot, kept in the inbox. */
interface BegunThreads {
  /** Notes a thread that begins; a message in a noted one addresses the bot without a mention. */
  heed(event: PlatformEvent): Promise<PlatformEvent>;
  /** Forgets the old ones. */
  tidy(): Promise<void>;
}

export function createBegunThreads(inbox: PlatformInbox): BegunThreads {
  return {
    heed: async (event) => {
      const { chat } = event;
      if (event.kind !== 'message' || chat.kind !== 'group' || chat.thread === undefined) return event;
      const name = `thread/${chat.id}/${chat.thread}`;
      const begins = event.addressed && event.messageId === chat.thread && event.edited !== true;
      if (begins) await inbox.save({ [name]: event.at });
      if (event.addressed || isOld(chat.thread) || (await inbox.load(name)) === null) return event;
      return { ...event, addressed: true };
    },
    tidy: async () => {
      const old = (await inbox.names('thread/')).filter((name) => isOld(name.split('/')[2] ?? ''));
      await inbox.save(Object.fromEntries(old.map((name) => [name, null])));
    },
  };
}

function isOld(ts: string): boolean {
  return !(Date.now() - Date.parse(isoOf(ts) ?? '') < threadDays * 86_400_000);
}

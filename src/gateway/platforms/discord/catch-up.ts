import { fields, list, words } from '../json-fields.ts';
import { PortError } from '../../../lib/port-error.ts';
import { segment, type DiscordApi } from './api.ts';
import { isLater, type HeardChat } from './progress.ts';

const pageSize = 100;
/** Events may come out of order: what is this much older than the newest one is read again. */
const overlapMs = 60_000;

/**
 * Reads what was said in a chat since it was last heard, oldest first, as payloads of the gateway would have brought it.
 *
 * @throws PortError; RecipientGone or MessageRejected when the chat is not readable any more.
 */
export async function* missedMessages(api: DiscordApi, chat: HeardChat, signal: AbortSignal): AsyncGenerator {
  let after = earlier(chat.last);
  for (;;) {
    const page = await api.call({
      method: 'Get',
      path: `/channels/${segment(chat.channel)}/messages`,
      query: { after, limit: String(pageSize) },
      signal,
    });
    const messages = list(page)
      .map(fields)
      .filter((one) => words(one['id']) !== null)
      .sort((a, b) => (isLater(String(a['id']), String(b['id'])) ? 1 : -1));
    for (const message of messages) {
      yield { op: 0, t: 'MESSAGE_CREATE', d: chat.guild === null ? message : { ...message, guild_id: chat.guild } };
    }
    const last = messages.at(-1)?.['id'];
    if (messages.length < pageSize || typeof last !== 'string' || !isLater(last, after)) return;
    after = last;
  }
}

/** Whether a chat that cannot be read will never be: then it is forgotten, and nothing waits for it. */
export function isUnreadable(error: unknown): boolean {
  return PortError.is(error) && (error.code === 'Platform.RecipientGone' || error.code === 'Platform.MessageRejected');
}

function earlier(id: string): string {
  if (!/^\d{15,20}$/.test(id)) return id;
  const moved = BigInt(id) - (BigInt(overlapMs) << 22n);
  return String(moved > 0n ? moved : 0n);
}

import { setTimeout as sleep } from 'node:timers/promises';
import { PortError } from '../../../lib/port-error.ts';
import type { PlatformEvent, PlatformInbox, PlatformLog } from '../platform.ts';
import type { TelegramApi } from './api.ts';
import { portErrorOf } from './errors.ts';
import { readEvent, type Me } from './read-event.ts';

interface PollDeps {
  readonly api: TelegramApi;
  readonly inbox: PlatformInbox;
  readonly log: PlatformLog;
}

const longPollSeconds = 30;
const pollLimitMs = (longPollSeconds + 10) * 1_000;
const firstPauseMs = 100;
const longestPauseMs = 15_000;
const shortestLookMs = 500;
/** After a week without updates the platform goes on from any number; an old offset would then hide new updates. */
const offsetHoldsMs = 6 * 24 * 3_600_000;
const wanted = ['message', 'edited_message', 'callback_query', 'my_chat_member'] as const;

interface Cursor {
  /** The first update that was not accepted yet; undefined asks for all the platform still holds. */
  offset: number | undefined;
  heardAt: number;
}

/**
 * Receives until the signal aborts. An update counts as received for the platform when a later offset is asked for: that
 * happens only after every update of the batch was accepted and the offset saved.
 */
export async function pollUpdates(deps: PollDeps, signal: AbortSignal): Promise<void> {
  const { api, inbox, log } = deps;
  inbox.state('connecting');
  const cursor = await loadCursor(inbox);
  let me: Me | null = null;
  let pauseMs = firstPauseMs;
  let conflicts = 0;
  let connected = false;
  while (!signal.aborted) {
    try {
      me ??= await begin(api, signal);
      if (Date.now() - cursor.heardAt > offsetHoldsMs) cursor.offset = undefined;
      // The first look does not wait, so that it is known at once whether receiving works.
      const updates = await look(deps.api, cursor.offset, connected ? longPollSeconds : 0, signal);
      if (!connected) inbox.state('connected');
      connected = true;
      conflicts = 0;
      await acceptAll(deps, updates, me);
      pauseMs = firstPauseMs;
      if (updates.length > 0) await advance(inbox, cursor, updates);
    } catch (error) {
      // Asked anew: it aborts while something is waited for.
      if ((signal as { readonly aborted: boolean }).aborted) return;
      const failure = portErrorOf(error, 'repeatable');
      conflicts += failure.code === 'Platform.Conflict' ? 1 : 0;
      // One conflict may be the end of this account's own last connection.
      if (failure.code === 'Platform.Authentication' || conflicts > 1) throw failure;
      connected = false;
      inbox.state('waiting', failure.message);
      log.debug({ code: failure.code, pauseMs }, 'telegram does not deliver');
      await sleep(failure.retryAfterMs ?? (conflicts > 0 ? 1_000 : pauseMs), undefined, { signal }).catch(
        () => undefined,
      );
      pauseMs = Math.min(longestPauseMs, pauseMs * 2);
    }
  }
}

/** A webhook that somebody has set would keep updates from coming here. */
async function begin(api: TelegramApi, signal: AbortSignal): Promise<Me> {
  const me = await api.call({ effect: 'repeatable', signal }, (bot, limit) => bot.getMe(limit));
  await api.call({ effect: 'repeatable', signal }, (bot, limit) =>
    bot.deleteWebhook({ drop_pending_updates: false }, limit),
  );
  return { id: me.id, username: me.username };
}

async function look(api: TelegramApi, offset: number | undefined, seconds: number, signal: AbortSignal) {
  const asked = Date.now();
  const updates: unknown = await api.call({ effect: 'repeatable', signal, limitMs: pollLimitMs }, (bot, limit) =>
    bot.getUpdates(
      { timeout: seconds, limit: 100, allowed_updates: wanted, ...(offset === undefined ? {} : { offset }) },
      limit,
    ),
  );
  if (!Array.isArray(updates)) throw new PortError('Platform.Unavailable', 'Telegram gave an answer that says nothing');
  // Not every server that speaks this protocol waits, and what has no id is never acknowledged: neither may spin.
  if (updates.every((update) => idOf(update) === null)) {
    const restMs = seconds === 0 ? 0 : shortestLookMs - (Date.now() - asked);
    await sleep(Math.max(0, restMs), undefined, { signal }).catch(() => undefined);
  }
  return updates as readonly unknown[];
}

/** One after another within a chat, all chats at once. Rejects when one was not accepted, after all have been tried. */
async function acceptAll({ inbox, log }: PollDeps, updates: readonly unknown[], me: Me): Promise<void> {
  const chats = new Map<string, PlatformEvent[]>();
  for (const update of updates) {
    const event = readEvent(update, me);
    if (PortError.is(event)) log.warn({ reason: event.message }, 'an update that cannot be read is left out');
    else if (event !== null) chats.set(event.chat.id, [...(chats.get(event.chat.id) ?? []), event]);
  }
  const lanes = [...chats.values()].map(async (events) => {
    for (const event of events) await inbox.accept(event);
  });
  const refused = (await Promise.allSettled(lanes)).find((result) => result.status === 'rejected');
  if (refused === undefined) return;
  log.warn({ error: refused.reason as unknown }, 'an update could not be kept and is asked for again');
  throw new PortError('Storage.Unavailable', 'an update could not be kept');
}

async function advance(inbox: PlatformInbox, cursor: Cursor, updates: readonly unknown[]): Promise<void> {
  const ids = updates.map(idOf).filter((id) => id !== null);
  cursor.heardAt = Date.now();
  // A repeated update is older than the offset, which never goes back.
  cursor.offset = ids.reduce((offset, id) => Math.max(offset, id + 1), cursor.offset ?? 0);
  await inbox.save({ cursor: JSON.stringify(cursor) });
}

function idOf(update: unknown): number | null {
  const id = typeof update === 'object' && update !== null && 'update_id' in update ? update.update_id : null;
  return typeof id === 'number' && Number.isSafeInteger(id) && id >= 0 ? id : null;
}

async function loadCursor(inbox: PlatformInbox): Promise<Cursor> {
  const saved = JSON.parse((await inbox.load('cursor')) ?? '{}') as Partial<Cursor>;
  return { offset: saved.offset, heardAt: saved.heardAt ?? Date.now() };
}

import { setTimeout as sleep } from 'node:timers/promises';
import { PortError } from '../../../lib/port-error.ts';
import { fields, type Fields, words } from '../json-fields.ts';
import type { PlatformEvent, PlatformInbox, PlatformLog } from '../platform.ts';
import type { SlackApi } from './api.ts';
import { isoOf, listOf } from './fields.ts';

/** Threads are watched for so long after their last message; those of channels are many. */
const threadDays = { direct: 14, channel: 2 };
const pageSize = 200;
const mostPages = 10;

/** How far the account has seen each direct chat, and each channel and thread in which it is addressed; in the inbox. */
export interface Seen {
  /** After an event was accepted. */
  saw(event: PlatformEvent): Promise<void>;
  /** An event could not be kept: until the next catch-up nothing counts as seen, so that it is found again. */
  missed(): void;
  /** Reads what these got since they were last seen, each message in order, oldest first. */
  catchUp(take: (message: Fields, channel: string) => Promise<void>, signal: AbortSignal): Promise<void>;
}

export function createSeen(api: SlackApi, inbox: PlatformInbox, log: PlatformLog): Seen {
  /** Newest time stamp by name; ahead of the inbox while something older may be missing. */
  const newest = new Map<string, string>();
  let whole = false;

  const forget = (name: string): Promise<void> => {
    newest.delete(name);
    return inbox.save({ [name]: null });
  };
  const read = async (name: string, take: (message: Fields, channel: string) => Promise<void>, signal: AbortSignal) => {
    const [, channel = '', thread] = name.split('/');
    const oldest = await inbox.load(name);
    if (oldest === null) return;
    if (thread !== undefined && isOld(channel, oldest)) return forget(name);
    for (const message of await since(api, { channel, thread, oldest }, signal)) await take(message, channel);
  };

  return {
    saw: async (event) => {
      if (event.kind === 'gone' || event.kind === 'button') return;
      if (event.kind === 'message' && (event.edited === true || !event.addressed)) return;
      const { messageId } = event;
      if (messageId === undefined) return;
      const names = namesOf(event, messageId).filter((name) => Number(newest.get(name) ?? 0) < Number(messageId));
      for (const name of names) newest.set(name, messageId);
      if (whole && names.length > 0) await inbox.save(Object.fromEntries(names.map((name) => [name, messageId])));
    },
    missed: () => {
      whole = false;
    },
    catchUp: async (take, signal) => {
      whole = false;
      for (const name of await inbox.names('seen/')) {
        try {
          await read(name, take, signal);
        } catch (error) {
          if (signal.aborted) return;
          // One chat that cannot be read (closed, the right to read it missing) holds up no other.
          log.warn({ chat: name, reason: error instanceof Error ? error.message : String(error) }, 'no catch-up');
          if (PortError.is(error) && error.retryable) return;
          if (PortError.is(error) && error.code === 'Platform.RecipientGone') await forget(name);
        }
      }
      whole = true;
      await inbox.save(Object.fromEntries(newest));
    },
  };
}

/** A message that begins a thread stands in its channel too. */
function namesOf({ chat }: PlatformEvent, messageId: string): readonly string[] {
  const here = `seen/${chat.id}`;
  if (chat.thread === undefined) return [here];
  return [`${here}/${chat.thread}`, ...(chat.thread === messageId ? [here] : [])];
}

export function isDirect(channel: string): boolean {
  return channel.startsWith('D');
}

function isOld(channel: string, ts: string): boolean {
  const days = isDirect(channel) ? threadDays.direct : threadDays.channel;
  return Date.now() - Date.parse(isoOf(ts) ?? '') > days * 86_400_000;
}

interface Place {
  readonly channel: string;
  readonly thread: string | undefined;
  readonly oldest: string;
}

async function since(
  api: SlackApi,
  { channel, thread, oldest }: Place,
  signal: AbortSignal,
): Promise<readonly Fields[]> {
  const found: Fields[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < mostPages; page += 1) {
    const args = { channel, oldest, limit: pageSize, ...(cursor === null ? {} : { cursor }) };
    const answer: Fields = await patiently(
      () =>
        thread === undefined
          ? api.call('conversations.history', args, { repeating: 'nothing', signal })
          : api.call('conversations.replies', { ...args, ts: thread }, { repeating: 'nothing', signal }),
      signal,
    );
    // The first message of a thread comes with every page of it.
    found.push(...listOf(answer['messages']).filter(({ ts }) => Number(ts) > Number(oldest)));
    cursor = words(fields(answer['response_metadata'])['next_cursor']);
    if (cursor === null) break;
  }
  return found.sort((one, other) => Number(one['ts']) - Number(other['ts']));
}

/** Waits out what Slack asks to wait. */
async function patiently<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await call();
    } catch (error) {
      if (!PortError.is(error) || error.code !== 'Platform.RateLimited' || tries >= 5) throw error;
      await sleep(error.retryAfterMs ?? 1_000, undefined, { signal });
    }
  }
}

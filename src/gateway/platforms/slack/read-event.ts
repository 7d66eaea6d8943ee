import { PortError } from '../../../lib/port-error.ts';
import { fields, isFields, type Fields, words } from '../json-fields.ts';
import { commandOf } from '../typed-command.ts';
import type { PlatformChat, PlatformEvent, PlatformSender } from '../platform.ts';
import { idOf, isoOf, listOf } from './fields.ts';
import { readFiles } from './read-files.ts';
import { textToMarkdown } from './mrkdwn.ts';

/** Who the bot is in the workspace, and under which slash command it is called. */
export interface SlackSelf {
  readonly userId: string;
  readonly botId: string | null;
  readonly command: string;
}

/**
 * What one payload of Slack says: an event of the Events API, an interaction or a slash command, however it came.
 * Pure; throws for nothing.
 * @param receivedAt ISO; stands in where the payload holds no time.
 * @returns null for what concerns nobody here (its own messages, joins, previews of links), a PortError
 * `Platform.MessageRejected` for what is no such payload.
 */
export function readEvent(payload: unknown, self: SlackSelf, receivedAt: string): PlatformEvent | null | PortError {
  if (!isFields(payload)) return unreadable('not an object');
  if (payload['type'] === 'event_callback') return readCallback(payload, self, receivedAt);
  if (payload['type'] === 'block_actions') return readPress(payload, receivedAt);
  if (typeof payload['command'] === 'string') return readSlash(payload, self, receivedAt);
  return typeof payload['type'] === 'string' ? null : unreadable('no type');
}

/** A message as `conversations.history` has it. */
export function readHistoric(
  message: unknown,
  channel: { readonly id: string; readonly direct: boolean },
  self: SlackSelf,
): PlatformEvent | null | PortError {
  const event = { ...fields(message), channel: channel.id, channel_type: channel.direct ? 'im' : 'channel' };
  return readMessage(event, null, self);
}

/** Key of a message however it is delivered. */
export function messageKey(channel: string, ts: string): string {
  return `msg/${channel}/${ts}`;
}

function readCallback(payload: Fields, self: SlackSelf, receivedAt: string): PlatformEvent | null | PortError {
  const event = fields(payload['event']);
  const eventId = idOf(payload['event_id']);
  if (eventId === null) return unreadable('an event without its id');
  switch (event['type']) {
    case 'message':
      if (event['subtype'] === 'message_changed') return readEdit(event, eventId, self);
      return readMessage(event, eventId, self);
    case 'app_mention':
      return readMessage(event, eventId, self);
    case 'channel_left':
    case 'group_left':
    case 'channel_archive':
    case 'group_archive':
    case 'channel_deleted':
    case 'group_deleted':
      return readGone(event, eventId, receivedAt, self);
    default:
      return typeof event['type'] === 'string' ? null : unreadable('an event without a type');
  }
}

/** Everything else is a notice of Slack about the channel. */
const spoken: readonly unknown[] = [undefined, null, '', 'file_share', 'me_message', 'thread_broadcast', 'bot_message'];

function readMessage(event: Fields, eventId: string | null, self: SlackSelf): PlatformEvent | null | PortError {
  if (!spoken.includes(event['subtype'])) return null;
  const common = commonOf(event, event, self);
  if (common === null || common instanceof PortError) return common;
  const { chat, sender, at, ts } = common;
  const key = messageKey(chat.id, ts);
  const client = clientKey(event);
  const base = {
    key: eventId === null ? key : `event/${eventId}`,
    aliases: [...(eventId === null ? [] : [key]), ...client],
    chat,
    sender,
    at,
  };
  const said = contentOf(event, self);
  const typed = commandOf(said.text);
  if (typed !== null && addressed(event, chat, self)) return { ...base, kind: 'command', ...typed, messageId: ts };
  const isAddressed = addressed(event, chat, self);
  if (said.text === '' && said.files.length === 0 && !isAddressed) return null;
  const place = isAddressed ? inOwnThread(chat, ts) : chat;
  return { ...base, chat: place, kind: 'message', ...said, messageId: ts, addressed: isAddressed };
}

/**
 * A message that addresses the bot in a channel begins a thread: the answer goes there, and what is said there belongs to
 * the same conversation. Commands stay with the channel, as slash commands do, which have no message.
 */
function inOwnThread(chat: PlatformChat, ts: string): PlatformChat {
  return chat.kind === 'direct' || chat.thread !== undefined ? chat : { ...chat, thread: ts };
}

function readEdit(event: Fields, eventId: string, self: SlackSelf): PlatformEvent | null | PortError {
  const { message } = event;
  if (!isFields(message)) return unreadable('an edit without its message');
  if (!spoken.includes(message['subtype'])) return null;
  const before = fields(event['previous_message']);
  // Slack also says so when it adds the preview of a link.
  if (!isFields(message['edited']) || before['text'] === message['text']) return null;
  const common = commonOf(event, message, self);
  if (common === null || common instanceof PortError) return common;
  const { chat, sender, ts } = common;
  const editedAt = idOf(message['edited']['ts']);
  // It follows the message as that was first told, also when the mention is edited away.
  const began = addressed(message, chat, self) || addressed(before, chat, self);
  return {
    key: `event/${eventId}`,
    aliases: editedAt === null ? [] : [`edit/${chat.id}/${ts}/${editedAt}`],
    chat: began ? inOwnThread(chat, ts) : chat,
    sender,
    at: isoOf(editedAt) ?? common.at,
    kind: 'message',
    ...contentOf(message, self),
    messageId: ts,
    edited: true,
    addressed: addressed(message, chat, self),
  };
}

interface Common {
  readonly chat: PlatformChat;
  readonly sender: PlatformSender;
  readonly at: string;
  readonly ts: string;
}

/** @param message where text and author are; the event itself, or within it for an edit. */
function commonOf(event: Fields, message: Fields, self: SlackSelf): Common | null | PortError {
  const channel = idOf(event['channel']);
  const ts = idOf(message['ts']);
  const at = isoOf(ts);
  if (channel === null || ts === null || at === null) return unreadable('a message without channel or time');
  const bot = idOf(message['bot_id']);
  const user = idOf(message['user']) ?? bot;
  if (user === null) return unreadable('a message without an author');
  if (user === self.userId || (bot !== null && bot === self.botId)) return null;
  const profile = fields(message['user_profile']);
  const name = words(profile['display_name']) ?? words(profile['real_name']) ?? words(message['username']) ?? user;
  const thread = idOf(message['thread_ts']);
  return {
    chat: chatOf(channel, event['channel_type'], thread === ts ? null : thread),
    sender: { id: user, name, ...(bot === null ? {} : { isBot: true }) },
    at,
    ts,
  };
}

function chatOf(channel: string, type: unknown, thread: string | null): PlatformChat {
  const direct = type === 'im' || (typeof type !== 'string' && channel.startsWith('D'));
  return { id: channel, kind: direct ? 'direct' : 'group', ...(thread === null ? {} : { thread }) };
}

function contentOf(
  message: Fields,
  self: SlackSelf,
): Pick<Extract<PlatformEvent, { kind: 'message' }>, 'text' | 'files'> {
  const { files, links } = readFiles(message['files']);
  const text = textToMarkdown({ text: words(message['text']) ?? '', blocks: message['blocks'] }, self.userId);
  return { text: [text, ...links].filter((part) => part !== '').join('\n'), files };
}

function addressed(message: Fields, chat: PlatformChat, self: SlackSelf): boolean {
  if (chat.kind === 'direct' || message['type'] === 'app_mention') return true;
  // A reply in a thread that the bot began.
  if (chat.thread !== undefined && message['parent_user_id'] === self.userId) return true;
  return (words(message['text']) ?? '').includes(`<@${self.userId}`);
}

function clientKey(event: Fields): readonly string[] {
  const id = idOf(event['client_msg_id']);
  return id === null ? [] : [`client/${id}`];
}

function readGone(event: Fields, eventId: string, at: string, self: SlackSelf): PlatformEvent | PortError {
  const channel = idOf(event['channel']);
  if (channel === null) return unreadable('a channel that is gone, without its id');
  const actor = idOf(event['actor_id']) ?? idOf(event['user']) ?? self.userId;
  return {
    key: `event/${eventId}`,
    chat: chatOf(channel, 'channel', null),
    sender: { id: actor, name: actor },
    at,
    kind: 'gone',
    reason:
      event['type'] === 'channel_left' || event['type'] === 'group_left'
        ? 'the bot was removed from the channel'
        : 'the channel is closed',
  };
}

function readPress(payload: Fields, receivedAt: string): PlatformEvent | null | PortError {
  const place = placeOfPress(payload);
  const user = fields(payload['user']);
  const userId = idOf(user['id']);
  const [action] = listOf(payload['actions']);
  if (place === null || userId === null || action === undefined) {
    return unreadable('a press without channel, message, person or button');
  }
  const data = words(action['value']);
  // Links and menus of other apps' making.
  if (action['type'] !== 'button' || data === null) return null;
  const pressedAt = idOf(action['action_ts']);
  const trigger = idOf(payload['trigger_id'], 120);
  const { channel, ts, thread } = place;
  const keys = [
    ...(trigger === null ? [] : [`trigger/${trigger}`]),
    ...(pressedAt === null ? [] : [`press/${channel}/${ts}/${pressedAt}`]),
  ];
  const [key, ...aliases] = keys;
  if (key === undefined) return unreadable('a press without its id');
  return {
    key,
    aliases,
    chat: chatOf(channel, undefined, thread === ts ? null : thread),
    sender: { id: userId, name: words(user['username']) ?? words(user['name']) ?? userId },
    at: isoOf(pressedAt) ?? receivedAt,
    kind: 'button',
    data,
    messageId: ts,
  };
}

function placeOfPress(
  payload: Fields,
): { readonly channel: string; readonly ts: string; readonly thread: string | null } | null {
  const container = fields(payload['container']);
  const message = fields(payload['message']);
  const channel = idOf(fields(payload['channel'])['id']) ?? idOf(container['channel_id']);
  const ts = idOf(container['message_ts']) ?? idOf(message['ts']);
  if (channel === null || ts === null) return null;
  return { channel, ts, thread: idOf(container['thread_ts']) ?? idOf(message['thread_ts']) };
}

function readSlash(payload: Fields, self: SlackSelf, receivedAt: string): PlatformEvent | PortError {
  const channel = idOf(payload['channel_id']);
  const user = idOf(payload['user_id']);
  const trigger = idOf(payload['trigger_id'], 120);
  const command = /^\/([\w-]{1,60})$/.exec(words(payload['command']) ?? '')?.[1];
  if (channel === null || user === null || trigger === null || command === undefined) {
    return unreadable('a slash command without channel, person, name or id');
  }
  const text = textToMarkdown({ text: words(payload['text']) ?? '', blocks: null }, self.userId);
  const own = /^(\S{1,60})(?:\s+([^]*))?$/.exec(text === '' ? 'help' : text);
  const named = command === self.command && own !== null;
  return {
    key: `trigger/${trigger}`,
    chat: { ...chatOf(channel, undefined, null), ...titleOf(payload['channel_name']) },
    sender: { id: user, name: words(payload['user_name']) ?? user },
    // A command names no time; Slack delivers it at once or not at all.
    at: receivedAt,
    kind: 'command',
    name: named ? (own[1] ?? '') : command,
    args: named ? (own[2] ?? '').trim() : text,
  };
}

function titleOf(name: unknown): { title?: string } {
  const title = words(name);
  return title === null || title === 'directmessage' ? {} : { title };
}

function unreadable(what: string): PortError {
  return new PortError('Platform.MessageRejected', `Slack sent something unreadable: ${what}`);
}

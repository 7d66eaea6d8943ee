import { PortError } from '../../../lib/port-error.ts';
import type { PlatformChat, PlatformEvent, PlatformSender } from '../platform.ts';
import { commandIn, mentionsOf, type Written } from './entities.ts';
import { fieldsOf, idOf, textOf, timeOf, type Fields } from './fields.ts';
import { writeMarkdown } from './markdown.ts';
import { filesOf } from './read-files.ts';
import { wordsFor } from './read-other.ts';

/** The account itself. */
export interface Me {
  readonly id: number;
  readonly username: string;
}

const longestQuote = 500;

/**
 * What an update of the Bot API is to the gateway. Null for what is none of its business (channels, service messages,
 * commands for other bots, its own messages). A PortError for what is no update at all. Never throws.
 */
export function readEvent(update: unknown, me: Me): PlatformEvent | null | PortError {
  const whole = fieldsOf(update);
  if (whole === null || idOf(whole['update_id']) === null) return unreadable('no update');
  const pressed = fieldsOf(whole['callback_query']);
  if (pressed !== null) return readPress(pressed);
  const membership = fieldsOf(whole['my_chat_member']);
  if (membership !== null) return readMembership(membership, idOf(whole['update_id']) ?? '');
  const edited = fieldsOf(whole['edited_message']);
  const message = edited ?? fieldsOf(whole['message']);
  return message === null ? null : readMessage(message, me, edited === null ? null : idOf(whole['update_id']));
}

/** @param edit the update's id, where it is an edit: one message can be edited several times within a second. */
function readMessage(message: Fields, me: Me, edit: string | null): PlatformEvent | null | PortError {
  const chat = chatOf(message);
  const sender = senderOf(message);
  const messageId = idOf(message['message_id']);
  if (chat === null) return null;
  if (sender === null || messageId === null) return unreadable('a message without sender or id');
  if (sender.id === String(me.id)) return null;
  const key = edit === null ? `msg/${chat.id}/${messageId}` : `edit/${chat.id}/${messageId}/${edit}`;
  const base = { key, chat, sender, at: timeOf(edit === null ? message['date'] : message['edit_date']) };

  const moved = idOf(message['migrate_to_chat_id']);
  if (moved !== null) {
    const reason = `the group has become a supergroup; its id is now ${moved}`;
    return { ...base, kind: 'gone', reason };
  }
  const written = writtenIn(message);
  const command = edit === null && message['text'] !== undefined ? commandIn(written, me) : null;
  if (command === 'for another') return null;
  if (command !== null) return { ...base, kind: 'command', ...command, messageId };
  return readContent({ ...base, messageId, ...(edit === null ? {} : { edited: true }) }, message, me);
}

type Begun = Pick<
  Extract<PlatformEvent, { kind: 'message' }>,
  'key' | 'chat' | 'sender' | 'at' | 'messageId' | 'edited'
>;

function readContent(begun: Begun, message: Fields, me: Me): PlatformEvent | null {
  const written = writtenIn(message);
  const files = filesOf(message, begun.messageId);
  const mentions = mentionsOf(written, me);
  const text = writeMarkdown(written, mentions) || wordsFor(message);
  if (text === '' && files.length === 0) return null;
  const answered = answeredBy(message, me);
  return {
    ...begun,
    kind: 'message',
    text,
    addressed: begun.chat.kind === 'direct' || mentions.length > 0 || answered.isOwn,
    ...(answered.quoted === '' ? {} : { quoted: answered.quoted }),
    files,
  };
}

function readPress(pressed: Fields): PlatformEvent | null | PortError {
  const id = textOf(pressed['id']);
  const data = textOf(pressed['data']);
  const message = fieldsOf(pressed['message']);
  const sender = personOf(fieldsOf(pressed['from']));
  // A press of a game, or on a message so old that the platform does not say where it was.
  if (data === null || message === null) return null;
  const chat = chatOf(message);
  const messageId = idOf(message['message_id']);
  if (id === null || id.length > 100 || sender === null || chat === null || messageId === null) {
    return unreadable('a press without id, sender or message');
  }
  return { kind: 'button', key: `press/${id}`, chat, sender, at: new Date().toISOString(), data, messageId };
}

/** The bot was blocked or taken out; that it was let in again is told by the next message. */
function readMembership(change: Fields, updateId: string): PlatformEvent | null | PortError {
  const chat = chatOf(change);
  const sender = personOf(fieldsOf(change['from']));
  const status = fieldsOf(change['new_chat_member'])?.['status'];
  if (chat === null) return null;
  if (sender === null) return unreadable('a change of membership without a person');
  if (status !== 'kicked' && status !== 'left') return null;
  const reason = chat.kind === 'direct' ? 'the person has blocked the bot' : 'the bot was taken out of the group';
  return { kind: 'gone', key: `member/${chat.id}/${updateId}`, chat, sender, at: timeOf(change['date']), reason };
}

function chatOf(message: Fields): PlatformChat | null {
  const chat = fieldsOf(message['chat']);
  const id = idOf(chat?.['id']);
  if (chat === null || id === null) return null;
  const type = chat['type'];
  if (type !== 'private' && type !== 'group' && type !== 'supergroup') return null;
  const title = textOf(chat['title']);
  // Outside of topics the thread is only the first message that was answered.
  const thread = message['is_topic_message'] === true ? idOf(message['message_thread_id']) : null;
  return {
    id,
    kind: type === 'private' ? 'direct' : 'group',
    ...(title === null ? {} : { title }),
    ...(thread === null ? {} : { thread }),
  };
}

/** Who writes in the name of a group or channel is that group or channel. */
function senderOf(message: Fields): PlatformSender | null {
  const inTheNameOf = fieldsOf(message['sender_chat']);
  const id = idOf(inTheNameOf?.['id']);
  if (inTheNameOf !== null && id !== null) return { id, name: textOf(inTheNameOf['title']) ?? 'Somebody' };
  return personOf(fieldsOf(message['from']));
}

function personOf(person: Fields | null): PlatformSender | null {
  const id = idOf(person?.['id']);
  if (person === null || id === null) return null;
  const names = [textOf(person['first_name']), textOf(person['last_name'])].filter((name) => name !== null);
  const name = names.join(' ') || (textOf(person['username']) ?? 'Somebody');
  return { id, name, ...(person['is_bot'] === true ? { isBot: true } : {}) };
}

function answeredBy(message: Fields, me: Me): { readonly isOwn: boolean; readonly quoted: string } {
  const answered = fieldsOf(message['reply_to_message']);
  // In a topic every message is said to answer the one that made the topic.
  if (answered === null || 'forum_topic_created' in answered) return { isOwn: false, quoted: '' };
  const part = textOf(fieldsOf(message['quote'])?.['text']);
  const quoted = part ?? textOf(answered['text']) ?? textOf(answered['caption']) ?? '';
  const isOwn = fieldsOf(answered['from'])?.['id'] === me.id;
  return { isOwn, quoted: quoted.length > longestQuote ? `${quoted.slice(0, longestQuote)}…` : quoted };
}

function writtenIn(message: Fields): Written {
  const text = textOf(message['text']);
  if (text !== null) return { text, entities: message['entities'] };
  return { text: textOf(message['caption']) ?? '', entities: message['caption_entities'] };
}

function unreadable(what: string): PortError {
  return new PortError('Platform.MessageRejected', `Telegram sent ${what}`);
}

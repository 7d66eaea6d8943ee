import { PortError } from '../../../lib/port-error.ts';
import { fields, instant, isFields, list, name, whole, words, type Fields } from '../json-fields.ts';
import { commandOf } from '../typed-command.ts';
import type { PlatformChat, PlatformEvent, PlatformFile, PlatformSender } from '../platform.ts';
import { writtenText } from './written-text.ts';

/** Who the account is, as far as it is known. */
export interface SignalSelf {
  readonly account: string;
  readonly uuid: string | null;
  /** Whether Note to Self is a conversation. */
  readonly noteToSelf: boolean;
}

const quotedMax = 300;

/**
 * What an event of the daemon means: a message or a command; null for what is none (receipts, typing, reactions, calls,
 * what the account itself wrote elsewhere); a PortError for what cannot be understood. Pure, never throws.
 */
export function readEvent(payload: unknown, self: SignalSelf): PlatformEvent | null | PortError {
  const { envelope, exception } = fields(payload);
  if (!isFields(envelope)) return unreadable('it has no envelope');
  const own = ownNote(envelope, self);
  if (own === null && envelope['syncMessage'] !== undefined) return null;
  const edit = fields((own ?? envelope)['editMessage']);
  const data = isFields(edit['dataMessage']) ? edit['dataMessage'] : (own ?? envelope['dataMessage']);
  if (!isFields(data)) {
    const why = words(fields(exception)['type']);
    return why === null ? null : unreadable(`signal-cli could not decrypt a message: ${why.slice(0, 100)}`);
  }
  const head = headOf(envelope, data);
  return PortError.is(head) ? head : contentOf(head, data, whole(edit['targetSentTimestamp']), self);
}

interface Head {
  readonly key: string;
  readonly chat: PlatformChat;
  readonly sender: PlatformSender;
  readonly at: string;
}

function headOf(envelope: Fields, data: Fields): Head | PortError {
  const number = name(envelope['sourceNumber']);
  const author = name(envelope['sourceUuid']) ?? number;
  const device = whole(envelope['sourceDevice']) ?? 1;
  const stamp = whole(envelope['timestamp']);
  const at = instant(stamp);
  if (author === null || stamp === null || at === null) return unreadable('it does not say who wrote when');
  const chat = chatOf(data, author);
  if (chat === null) return unreadable('its group has no id');
  const called = words(envelope['sourceName'])?.slice(0, 100) ?? number ?? author;
  return { key: `${author}/${device}/${stamp}`, chat, sender: { id: author, name: called }, at };
}

/** @param replaces when the message was sent that this one is an edit of. */
function contentOf(head: Head, data: Fields, replaces: number | null, self: SignalSelf): PlatformEvent | null {
  const files = list(data['attachments']).flatMap((one) => fileOf(one, head.chat));
  const { text, mentioned } = writtenText(data, (mention) => isSelf(mention, self));
  if (text === '' && files.length === 0) return null;
  const messageId = `${head.sender.id}:${replaces ?? Date.parse(head.at)}`;
  const command = files.length === 0 && replaces === null ? commandOf(text) : null;
  if (command !== null) return { ...head, kind: 'command', ...command, messageId };
  const quote = fields(data['quote']);
  const answersSelf = isSelf({ uuid: quote['authorUuid'], number: quote['authorNumber'] ?? quote['author'] }, self);
  const quoted = words(quote['text'])?.slice(0, quotedMax);
  return {
    ...head,
    kind: 'message',
    text,
    messageId,
    ...(replaces === null ? {} : { edited: true }),
    addressed: head.chat.kind === 'direct' || mentioned || answersSelf,
    ...(quoted === undefined ? {} : { quoted }),
    files,
  };
}

/** What the account's owner wrote to themselves on another device, where that is a conversation. */
function ownNote(envelope: Fields, self: SignalSelf): Fields | null {
  const sent = fields(envelope['syncMessage'])['sentMessage'];
  if (!self.noteToSelf || !isFields(sent) || isFields(sent['groupInfo'])) return null;
  return isSelf({ uuid: sent['destinationUuid'], number: sent['destinationNumber'] ?? sent['destination'] }, self)
    ? sent
    : null;
}

function isSelf(who: Fields, self: SignalSelf): boolean {
  const known = [self.account, self.uuid].filter((one) => one !== null);
  return [who['uuid'], who['number']].some((one) => typeof one === 'string' && known.includes(one));
}

function chatOf(data: Fields, author: string): PlatformChat | null {
  if (!isFields(data['groupInfo'])) return { id: author, kind: 'direct' };
  const id = name(data['groupInfo']['groupId']);
  const title = words(data['groupInfo']['groupName'])?.slice(0, 200);
  return id === null ? null : { id, kind: 'group', ...(title === undefined ? {} : { title }) };
}

function fileOf(value: unknown, chat: PlatformChat): readonly PlatformFile[] {
  const attachment = fields(value);
  const id = name(attachment['id']);
  if (id === null) return [];
  const mediaType = words(attachment['contentType'])?.slice(0, 100) ?? 'application/octet-stream';
  const named = words(attachment['filename'])?.slice(0, 200) ?? null;
  const reference = chat.kind === 'group' ? { id, groupId: chat.id } : { id, recipient: chat.id };
  return [
    { kind: kindOf(mediaType, named), name: named ?? id, mediaType, sizeBytes: whole(attachment['size']), reference },
  ];
}

/** Voice notes are not marked; they are the sounds without a file name. */
function kindOf(mediaType: string, named: string | null): PlatformFile['kind'] {
  if (mediaType.startsWith('image/')) return 'image';
  if (mediaType.startsWith('video/')) return 'video';
  if (mediaType.startsWith('audio/')) return named === null ? 'voice' : 'audio';
  return 'document';
}

function unreadable(why: string): PortError {
  return new PortError('Platform.MessageRejected', `An event of signal-cli was left out: ${why}.`);
}

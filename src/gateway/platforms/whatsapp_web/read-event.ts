import { PortError } from '../../../lib/port-error.ts';
import { fields, instant, list, name, words, type Fields } from '../json-fields.ts';
import type { PlatformChat, PlatformEvent, PlatformSender } from '../platform.ts';
import { commandOf } from '../typed-command.ts';
import { numberOf, readFile } from './read-file.ts';
import { chatName, isGroup, isSelf, isTalk, type Self } from './people.ts';

/** Around the real message: for disappearing, shown once, with a caption and the like. */
const wrappers = [
  'ephemeralMessage',
  'viewOnceMessage',
  'viewOnceMessageV2',
  'viewOnceMessageV2Extension',
  'documentWithCaptionMessage',
  'editedMessage',
  'associatedChildMessage',
] as const;

const editType = 14;
const quotedLength = 500;

/**
 * A decrypted message (`WebMessageInfo`, as object or JSON) as an event. Null for what is nothing to the agent: its own
 * messages, reactions, receipts, status updates. Pure; takes anything and never throws.
 */
export function readEvent(payload: unknown, self: Self): PlatformEvent | null | PortError {
  const envelope = readEnvelope(payload, self);
  if (envelope === null || PortError.is(envelope)) return envelope;
  const { id, jid, key, at, sender } = envelope;
  const message = unwrapped(envelope.message);
  const edit = editOf(message);
  const content = readContent(edit?.message ?? message, self);
  if (content === null) return null;
  if (edit?.id === null) return malformed('an edit of nothing');
  const chat = chatOf(key, jid, self);
  const base = { ...keysOf(edit === null ? 'msg' : 'edit', id, jid, chat.id), chat, sender, at };
  const command = edit === null && content.files.length === 0 ? commandOf(content.text) : null;
  if (command !== null) return { ...base, kind: 'command', ...command, messageId: id };
  return {
    ...base,
    kind: 'message',
    text: content.text,
    messageId: edit?.id ?? id,
    ...(edit === null ? {} : { edited: true }),
    addressed: chat.kind === 'direct' || content.addressed,
    ...(content.quoted === null ? {} : { quoted: content.quoted }),
    files: content.files,
  };
}

interface Envelope {
  readonly id: string;
  readonly jid: string;
  readonly key: Fields;
  readonly at: string;
  readonly sender: PlatformSender;
  readonly message: unknown;
}

function readEnvelope(payload: unknown, self: Self): Envelope | null | PortError {
  const info = fields(payload);
  const key = fields(info['key']);
  const jid = name(key['remoteJid']);
  const id = idOf(key['id']);
  if (jid === null || id === null) return malformed('no chat or id');
  if (!isTalk(jid) || !isMeant(key, jid, self)) return null;
  const at = instant((numberOf(info['messageTimestamp']) ?? 0) * 1000);
  const sender = senderOf(info, key, jid);
  if (at === null || sender === null) return malformed('no time or sender');
  return { id, jid, key, at, sender, message: info['message'] };
}

interface Content {
  readonly text: string;
  readonly addressed: boolean;
  readonly quoted: string | null;
  readonly files: Extract<PlatformEvent, { kind: 'message' }>['files'];
}

function readContent(message: Fields, self: Self): Content | null {
  const file = readFile(message);
  const plain = words(message['conversation']);
  const extended = fields(message['extendedTextMessage']);
  const text = plain ?? words(extended['text']) ?? file?.caption ?? placeOrContact(message);
  if (text === null && file === null) return null;
  const context = fields(file?.context ?? extended['contextInfo']);
  const mentioned = list(context['mentionedJid']).some((one) => typeof one === 'string' && isSelf(one, self));
  const answered = words(context['participant']);
  const quoted = quotedText(context['quotedMessage']);
  return {
    text: withoutMention(text ?? '', mentioned ? self : null),
    addressed: mentioned || (answered !== null && isSelf(answered, self) && words(context['stanzaId']) !== null),
    quoted,
    files: file === null ? [] : [file.file],
  };
}

/** The new content of an earlier message and which one; null for a message of its own. */
function editOf(message: Fields): { readonly id: string | null; readonly message: Fields } | null {
  const protocol = fields(message['protocolMessage']);
  if (protocol['type'] !== editType && protocol['type'] !== 'MESSAGE_EDIT') return null;
  return { id: idOf(fields(protocol['key'])['id']), message: unwrapped(protocol['editedMessage']) };
}

/** Whether somebody said it to the agent: others always, the owner only in the chat with themselves. */
function isMeant(key: Fields, jid: string, self: Self): boolean {
  return key['fromMe'] !== true || (self.selfChat && isSelf(jid, self));
}

function senderOf(info: Fields, key: Fields, jid: string): PlatformSender | null {
  const from = isGroup(jid)
    ? { jid: name(key['participant']), other: name(key['participantAlt']) }
    : { jid, other: name(key['remoteJidAlt']) };
  if (from.jid === null) return null;
  const id = chatName(from.jid, from.other);
  return id === '' ? null : { id, name: name(info['pushName']) ?? id };
}

function chatOf(key: Fields, jid: string, self: Self): PlatformChat {
  const title = self.groupTitle?.(jid);
  return isGroup(jid)
    ? { id: jid, kind: 'group', ...(title === undefined ? {} : { title }) }
    : { id: chatName(jid, name(key['remoteJidAlt'])), kind: 'direct' };
}

/** The same message may come addressed by number and by LID. */
function keysOf(kind: string, id: string, jid: string, chat: string): { key: string; aliases?: readonly string[] } {
  const key = `${kind}/${chat.slice(0, 70)}/${id}`;
  const other = `${kind}/${chatName(jid).slice(0, 70)}/${id}`;
  return key === other ? { key } : { key, aliases: [other] };
}

function unwrapped(value: unknown): Fields {
  let message = fields(value);
  for (let depth = 0; depth < 5; depth += 1) {
    const inner = wrappers
      .map((wrapper) => fields(message[wrapper])['message'])
      .find((one) => Object.keys(fields(one)).length > 0);
    if (inner === undefined) return message;
    message = fields(inner);
  }
  return message;
}

function quotedText(value: unknown): string | null {
  const message = unwrapped(value);
  const text =
    words(message['conversation']) ??
    words(fields(message['extendedTextMessage'])['text']) ??
    readFile(message)?.caption;
  return text === null || text === undefined ? null : text.slice(0, quotedLength).replace(/[\ud800-\udbff]$/, '');
}

function withoutMention(text: string, self: Self | null): string {
  if (self === null) return text;
  const users = [self.id, self.lid ?? ''].map((jid) => /^\d+/.exec(jid)?.[0]).filter((user) => user !== undefined);
  return users.length === 0 ? text : text.replace(new RegExp(`@(?:${users.join('|')})(?!\\d)[ \\t]*`, 'g'), '').trim();
}

function placeOrContact(message: Fields): string | null {
  const place = fields(message['locationMessage'] ?? message['liveLocationMessage']);
  const [latitude, longitude] = [place['degreesLatitude'], place['degreesLongitude']];
  if (typeof latitude === 'number' && typeof longitude === 'number') {
    return [words(place['name']), words(place['address']), `Location: ${latitude}, ${longitude}`]
      .filter((line) => line !== null)
      .join('\n');
  }
  const contact = fields(message['contactMessage']);
  const card = words(contact['vcard']);
  return card === null ? null : `Contact: ${words(contact['displayName']) ?? ''}\n${card.slice(0, 4_000)}`;
}

function idOf(value: unknown): string | null {
  const id = name(value);
  return id === null || id.length > 70 ? null : id;
}

function malformed(what: string): PortError {
  return new PortError('Platform.MessageRejected', `WhatsApp delivered a message with ${what}.`);
}

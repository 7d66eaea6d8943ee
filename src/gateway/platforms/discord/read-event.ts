import { PortError } from '../../../lib/port-error.ts';
import type { PlatformChat, PlatformEvent, PlatformSender } from '../platform.ts';
import { fields, isFields, list, name, words, type Fields } from '../json-fields.ts';
import { commandOf } from '../typed-command.ts';
import { readFiles } from './read-files.ts';

/** What an event alone does not tell. */
export interface EventContext {
  /** User id of the bot. */
  readonly me: string;
  /** What is known about a channel of a server. */
  channel(id: string): KnownChannel | undefined;
  /** When the payload came, ISO; for events without a time of their own. */
  readonly at: string;
}

export interface KnownChannel {
  /** The channel a thread hangs on; absent for what is no thread. */
  readonly parent?: string;
  readonly title?: string;
}

type MessageEvent = Extract<PlatformEvent, { kind: 'message' }>;

/** Types of messages that people write: plain ones and replies. */
const written: ReadonlySet<unknown> = new Set([0, 19]);
/** Types of interactions. */
const slashCommand = 2;
const buttonPress = 3;

/** A payload of the gateway that carries an event, and its name and data. */
export function dispatchOf(payload: unknown): { readonly type: string; readonly data: Fields } | null {
  const { op, t, d } = fields(payload);
  return op === 0 && typeof t === 'string' && isFields(d) ? { type: t, data: d } : null;
}

/**
 * Reads what came over the gateway. Pure; never throws.
 *
 * @returns the event; null for what is of no interest: other kinds, the bot's own messages, notices of the platform;
 *   a PortError for what claims to be an event and is none.
 */
export function readEvent(payload: unknown, context: EventContext): PlatformEvent | null | PortError {
  const dispatch = dispatchOf(payload);
  if (dispatch === null) {
    return typeof fields(payload)['t'] === 'string' ? malformed('payload') : null;
  }
  const { type, data } = dispatch;
  switch (type) {
    case 'MESSAGE_CREATE':
      return readMessage(data, context, false);
    case 'MESSAGE_UPDATE':
      // Discord also "updates" messages to which it adds a preview; only people set the time of an edit.
      return words(data['edited_timestamp']) === null ? null : readMessage(data, context, true);
    case 'INTERACTION_CREATE':
      return readInteraction(data, context);
    case 'CHANNEL_DELETE':
    case 'THREAD_DELETE':
      return readGone(data, context, type === 'THREAD_DELETE');
    default:
      return null;
  }
}

function readMessage(data: Fields, context: EventContext, edited: boolean): PlatformEvent | null | PortError {
  if (!written.has(data['type'])) return null;
  const base = readBase(data, context, edited);
  if (base === null) return malformed('message');
  const { id: messageId, chat, sender, at } = base;
  if (sender.id === context.me) return null;

  const shown = shownContent(data);
  const addressed = chat.kind === 'direct' || isAddressed(data, context.me);
  const text = readableText(shown.content, data, context.me);
  const files = readFiles(shown.attachments, { channel: chat.thread ?? chat.id, message: messageId }, shown.voice);
  const key = edited ? `edit/${messageId}/${at}` : `message/${messageId}`;

  const typed = addressed && !edited && files.length === 0 ? commandOf(text) : null;
  if (typed !== null) return { key, chat, sender, at, kind: 'command', ...typed, messageId };
  if (text === '' && files.length === 0 && !addressed) return null;
  const quoted = words(fields(data['referenced_message'])['content'])?.slice(0, 500);
  const event: MessageEvent = { key, chat, sender, at, kind: 'message', text, messageId, addressed, files };
  return { ...event, ...(edited ? { edited } : {}), ...(quoted === undefined ? {} : { quoted }) };
}

function readBase(data: Fields, context: EventContext, edited: boolean) {
  const id = name(data['id']);
  const sender = readSender(data['author'], data);
  const chat = readChat(data, context);
  const at = instantOf(data[edited ? 'edited_timestamp' : 'timestamp']);
  return id === null || sender === null || chat === null || at === null ? null : { id, sender, chat, at };
}

/** By a mention, or by an answer to a message of the bot. */
function isAddressed(data: Fields, me: string): boolean {
  const mentioned = list(data['mentions']).some((user) => fields(user)['id'] === me);
  return mentioned || fields(fields(data['referenced_message'])['author'])['id'] === me;
}

/** Text, files and kind of a message; of the message within, where one is forwarded. */
function shownContent(data: Fields): { content: string; attachments: readonly unknown[]; voice: boolean } {
  const forwarded = fields(fields(list(data['message_snapshots'])[0])['message']);
  const own = [words(data['content']), words(forwarded['content']), ...stickerNames(data)];
  const attachments = [...list(data['attachments']), ...list(forwarded['attachments'])];
  const flags = [data['flags'], forwarded['flags']].map((value) => (typeof value === 'number' ? value : 0));
  return {
    content: own.filter((part) => part !== null).join('\n'),
    attachments,
    voice: flags.some((flag) => (flag & 8192) !== 0),
  };
}

function stickerNames(data: Fields): string[] {
  return list(data['sticker_items']).map(
    (sticker) => `(sticker: ${words(fields(sticker)['name']) ?? 'without a name'})`,
  );
}

/** Without the mention of the bot, and with names in place of the ids of others. */
function readableText(content: string, data: Fields, me: string): string {
  const names = new Map<string, string>();
  for (const user of list(data['mentions'])) {
    const { id } = fields(user);
    const shown = displayName(fields(user), fields(fields(user)['member']));
    if (typeof id === 'string' && shown !== null) names.set(id, shown);
  }
  return content
    .replace(/ ?<@!?(\d+)> ?/g, (mention, id: string) => {
      if (id === me) return mention.startsWith(' ') && mention.endsWith(' ') ? ' ' : '';
      const shown = names.get(id);
      return shown === undefined ? mention : mention.replace(/<@!?\d+>/, () => `@${shown}`);
    })
    .trim();
}

function readInteraction(data: Fields, context: EventContext): PlatformEvent | null | PortError {
  const { type } = data;
  if (type !== slashCommand && type !== buttonPress) return null;
  const id = name(data['id']);
  const member = fields(data['member']);
  const sender = readSender(member['user'] ?? data['user'], data);
  const chat = readChat(data, context);
  if (id === null || sender === null || chat === null) return malformed('interaction');
  const base = { key: `interaction/${id}`, chat, sender, at: snowflakeTime(id) ?? context.at };
  const inner = fields(data['data']);
  if (type === slashCommand) {
    const command = name(inner['name']);
    if (command === null) return malformed('command');
    return { ...base, kind: 'command', name: command, args: argumentsOf(inner).join(' ').trim() };
  }
  const messageId = name(fields(data['message'])['id']);
  const pressed = words(inner['custom_id']);
  if (messageId === null || pressed === null) return malformed('button');
  return { ...base, kind: 'button', data: pressed, messageId };
}

function argumentsOf(data: Fields): string[] {
  return list(data['options']).flatMap((option) => {
    const { value } = fields(option);
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? [String(value)] : [];
  });
}

function readGone(data: Fields, context: EventContext, thread: boolean): PlatformEvent | PortError {
  const id = name(data['id']);
  if (id === null) return malformed('channel');
  const parent = thread ? name(data['parent_id']) : null;
  return {
    kind: 'gone',
    key: `gone/${id}`,
    chat: parent === null ? { id, kind: 'group' } : { id: parent, kind: 'group', thread: id },
    sender: { id: 'discord', name: 'Discord' },
    at: context.at,
    reason: thread ? 'The thread was deleted.' : 'The channel was deleted.',
  };
}

function readChat(data: Fields, context: EventContext): PlatformChat | null {
  const id = name(data['channel_id']);
  if (id === null) return null;
  // Interactions carry their channel; for messages it has to be known.
  const channel = fields(data['channel']);
  if (data['guild_id'] === undefined || data['guild_id'] === null) return { id, kind: 'direct' };
  const known = context.channel(id) ?? knownChannel(channel);
  const title = known.title === undefined ? {} : { title: known.title };
  if (known.parent === undefined) return { id, kind: 'group', ...title };
  return { id: known.parent, kind: 'group', thread: id, ...title };
}

/** What the description of a channel tells; channels that are no threads have a category as parent. */
export function knownChannel(channel: Fields): KnownChannel {
  const title = words(channel['name'])?.slice(0, 100);
  const parent = name(channel['parent_id']);
  return {
    ...(isThread(channel['type']) && parent !== null ? { parent } : {}),
    ...(title === undefined ? {} : { title }),
  };
}

/** Of announcements, public and private. */
export function isThread(type: unknown): boolean {
  return type === 10 || type === 11 || type === 12;
}

function readSender(user: unknown, data: Fields): PlatformSender | null {
  const author = fields(user);
  const id = name(author['id']);
  const shown = displayName(author, fields(data['member']));
  if (id === null || shown === null) return null;
  const isBot = author['bot'] === true || words(data['webhook_id']) !== null;
  return { id, name: shown.slice(0, 100), ...(isBot ? { isBot } : {}) };
}

function displayName(user: Fields, member: Fields): string | null {
  return words(member['nick']) ?? words(user['global_name']) ?? words(user['username']);
}

function instantOf(value: unknown): string | null {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isFinite(ms) ? new Date(ms).toISOString() : null;
}

/** The instant within one of Discord's ids; null for what is none. */
function snowflakeTime(id: string): string | null {
  return /^\d{15,20}$/.test(id) ? new Date(Number(BigInt(id) >> 22n) + 1_420_070_400_000).toISOString() : null;
}

function malformed(what: string): PortError {
  return new PortError('Platform.MessageRejected', `Discord sent a ${what} that cannot be read.`);
}

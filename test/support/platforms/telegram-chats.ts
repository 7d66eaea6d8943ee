import { ApiError } from './telegram-api-error.ts';
import { expectEntities } from './telegram-html.ts';
import type { SaidMessage, SeenMessage, TestChat, TestFile, TestPerson } from './platform-server.ts';

export type Fields = Readonly<Record<string, unknown>>;
export interface Upload {
  readonly name: string;
  readonly bytes: Buffer;
}

export const telegramBot = { id: 7_700_000_001, is_bot: true, first_name: 'Hermes', username: 'hermes_test_bot' };

type Json = Readonly<Record<string, unknown>>;
type Button = { readonly label: string; readonly data: string };

interface Shown {
  readonly id: number;
  readonly chat: string;
  text: string;
  edits: number;
  buttons: readonly Button[];
  readonly files: SeenMessage['files'];
  readonly thread?: string;
  readonly replyTo?: string;
}

const uploads: Readonly<Record<string, { readonly field: string; readonly mediaType: string }>> = {
  sendPhoto: { field: 'photo', mediaType: 'image/jpeg' },
  sendDocument: { field: 'document', mediaType: 'application/octet-stream' },
  sendVoice: { field: 'voice', mediaType: 'audio/ogg' },
  sendAudio: { field: 'audio', mediaType: 'audio/mpeg' },
  sendVideo: { field: 'video', mediaType: 'video/mp4' },
};

/** The chats as the platform has them: what people wrote, what the agent sent, files and pressed buttons. */
export class TelegramChats {
  readonly typings = new Map<string, number>();
  readonly pressAnswers: string[] = [];
  commands: readonly string[] = [];
  private readonly shown: Shown[] = [];
  private readonly known = new Map<string, Json>();
  private readonly written = new Map<string, Json>();
  private readonly files = new Map<string, TestFile & { readonly path: string }>();
  private readonly presses = new Set<string>();
  /** Groups that have another id now. */
  private readonly moved = new Map<string, string>();
  private photosTaken = true;
  // Far from the ids of made-up payloads, which would pass for the same messages.
  private nextId = 500_000;

  said(message: SaidMessage): { messageId: string; update: Json } {
    const { chat, from, edits } = message;
    const id = edits === undefined ? this.nextId++ : Number(edits);
    const mention = message.mention === true ? `@${telegramBot.username} ` : '';
    const text = `${mention}${message.text}`;
    const entities = [
      ...(mention === '' ? [] : [{ type: 'mention', offset: 0, length: mention.length - 1 }]),
      ...commandEntities(text),
    ];
    const [file] = message.files ?? [];
    const body =
      file === undefined
        ? { text, ...(entities.length === 0 ? {} : { entities }) }
        : { ...this.media(file), ...(text === '' ? {} : { caption: text, caption_entities: entities }) };
    const whole: Json = {
      ...this.header(id, chat, from),
      ...this.answered(message),
      ...body,
      ...(edits === undefined ? {} : { edit_date: now() }),
    };
    this.written.set(`${chat.id}/${id}`, whole);
    return { messageId: String(id), update: { [edits === undefined ? 'message' : 'edited_message']: whole } };
  }

  pressed(press: { chat: TestChat; from: TestPerson; messageId: string; data: string }): Json {
    const id = String(4_000_000_000_000 + this.nextId++);
    this.presses.add(id);
    const message = this.shown.find((one) => one.chat === press.chat.id && String(one.id) === press.messageId);
    const whole =
      message === undefined
        ? { message_id: Number(press.messageId), chat: this.chatOf(press.chat), date: 0 }
        : { ...this.json(message), ...(press.chat.thread === undefined ? {} : { is_topic_message: true }) };
    return {
      callback_query: { id, from: person(press.from), chat_instance: '77', data: press.data, message: whole },
    };
  }

  blocked(chat: TestChat, from: TestPerson): Json {
    const status = chat.kind === 'direct' ? 'kicked' : 'left';
    const old_chat_member = { user: telegramBot, status: 'member' };
    const new_chat_member = { user: telegramBot, status, ...(status === 'kicked' ? { until_date: 0 } : {}) };
    return {
      my_chat_member: { chat: this.chatOf(chat), from: person(from), date: now(), old_chat_member, new_chat_member },
    };
  }

  migrated(chat: TestChat, from: TestPerson, to: string): Json {
    this.chatOf({ ...chat, id: to });
    this.moved.set(chat.id, to);
    return { message: { ...this.header(this.nextId++, chat, from), migrate_to_chat_id: Number(to) } };
  }

  refusePhotos(): void {
    this.photosTaken = false;
  }

  seen(chat: TestChat): readonly SeenMessage[] {
    return this.shown
      .filter((one) => one.chat === chat.id && (chat.thread === undefined || one.thread === chat.thread))
      .map(({ id, text, edits, buttons, files, thread, replyTo }) => ({
        id: String(id),
        text,
        edits,
        buttons,
        files,
        ...(thread === undefined ? {} : { thread }),
        ...(replyTo === undefined ? {} : { replyTo }),
      }));
  }

  fileAt(path: string): TestFile | undefined {
    return [...this.files.values()].find((file) => file.path === path);
  }

  /** A method of the Bot API other than getUpdates. Throws ApiError as the platform answers. */
  call(method: string, fields: Fields): unknown {
    switch (method) {
      case 'getMe':
        return { ...telegramBot, can_join_groups: true, can_read_all_group_messages: false };
      case 'deleteWebhook':
        return true;
      case 'sendMessage':
        return this.json(this.show(fields, textOf(fields, 'text', 4096), []));
      case 'editMessageText':
        return this.edit(fields);
      case 'sendChatAction':
        this.chatNamed(fields);
        this.typings.set(String(fields['chat_id']), (this.typings.get(String(fields['chat_id'])) ?? 0) + 1);
        return true;
      case 'setMyCommands':
        this.commands = (fields['commands'] as { command: string }[]).map(({ command }) => checkedCommand(command));
        return true;
      case 'answerCallbackQuery':
        return this.answerPress(fields);
      case 'getFile':
        return this.file(fields);
    }
    const upload = uploads[method];
    if (upload === undefined) throw new ApiError(404, 'Not Found: method not found');
    const file = fields[upload.field] as Upload | undefined;
    if (file === undefined) throw new ApiError(400, `Bad Request: there is no ${upload.field} in the request`);
    if (file.bytes.length === 0) throw new ApiError(400, 'Bad Request: file must be non-empty');
    if (method === 'sendPhoto' && !this.photosTaken) throw new ApiError(400, 'Bad Request: PHOTO_INVALID_DIMENSIONS');
    const text = 'caption' in fields ? textOf(fields, 'caption', 1024) : '';
    return this.json(this.show(fields, text, [{ ...file, mediaType: upload.mediaType }]));
  }

  private show(fields: Fields, text: string, files: SeenMessage['files']): Shown {
    this.chatNamed(fields);
    const thread = fields['message_thread_id'];
    const reply = (fields['reply_parameters'] as { message_id: number } | undefined)?.message_id;
    const one: Shown = {
      id: this.nextId++,
      chat: String(fields['chat_id']),
      text,
      edits: 0,
      buttons: buttonsOf(fields),
      files,
      ...(thread === undefined ? {} : { thread: words(thread) }),
      ...(reply === undefined ? {} : { replyTo: String(reply) }),
    };
    this.shown.push(one);
    return one;
  }

  private edit(fields: Fields): unknown {
    this.chatNamed(fields);
    const one = this.shown.find(
      ({ id, chat }) => id === Number(fields['message_id']) && chat === String(fields['chat_id']),
    );
    if (one === undefined) throw new ApiError(400, 'Bad Request: message to edit not found');
    const text = textOf(fields, 'text', 4096);
    const buttons = buttonsOf(fields);
    if (text === one.text && JSON.stringify(buttons) === JSON.stringify(one.buttons)) {
      throw new ApiError(
        400,
        'Bad Request: message is not modified: specified new message content and reply markup are exactly the same',
      );
    }
    one.text = text;
    one.buttons = buttons;
    one.edits += 1;
    return { ...this.json(one), edit_date: now() };
  }

  private answerPress(fields: Fields): boolean {
    if (!this.presses.has(String(fields['callback_query_id']))) {
      throw new ApiError(400, 'Bad Request: query is too old and response timeout expired or query ID is invalid');
    }
    this.pressAnswers.push(words(fields['text']));
    return true;
  }

  private file(fields: Fields): unknown {
    const file = this.files.get(String(fields['file_id']));
    if (file === undefined) throw new ApiError(400, 'Bad Request: invalid file_id');
    return { file_id: fields['file_id'], file_unique_id: 'u', file_size: file.bytes.length, file_path: file.path };
  }

  private chatNamed(fields: Fields): void {
    const to = this.moved.get(String(fields['chat_id']));
    if (to !== undefined) {
      throw new ApiError(400, 'Bad Request: group chat was upgraded to a supergroup chat', {
        migrate_to_chat_id: Number(to),
      });
    }
    if (!this.known.has(String(fields['chat_id']))) throw new ApiError(400, 'Bad Request: chat not found');
  }

  /** As the agent's own message comes back in answers, quotes and presses. */
  private json(one: Shown): Json {
    return {
      message_id: one.id,
      from: telegramBot,
      chat: this.known.get(one.chat),
      date: now(),
      ...(one.files.length === 0 ? { text: plain(one.text) } : { caption: plain(one.text) }),
      ...(one.thread === undefined ? {} : { message_thread_id: Number(one.thread) }),
    };
  }

  private answered({ chat, replyTo }: SaidMessage): Json {
    if (replyTo !== undefined) {
      const own = this.shown.find((one) => one.chat === chat.id && String(one.id) === replyTo);
      const quoted = own === undefined ? this.written.get(`${chat.id}/${replyTo}`) : this.json(own);
      return quoted === undefined ? {} : { reply_to_message: quoted };
    }
    if (chat.thread === undefined) return {};
    // In topics every message that answers nothing is said to answer the message that made the topic.
    const forum_topic_created = { name: 'Topic', icon_color: 7_322_096 };
    const message_id = Number(chat.thread);
    return {
      reply_to_message: { message_id, from: telegramBot, chat: this.chatOf(chat), date: 0, forum_topic_created },
    };
  }

  private media(file: TestFile): Json {
    const file_id = `BQACAg${this.files.size}x${file.kind}`;
    const extension = file.name.split('.').at(-1) ?? 'bin';
    this.files.set(file_id, { ...file, path: `${file.kind}s/file_${this.files.size}.${extension}` });
    const known = { file_id, file_unique_id: `AgAD${file_id}`, file_size: file.bytes.length };
    const named = { ...known, file_name: file.name, mime_type: file.mediaType };
    switch (file.kind) {
      case 'image': {
        const small = { ...known, file_id: `${file_id}-small`, file_size: 900, width: 90, height: 67 };
        return { photo: [small, { ...known, width: 1280, height: 960 }] };
      }
      case 'audio':
        return { audio: { ...named, duration: 3 } };
      case 'voice':
        return { voice: { ...known, mime_type: file.mediaType, duration: 3 } };
      case 'video':
        return { video: { ...named, duration: 3, width: 640, height: 480 } };
      case 'document':
        return { document: named };
    }
  }

  private header(id: number, chat: TestChat, from: TestPerson): Json {
    const topic = chat.thread === undefined ? {} : { message_thread_id: Number(chat.thread), is_topic_message: true };
    return { message_id: id, from: person(from), chat: this.chatOf(chat), date: now(), ...topic };
  }

  private chatOf(chat: TestChat): Json {
    const whole =
      chat.kind === 'direct'
        ? { id: Number(chat.id), type: 'private', first_name: chat.title ?? 'Somebody' }
        : {
            id: Number(chat.id),
            type: 'supergroup',
            title: chat.title ?? 'Group',
            is_forum: chat.thread !== undefined,
          };
    this.known.set(chat.id, whole);
    return whole;
  }
}

function person({ id, name }: TestPerson): Json {
  return { id: Number(id), is_bot: false, first_name: name, language_code: 'en' };
}

function commandEntities(text: string): readonly Json[] {
  const word = /^\/\w+(@\w+)?/.exec(text)?.[0];
  return word === undefined ? [] : [{ type: 'bot_command', offset: 0, length: word.length }];
}

function textOf(fields: Fields, name: string, max: number): string {
  const text = words(fields[name]);
  if (fields['parse_mode'] === 'HTML') expectEntities(text);
  if (text.trim() === '') throw new ApiError(400, `Bad Request: ${name === 'text' ? 'message text' : name} is empty`);
  if (plain(text).length > max) throw new ApiError(400, `Bad Request: message ${name} is too long`);
  return text;
}

/** The text as it is counted and shown. */
function plain(html: string): string {
  const signs: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"' };
  return html.replaceAll(/<[^>]*>/g, '').replaceAll(/&(lt|gt|amp|quot);/g, (_, name: string) => signs[name] ?? '');
}

function buttonsOf(fields: Fields): readonly Button[] {
  const markup = fields['reply_markup'] as
    { inline_keyboard?: readonly (readonly { text: string; callback_data: string }[])[] } | undefined;
  return (markup?.inline_keyboard ?? []).flat().map(({ text, callback_data: data }) => {
    if (Buffer.byteLength(data) > 64) throw new ApiError(400, 'Bad Request: BUTTON_DATA_INVALID');
    return { label: text, data };
  });
}

function checkedCommand(command: string): string {
  if (!/^[a-z0-9_]{1,32}$/.test(command)) throw new ApiError(400, 'Bad Request: BOT_COMMAND_INVALID');
  return command;
}

/** Numbers of a form are texts, those of JSON are not. */
function words(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function now(): number {
  return Math.floor(Date.now() / 1_000);
}

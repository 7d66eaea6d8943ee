import { InputFile, type Api } from 'grammy';
import { PortError } from '../../../lib/port-error.ts';
import type {
  OutboundFile,
  OutboundText,
  PlatformAddress,
  PlatformLog,
  PlatformOutbound,
  SendOptions,
} from '../platform.ts';
import type { TelegramApi } from './api.ts';
import { movedTo, saysThat } from './errors.ts';
import { fieldsOf, idOf } from './fields.ts';
import { uploadsOf } from './upload.ts';

const commandName = /^[a-z0-9_]{1,32}$/;
const mostCommands = 100;
const photoBytes = 10_000_000;

/** Sends with one try per call. A group that has moved is followed: it refuses for certain before it is asked elsewhere. */
export function createTelegramOutbound(api: TelegramApi, log: PlatformLog): PlatformOutbound {
  const moved = new Map<string, string>();
  const inChat = async <T>(to: PlatformAddress, work: (chat: string) => Promise<T>): Promise<T> => {
    const chat = moved.get(to.chat) ?? to.chat;
    try {
      return await work(chat);
    } catch (error) {
      const elsewhere = movedTo(error);
      if (elsewhere === null || elsewhere === chat) throw error;
      log.info({ from: to.chat, to: elsewhere }, 'a group has another id now');
      moved.set(to.chat, elsewhere);
      return work(elsewhere);
    }
  };

  return {
    sendText: (to, text, { signal }) =>
      inChat(to, async (chat) => {
        const sent = await api.call({ effect: 'once', signal }, (bot, limit) =>
          bot.sendMessage(
            chat,
            text.text,
            { parse_mode: 'HTML', ...placeOf(to), ...answering(text.replyTo), ...keyboard(text) },
            limit,
          ),
        );
        return shown(sent);
      }),

    sendFile: (to, file, options) => inChat(to, (chat) => sendFile(api, { ...to, chat }, file, options)),

    edit: (to, messageId, text, { signal }) =>
      inChat(to, async (chat) => {
        try {
          await api.call({ effect: 'repeatable', signal }, (bot, limit) =>
            bot.editMessageText(chat, Number(messageId), text.text, { parse_mode: 'HTML', ...keyboard(text) }, limit),
          );
        } catch (error) {
          if (!saysThat(error, /message is not modified/i)) throw error;
        }
      }),

    typing: (to, signal) =>
      inChat(to, async (chat) => {
        await api.call({ effect: 'repeatable', signal }, (bot, limit) =>
          bot.sendChatAction(chat, 'typing', placeOf(to), limit),
        );
      }),

    reconcile: () => Promise.resolve({ state: 'unknown' }),

    acknowledgeButton: async ({ key }, text) => {
      const id = key.slice(key.indexOf('/') + 1);
      try {
        await api.call({ effect: 'repeatable', signal: new AbortController().signal }, (bot, limit) =>
          bot.answerCallbackQuery(id, { text: text.slice(0, 200) }, limit),
        );
      } catch (error) {
        // The person's client gave up waiting; what was pressed counts all the same.
        if (!saysThat(error, /query is too old|query id is invalid/i)) throw error;
      }
    },

    registerCommands: async (commands) => {
      const known = commands
        .filter(({ name }) => commandName.test(name))
        .slice(0, mostCommands)
        .map(({ name, args, help }) => ({
          command: name,
          description: (args === '' ? help : `${args} · ${help}`).slice(0, 256),
        }));
      await api.call({ effect: 'repeatable', signal: new AbortController().signal }, (bot, limit) =>
        bot.setMyCommands(known, {}, limit),
      );
    },
  };
}

/** The id is what edits and answers need; without it the message is there and cannot be named. */
function shown(sent: unknown): { readonly messageId: string } {
  const messageId = idOf(fieldsOf(sent)?.['message_id']);
  if (messageId !== null) return { messageId };
  throw new PortError('Platform.Ambiguous', 'Telegram took a message and did not say which it became');
}

/** As what its kind asks for; as a plain document where the platform cannot show it so, which it says beforehand. */
async function sendFile(api: TelegramApi, to: PlatformAddress, file: OutboundFile, options: SendOptions) {
  const send = uploadsOf(to, file, { ...placeOf(to), ...caption(file) });
  const showAsIs = file.kind === 'image' && file.sizeBytes > photoBytes;
  try {
    return await upload(api, file, showAsIs ? send.document : send.byKind, options);
  } catch (error) {
    const unshowable = /PHOTO_|IMAGE_PROCESS_FAILED|wrong file|VOICE_MESSAGES_FORBIDDEN|photo.*(dimensions|invalid)/i;
    if (send.byKind === send.document || !saysThat(error, unshowable)) throw error;
    return upload(api, file, send.document, options);
  }
}

async function upload(
  api: TelegramApi,
  file: OutboundFile,
  send: ReturnType<typeof uploadsOf>['document'],
  { signal }: SendOptions,
): Promise<{ readonly messageId: string }> {
  let broken: unknown = null;
  const stream = await file.open();
  const parts = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for await (const part of stream) yield part as Uint8Array;
    } catch (error) {
      broken = error;
      throw error;
    }
  };
  // Slow lines exist: at least 30 KB/s.
  const limitMs = 60_000 + file.sizeBytes / 30;
  try {
    const sent = await api.call({ effect: 'once', signal, limitMs }, (bot: Api, limit) =>
      send(bot, new InputFile(parts(), quoted(file.name)), limit),
    );
    return shown(sent);
  } catch (error) {
    // Half a form is no message.
    if (broken === null) throw error;
    throw new PortError('Platform.Unavailable', 'the file could not be read to its end', { cause: broken });
  } finally {
    stream.destroy();
  }
}

/** The library writes names bare into a header, where a blank or a semicolon would end them. */
function quoted(name: string): string {
  return `"${name.replaceAll(/[\u0000-\u001f\u007f]/g, '_').replaceAll(/["\\]/g, '\\$&')}"`;
}

function caption({ caption: text }: OutboundFile) {
  return text === undefined || text === '' ? {} : { caption: text, parse_mode: 'HTML' as const };
}

function placeOf({ thread }: PlatformAddress) {
  return thread === undefined ? {} : { message_thread_id: Number(thread) };
}

function answering(replyTo: string | undefined) {
  if (replyTo === undefined) return {};
  return { reply_parameters: { message_id: Number(replyTo), allow_sending_without_reply: true } };
}

/** Short labels share a row. */
function keyboard({ buttons = [] }: OutboundText) {
  if (buttons.length === 0) return {};
  const perRow = buttons.every(({ label }) => label.length <= 12) ? 3 : 1;
  const keys = buttons.map(({ label, data, style }) => ({
    text: label,
    callback_data: data,
    ...(style === undefined ? {} : { style }),
  }));
  const rows = Array.from({ length: Math.ceil(keys.length / perRow) }, (_, row) =>
    keys.slice(row * perRow, (row + 1) * perRow),
  );
  return { reply_markup: { inline_keyboard: rows } };
}

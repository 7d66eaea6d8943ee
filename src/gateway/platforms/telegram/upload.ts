import type { Api, InputFile } from 'grammy';
import type { OutboundFile, PlatformAddress } from '../platform.ts';

type Signal = Parameters<Api['getMe']>[0];
type Send = (bot: Api, file: InputFile, signal: Signal) => Promise<{ readonly message_id: number }>;

interface Extra {
  readonly message_thread_id?: number;
  readonly caption?: string;
  readonly parse_mode?: 'HTML';
}

const photos = new Set(['image/jpeg', 'image/png', 'image/webp']);
const voices = new Set(['audio/ogg', 'audio/opus', 'audio/mpeg', 'audio/mp4', 'audio/x-m4a']);
const songs = new Set(['audio/mpeg', 'audio/mp4', 'audio/x-m4a', 'audio/aac']);

/** The calls a file can go out by: what its kind asks for, and as a document, which every file can be. */
export function uploadsOf(
  { chat }: PlatformAddress,
  file: OutboundFile,
  extra: Extra,
): { readonly byKind: Send; readonly document: Send } {
  const document: Send = (bot, input, signal) =>
    bot.sendDocument(chat, input, { ...extra, disable_content_type_detection: true }, signal);
  const type = file.mediaType.split(';')[0]?.trim().toLowerCase() ?? '';
  const byKind = ((): Send => {
    if (file.kind === 'image' && photos.has(type))
      return (bot, input, signal) => bot.sendPhoto(chat, input, extra, signal);
    if (file.kind === 'voice' && voices.has(type))
      return (bot, input, signal) => bot.sendVoice(chat, input, extra, signal);
    if (file.kind === 'audio' && songs.has(type))
      return (bot, input, signal) => bot.sendAudio(chat, input, extra, signal);
    if (file.kind === 'video' && type === 'video/mp4') {
      return (bot, input, signal) => bot.sendVideo(chat, input, extra, signal);
    }
    return document;
  })();
  return { byKind, document };
}

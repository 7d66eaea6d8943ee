import type { JsonValue } from '../../../contracts/json.ts';
import { fields, name, words, type Fields } from '../json-fields.ts';
import type { PlatformFile } from '../platform.ts';

interface ReadFile {
  readonly file: PlatformFile;
  readonly caption: string | null;
  readonly context: unknown;
}

/** How WhatsApp derives the keys of a file. */
export type MediaKind = 'image' | 'video' | 'audio' | 'document' | 'sticker';

const places = [
  { field: 'imageMessage', media: 'image', kind: 'image', name: 'photo', mediaType: 'image/jpeg' },
  { field: 'stickerMessage', media: 'sticker', kind: 'image', name: 'sticker', mediaType: 'image/webp' },
  { field: 'videoMessage', media: 'video', kind: 'video', name: 'video', mediaType: 'video/mp4' },
  { field: 'ptvMessage', media: 'video', kind: 'video', name: 'video', mediaType: 'video/mp4' },
  { field: 'audioMessage', media: 'audio', kind: 'audio', name: 'audio', mediaType: 'audio/ogg' },
  {
    field: 'documentMessage',
    media: 'document',
    kind: 'document',
    name: 'file',
    mediaType: 'application/octet-stream',
  },
] as const;

/** The file of a message, null without one that could be fetched. Pure; takes anything. */
export function readFile(message: Fields): ReadFile | null {
  for (const place of places) {
    const content = fields(message[place.field]);
    const key = base64Of(content['mediaKey']);
    const path = words(content['directPath']);
    if (key === null || path === null) continue;
    const mediaType = name(content['mimetype']) ?? place.mediaType;
    const isVoice = place.media === 'audio' && content['ptt'] === true;
    return {
      file: {
        kind: isVoice ? 'voice' : place.kind,
        name: name(content['fileName']) ?? `${isVoice ? 'voice' : place.name}.${extension(mediaType)}`,
        mediaType,
        sizeBytes: numberOf(content['fileLength']),
        reference: { media: place.media, path, key },
      },
      caption: words(content['caption']),
      context: content['contextInfo'],
    };
  }
  return null;
}

/** What `readFile` put into a reference; null for anything else. */
export function readReference(reference: JsonValue): { media: MediaKind; path: string; key: Buffer } | null {
  const { media, path, key } = fields(reference);
  const known = places.find((place) => place.media === media)?.media;
  // A path and no address: who writes a message must not choose the host it is fetched from.
  if (known === undefined || typeof path !== 'string' || !/^\/(?!\/)[\x21-\x7e]+$/.test(path)) return null;
  return typeof key === 'string' ? { media: known, path, key: Buffer.from(key, 'base64') } : null;
}

/** A whole number, also one of 64 bits as protocol buffers have it; else null. */
export function numberOf(value: unknown): number | null {
  const { low, high } = fields(value);
  const number =
    typeof low === 'number' && typeof high === 'number'
      ? (high >>> 0) * 2 ** 32 + (low >>> 0)
      : typeof value === 'string' && /^\d{1,15}$/.test(value)
        ? Number(value)
        : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : null;
}

/** Bytes as protocol buffers have them, or as base64 in their JSON. */
function base64Of(value: unknown): string | null {
  if (value instanceof Uint8Array) return value.length === 32 ? Buffer.from(value).toString('base64') : null;
  return typeof value === 'string' && /^[\w+/-]{43}=?$/.test(value) ? value : null;
}

function extension(mediaType: string): string {
  const sub = /^[\w-]+\/([\w-]+)/.exec(mediaType)?.[1] ?? 'bin';
  return { jpeg: 'jpg', mpeg: 'mp3', plain: 'txt' }[sub] ?? sub;
}

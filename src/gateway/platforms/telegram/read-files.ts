import type { PlatformFile } from '../platform.ts';
import { fieldsOf, sizeOf, textOf, type Fields } from './fields.ts';

const longestName = 200;

/** The files of a message; the platform sends at most one with each. */
export function filesOf(message: Fields, messageId: string): readonly PlatformFile[] {
  const photo = largestOf(message['photo']);
  const found =
    fileOf('image', photo, { name: `photo-${messageId}.jpg`, mediaType: 'image/jpeg' }) ??
    fileOf('voice', fieldsOf(message['voice']), { name: `voice-${messageId}.ogg`, mediaType: 'audio/ogg' }) ??
    fileOf('audio', fieldsOf(message['audio']), { name: `audio-${messageId}.mp3`, mediaType: 'audio/mpeg' }) ??
    fileOf('video', fieldsOf(message['video'] ?? message['video_note'] ?? message['animation']), {
      name: `video-${messageId}.mp4`,
      mediaType: 'video/mp4',
    }) ??
    fileOf('document', fieldsOf(message['document']), {
      name: `document-${messageId}`,
      mediaType: 'application/octet-stream',
    });
  return found === null ? [] : [found];
}

function fileOf(
  kind: PlatformFile['kind'],
  file: Fields | null,
  usual: { readonly name: string; readonly mediaType: string },
): PlatformFile | null {
  const fileId = textOf(file?.['file_id']);
  if (file === null || fileId === null || fileId.length > 1_000) return null;
  const mediaType = (textOf(file['mime_type']) ?? usual.mediaType).slice(0, 100);
  return {
    kind: kind === 'document' && mediaType.startsWith('image/') ? 'image' : kind,
    name: (textOf(file['file_name']) ?? usual.name).slice(0, longestName),
    mediaType,
    sizeBytes: sizeOf(file['file_size']),
    reference: { fileId },
  };
}

/** One picture in several sizes. */
function largestOf(sizes: unknown): Fields | null {
  if (!Array.isArray(sizes)) return null;
  const area = (size: Fields): number => (sizeOf(size['width']) ?? 0) * (sizeOf(size['height']) ?? 0);
  return sizes
    .map(fieldsOf)
    .filter((size) => size !== null)
    .reduce<Fields | null>((best, size) => (best === null || area(size) > area(best) ? size : best), null);
}

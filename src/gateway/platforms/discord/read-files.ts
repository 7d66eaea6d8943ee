import { extname } from 'node:path';
import type { PlatformFile } from '../platform.ts';
import { fields, list, name, whole, words, type Fields } from '../json-fields.ts';

/** Where a file hangs. Its address there is signed and expires after a day, so it is asked for anew each time. */
export interface FileReference {
  readonly channel: string;
  readonly message: string;
  readonly attachment: string;
}

/** The attachments that can be read. `voice`: the message is a voice note, whose one attachment is the sound. */
export function readFiles(
  attachments: readonly unknown[],
  at: Omit<FileReference, 'attachment'>,
  voice: boolean,
): readonly PlatformFile[] {
  return attachments.flatMap((one): PlatformFile[] => {
    const attachment = fields(one);
    const id = name(attachment['id']);
    if (id === null) return [];
    const mediaType = (words(attachment['content_type']) ?? 'application/octet-stream').slice(0, 100);
    return [
      {
        kind: kindOf(mediaType, voice),
        name: fileName(attachment),
        mediaType,
        sizeBytes: whole(attachment['size']),
        reference: { ...at, attachment: id },
      },
    ];
  });
}

/** @returns null for what no `readFiles` made. */
export function fileReference(value: unknown): FileReference | null {
  const { channel, message, attachment } = fields(value);
  const parts = [name(channel), name(message), name(attachment)];
  const [inChannel, inMessage, id] = parts;
  if (!inChannel || !inMessage || !id) return null;
  return { channel: inChannel, message: inMessage, attachment: id };
}

/** Address of an attachment in its message as the REST API gives it, or in what the message forwards. */
export function attachmentUrl(message: unknown, id: string): string | null {
  const forwarded = list(fields(message)['message_snapshots']).map((one) => fields(fields(one)['message']));
  const all = [fields(message), ...forwarded].flatMap((one) => list(one['attachments'])).map(fields);
  return words(all.find((one) => one['id'] === id)?.['url']);
}

/** As the person named it: where Discord has replaced characters, `title` keeps the name without its ending. */
function fileName(attachment: Fields): string {
  const file = words(attachment['filename']) ?? 'file';
  const title = words(attachment['title']);
  return (title === null ? file : `${title}${extname(file)}`).slice(0, 200);
}

function kindOf(mediaType: string, voice: boolean): PlatformFile['kind'] {
  if (mediaType.startsWith('image/')) return 'image';
  if (mediaType.startsWith('video/')) return 'video';
  if (mediaType.startsWith('audio/')) return voice ? 'voice' : 'audio';
  return 'document';
}

import type { OutboxFile } from '../../store/outbox-ports.ts';

/** How a platform shows a file of this type. */
export function fileKindOf(mediaType: string): OutboxFile['kind'] {
  // Pictures a person may want to keep as they are go as documents.
  if (/^image\/(jpeg|png|gif|webp)$/u.test(mediaType)) return 'image';
  if (mediaType.startsWith('audio/')) return 'audio';
  if (mediaType.startsWith('video/')) return 'video';
  return 'document';
}

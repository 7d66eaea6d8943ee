import { type Fields, words } from '../json-fields.ts';
import type { PlatformFile } from '../platform.ts';
import { idOf, listOf } from './fields.ts';

/** What `fetchFile` is given back. */
export interface SlackFileReference {
  readonly id: string;
  /** Null where Slack must be asked first, as for files of another workspace. */
  readonly url: string | null;
}

/** The files of a message; those kept elsewhere (Google Drive, …) become links. */
export function readFiles(value: unknown): {
  readonly files: readonly PlatformFile[];
  readonly links: readonly string[];
} {
  const files: PlatformFile[] = [];
  const links: string[] = [];
  for (const one of listOf(value)) {
    const id = idOf(one['id']);
    // Deleted, or hidden by the plan's limit: there is nothing to fetch.
    if (id === null || one['mode'] === 'tombstone' || one['mode'] === 'hidden_by_limit') continue;
    const url = words(one['url_private_download']) ?? words(one['url_private']);
    const name = words(one['name']) ?? words(one['title']) ?? id;
    if (one['is_external'] === true || one['mode'] === 'external') {
      if (url !== null) links.push(`[${name.replace(/[[\]\n]/g, ' ')}](${url})`);
      continue;
    }
    const size = one['size'];
    files.push({
      kind: kindOf(one),
      name: name.slice(0, 255),
      mediaType: mediaTypeOf(one),
      sizeBytes: typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : null,
      reference: { id, url },
    });
  }
  return { files, links };
}

export function readReference(value: unknown): SlackFileReference | null {
  if (typeof value !== 'object' || value === null) return null;
  const { id, url } = value as { id?: unknown; url?: unknown };
  const fileId = idOf(id);
  return fileId === null ? null : { id: fileId, url: words(url) };
}

function mediaTypeOf(file: Fields): string {
  const type = words(file['mimetype']) ?? 'application/octet-stream';
  // A clip without a picture is named as a film without one.
  return file['subtype'] === 'slack_audio' && type === 'video/mp4' ? 'audio/mp4' : type.slice(0, 100);
}

function kindOf(file: Fields): PlatformFile['kind'] {
  if (file['subtype'] === 'slack_audio') return 'voice';
  const [kind] = mediaTypeOf(file).split('/');
  return kind === 'image' || kind === 'audio' || kind === 'video' ? kind : 'document';
}

import { Readable } from 'node:stream';
import type { JsonValue } from '../../../contracts/json.ts';
import { PortError } from '../../../lib/port-error.ts';
import type { TelegramApi } from './api.ts';

/** Files are kept for long, but their addresses for an hour only: so each time the address is asked for anew. */
export async function fetchTelegramFile(
  api: TelegramApi,
  reference: JsonValue,
  signal: AbortSignal,
): Promise<{ readonly stream: Readable; readonly sizeBytes: number | null }> {
  const fileId = fileIdOf(reference);
  const file = await api.call({ effect: 'repeatable', signal }, (bot, limit) => bot.getFile(fileId, limit));
  if (file.file_path === undefined || file.file_path.startsWith('/')) {
    throw new PortError('Platform.MessageRejected', 'Telegram does not hand the file out over HTTP', {
      details: { local: file.file_path !== undefined },
    });
  }
  const response = await download(api.fileUrl(file.file_path), signal);
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw new PortError(
      response.status >= 500 || response.status === 429 ? 'Platform.Unavailable' : 'Platform.MessageRejected',
      `Telegram does not hand the file out: HTTP ${response.status}`,
    );
  }
  const length = Number(response.headers.get('content-length') ?? Number.NaN);
  const sizeBytes = file.file_size ?? (Number.isSafeInteger(length) ? length : null);
  return { stream: Readable.fromWeb(response.body), sizeBytes };
}

async function download(url: string, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { signal, redirect: 'error' });
  } catch {
    // What went wrong is told with the address, which has the token in it.
    throw new PortError('Platform.Unavailable', 'the file could not be fetched from Telegram');
  }
}

function fileIdOf(reference: JsonValue): string {
  if (typeof reference === 'object' && reference !== null && 'fileId' in reference) {
    const { fileId } = reference as { readonly fileId?: unknown };
    if (typeof fileId === 'string' && fileId !== '') return fileId;
  }
  throw new PortError('Platform.MessageRejected', 'this names no file of Telegram');
}

import { setTimeout as sleep } from 'node:timers/promises';
import { Readable } from 'node:stream';
import { PortError } from '../../../lib/port-error.ts';
import { fields, type Fields, words } from '../json-fields.ts';
import type { OutboundFile } from '../platform.ts';
import type { SlackApi } from './api.ts';
import { idOf, listOf } from './fields.ts';

/** Slack looks through a file before it shows it. */
const shareLimitMs = 10_000;
const uploadLimitMs = 30_000;
const slowestBytesPerMs = 50;

export interface FilePlace {
  readonly channel: string;
  readonly thread_ts?: string;
  readonly blocks: readonly unknown[];
}

/**
 * Uploads a file and shares it. Before the last call nobody sees anything, so that everything up to there may be repeated.
 * @returns id of the message that shows the file, or `file/<id>` where Slack lets nobody ask for it.
 */
export async function sendFile(
  api: SlackApi,
  file: OutboundFile,
  place: FilePlace,
  signal: AbortSignal,
): Promise<string> {
  const asked = { filename: file.name, length: file.sizeBytes };
  const slot = await api.call('files.getUploadURLExternal', asked, { repeating: 'nothing', signal });
  const url = words(slot['upload_url']);
  const id = idOf(slot['file_id']);
  if (url === null || id === null) throw new PortError('Platform.Unavailable', 'Slack names no place for the file');
  await upload(url, file, signal);
  const { channel, ...rest } = place;
  const shared = { files: [{ id, title: file.name }], channel_id: channel, ...rest };
  const answer = await api.call('files.completeUploadExternal', shared, { repeating: 'again', signal });
  return shareOf(listOf(answer['files'])[0], channel) ?? (await awaitShare(api, id, channel, signal));
}

async function upload(url: string, file: OutboundFile, signal: AbortSignal): Promise<void> {
  const stream = await file.open();
  let broken: unknown = null;
  stream.once('error', (error) => {
    broken = error;
  });
  const limit = AbortSignal.timeout(uploadLimitMs + Math.ceil(file.sizeBytes / slowestBytesPerMs));
  let status: number;
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(file.sizeBytes) },
      body: Readable.toWeb(stream) as ReadableStream,
      duplex: 'half',
      redirect: 'error',
      signal: AbortSignal.any([signal, limit]),
    });
    status = response.status;
    await response.body?.cancel();
  } catch {
    if (broken !== null) throw new PortError('Storage.Unavailable', 'the file breaks off while it is read');
    throw new PortError('Platform.Unavailable', 'the connection to Slack ended while the file was uploaded');
  } finally {
    stream.destroy();
  }
  if (status === 200) return;
  const refused = status >= 400 && status < 500 && status !== 408 && status !== 429;
  throw new PortError(
    refused ? 'Platform.MessageRejected' : 'Platform.Unavailable',
    `Slack answers the upload of a file with ${status}`,
    { details: { status } },
  );
}

async function awaitShare(api: SlackApi, id: string, channel: string, signal: AbortSignal): Promise<string> {
  const until = Date.now() + shareLimitMs;
  for (let pauseMs = 100; Date.now() < until; pauseMs = Math.min(1_500, pauseMs * 2)) {
    let found: Fields;
    try {
      found = await api.call('files.info', { file: id }, { repeating: 'nothing', signal });
    } catch (error) {
      if (PortError.is(error) && error.retryable && !signal.aborted) found = {};
      // Slack has taken the file; only what message it became cannot be learned.
      else return `file/${id}`;
    }
    const ts = shareOf(fields(found['file']), channel);
    if (ts !== null) return ts;
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
  // It happens that Slack says yes and shows nothing.
  throw new PortError('Platform.Ambiguous', 'Slack took the file and does not show it');
}

function shareOf(file: Fields | undefined, channel: string): string | null {
  const shares = fields(file?.['shares']);
  for (const kind of ['private', 'public']) {
    const [share] = listOf(fields(shares[kind])[channel]);
    const ts = idOf(share?.['ts']);
    if (ts !== null) return ts;
  }
  return null;
}

import { createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline, Readable, Transform, type TransformCallback } from 'node:stream';
import { pipeline as writeWhole } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { getMediaKeys, MEDIA_PATH_MAP, prepareWAMessageMedia, type AnyMediaMessageContent, type proto } from 'baileys';
import { PortError } from '../../../lib/port-error.ts';
import type { JsonValue } from '../../../contracts/json.ts';
import { fields, parsed, words } from '../json-fields.ts';
import type { OutboundFile, PlatformLog } from '../platform.ts';
import { unsentError } from './failures.ts';
import { quietLogger } from './quiet.ts';
import { readReference } from './read-file.ts';
import type { Session } from './session.ts';

interface MediaDeps {
  readonly mediaUrl: string | null;
  readonly log: PlatformLog;
}

const mediaHost = 'https://mmg.whatsapp.net';
const origin = 'https://web.whatsapp.com';
const uploadMs = 600_000;
const macLength = 10;

/** Fetches and decrypts a file; no connection of the account is needed. The stream fails when the file was changed. */
export async function fetchMedia(
  reference: JsonValue,
  signal: AbortSignal,
  { mediaUrl }: MediaDeps,
): Promise<Readable> {
  const wanted = readReference(reference);
  if (wanted === null) throw new PortError('Platform.MessageRejected', 'This is no file of WhatsApp.');
  const { path, key, media } = wanted;
  const answer = await fetch(`${mediaUrl ?? mediaHost}${path}`, {
    signal,
    headers: { origin },
    redirect: 'error',
  }).catch(() => {
    throw new PortError('Platform.Unavailable', 'The file could not be fetched from WhatsApp.');
  });
  if (!answer.ok || answer.body === null) {
    await answer.body?.cancel();
    const gone = answer.status === 404 || answer.status === 410 || answer.status === 403;
    throw gone
      ? new PortError('Platform.MessageRejected', 'WhatsApp does not keep this file any more. Ask for it once more.')
      : new PortError('Platform.Unavailable', `WhatsApp did not give the file (${answer.status}).`);
  }
  const { cipherKey, iv, macKey } = await getMediaKeys(key, media);
  if (!macKey) throw new PortError('Platform.MessageRejected', 'This is no file of WhatsApp.');
  const plain = new Decryption(cipherKey, iv, macKey);
  // The reader sees a failure as an error of the stream.
  pipeline(Readable.fromWeb(answer.body as ReadableStream<Uint8Array>), plain, () => undefined);
  return plain;
}

/** Encrypts and uploads a file; what it gives goes into a message. */
export async function uploadMedia(
  file: OutboundFile,
  session: Session,
  { signal, mediaUrl, log }: MediaDeps & { readonly signal: AbortSignal },
): Promise<proto.IMessage> {
  const folder = await mkdtemp(join(tmpdir(), 'hermes-whatsapp-'));
  try {
    // Baileys crashes the process when a stream it encrypts breaks off; a file does not.
    const path = join(folder, 'file');
    const stream = await file.open().catch(unreadable);
    await writeWhole(stream, createWriteStream(path), { signal }).catch(unreadable);
    return await prepareWAMessageMedia(contentOf(file, path), {
      logger: quietLogger(log),
      upload: async (sealed, { mediaType, fileEncSha256B64 }) => {
        const connection = await session.socket.refreshMediaConn(false);
        const host = mediaUrl ?? `https://${connection.hosts[0]?.hostname ?? 'mmg.whatsapp.net'}`;
        const token = fileEncSha256B64.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
        const kind = (MEDIA_PATH_MAP as Readonly<Record<string, string>>)[mediaType] ?? '/mms/document';
        const query = `auth=${encodeURIComponent(connection.auth)}&token=${encodeURIComponent(token)}`;
        return upload(`${host}${kind}/${encodeURIComponent(token)}?${query}`, sealed, signal);
      },
    });
  } catch (error) {
    throw unsentError(error);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function upload(
  url: string,
  path: string,
  signal: AbortSignal,
): Promise<{ mediaUrl: string; directPath: string }> {
  // Not typed by the library: a body that is read while it is sent needs `duplex`.
  const request = {
    method: 'POST',
    body: Readable.toWeb(createReadStream(path)),
    duplex: 'half',
    headers: { origin, 'content-type': 'application/octet-stream' },
    signal: AbortSignal.any([signal, AbortSignal.timeout(uploadMs)]),
  } as unknown as RequestInit;
  const { status, body } = await fetch(url, request)
    .then(async (answer) => ({ status: answer.status, body: await answer.text() }))
    .catch(() => {
      throw new PortError('Platform.Unavailable', 'The file could not be brought to WhatsApp.');
    });
  const { url: mediaUrl, direct_path: directPath } = fields(parsed(body));
  if (status === 200 && words(directPath) !== null) {
    return { mediaUrl: words(mediaUrl) ?? '', directPath: words(directPath) ?? '' };
  }
  if (status === 413 || status === 415) {
    throw new PortError('Platform.MessageRejected', 'WhatsApp does not take this file: too large or of a wrong kind.');
  }
  if (status === 429) {
    throw new PortError('Platform.RateLimited', 'WhatsApp takes no more files for now.', { retryAfterMs: 3_000 });
  }
  throw new PortError('Platform.Unavailable', `WhatsApp did not take the file (${status}).`);
}

/** What phones cannot show as picture, video or voice goes as a document. */
function contentOf(file: OutboundFile, path: string): AnyMediaMessageContent {
  const { kind, mediaType, name, caption } = file;
  const media = { url: path };
  const words = caption === undefined ? {} : { caption };
  const [type = ''] = mediaType.split(';');
  if (kind === 'image' && /^image\/(jpeg|png|webp)$/.test(type)) return { image: media, mimetype: type, ...words };
  if (kind === 'video' && /^video\/(mp4|3gpp)$/.test(type)) return { video: media, mimetype: type, ...words };
  if (kind === 'voice' && type === 'audio/ogg') return { audio: media, ptt: true, mimetype: 'audio/ogg; codecs=opus' };
  if (/^audio\/(ogg|mpeg|mp4|aac|amr)$/.test(type) && (kind === 'audio' || kind === 'voice')) {
    return { audio: media, mimetype: type };
  }
  return { document: media, mimetype: mediaType, fileName: name, ...words };
}

function unreadable(): never {
  throw new PortError('Platform.Unavailable', 'The file could not be read whole, so it was not sent.');
}

/** AES-256-CBC with the first ten bytes of an HMAC at its end. */
class Decryption extends Transform {
  private readonly cipher;
  private readonly mac;
  private rest: Buffer = Buffer.alloc(0);

  constructor(key: Uint8Array, iv: Uint8Array, macKey: Uint8Array) {
    super();
    this.cipher = createDecipheriv('aes-256-cbc', key, iv);
    this.mac = createHmac('sha256', macKey).update(iv);
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    const all = Buffer.concat([this.rest, chunk]);
    const ready = all.subarray(0, Math.max(0, all.length - macLength));
    this.rest = all.subarray(ready.length);
    this.mac.update(ready);
    done(null, this.cipher.update(ready));
  }

  override _flush(done: TransformCallback): void {
    try {
      const expected = this.mac.digest().subarray(0, macLength);
      const isWhole = this.rest.length === macLength && timingSafeEqual(this.rest, expected);
      if (!isWhole) throw new Error('changed');
      done(null, this.cipher.final());
    } catch {
      done(new PortError('Platform.Unavailable', 'The file came broken off or changed.'));
    }
  }
}

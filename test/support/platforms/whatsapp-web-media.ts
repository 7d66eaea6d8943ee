import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { proto } from 'baileys';
import { getMediaKeys, type MediaType } from 'baileys';
import type { SeenMessage, TestFile } from './platform-server.ts';

/** The hosts for files: what is brought there is got there, encrypted as it is. */
export class MediaHost {
  private readonly files = new Map<string, Buffer>();

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (request.method === 'POST') {
      this.files.set(pathname, await buffer(request));
      response.end(JSON.stringify({ url: `https://mmg.whatsapp.net${pathname}`, direct_path: pathname }));
      return;
    }
    const file = this.files.get(pathname);
    response.statusCode = file === undefined ? 404 : 200;
    response.end(file);
  }

  /** Encrypts as a person's phone does; gives the part of a message that names the file. */
  async keep({ kind, name, mediaType, bytes }: TestFile, caption: string): Promise<proto.IMessage> {
    const type: MediaType = kind === 'voice' ? 'audio' : kind;
    const mediaKey = randomBytes(32);
    const { iv, cipherKey, macKey } = await getMediaKeys(mediaKey, type);
    const cipher = createCipheriv('aes-256-cbc', cipherKey, iv);
    const sealed = Buffer.concat([cipher.update(bytes), cipher.final()]);
    const whole = Buffer.concat([sealed, mac(macKey ?? Buffer.alloc(0), iv, sealed)]);
    const directPath = `/v/t62.${this.files.size}/file.enc`;
    this.files.set(directPath, whole);
    const content = {
      mimetype: mediaType,
      url: `https://mmg.whatsapp.net${directPath}`,
      directPath,
      mediaKey,
      fileLength: bytes.length,
      fileSha256: createHash('sha256').update(bytes).digest(),
      fileEncSha256: createHash('sha256').update(whole).digest(),
    };
    const words = caption === '' ? {} : { caption };
    if (kind === 'image') return { imageMessage: { ...content, ...words } };
    if (kind === 'video') return { videoMessage: { ...content, ...words } };
    if (kind === 'document') return { documentMessage: { ...content, ...words, fileName: name } };
    return { audioMessage: { ...content, ptt: kind === 'voice' } };
  }

  /** The file a message of the agent names, decrypted; none where it names none. */
  async read(message: proto.IMessage): Promise<SeenMessage['files']> {
    const all = [
      { type: 'image', content: message.imageMessage, name: '' },
      { type: 'video', content: message.videoMessage, name: '' },
      { type: 'audio', content: message.audioMessage, name: '' },
      { type: 'document', content: message.documentMessage, name: message.documentMessage?.fileName ?? '' },
    ] as const;
    for (const { type, content, name } of all) {
      if (!content?.mediaKey) continue;
      const whole = this.files.get(content.directPath ?? '') ?? Buffer.alloc(0);
      const { iv, cipherKey, macKey } = await getMediaKeys(content.mediaKey, type);
      const sealed = whole.subarray(0, -10);
      if (!mac(macKey ?? Buffer.alloc(0), iv, sealed).equals(whole.subarray(-10)))
        throw new Error('the file was changed');
      const cipher = createDecipheriv('aes-256-cbc', cipherKey, iv);
      const bytes = Buffer.concat([cipher.update(sealed), cipher.final()]);
      return [{ name, mediaType: content.mimetype ?? '', bytes }];
    }
    return [];
  }
}

function mac(key: Uint8Array, iv: Uint8Array, sealed: Uint8Array): Buffer {
  return createHmac('sha256', key).update(iv).update(sealed).digest().subarray(0, 10);
}

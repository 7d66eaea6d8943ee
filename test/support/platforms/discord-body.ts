import type { IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import busboy from 'busboy';
import type { RESTPostAPIChannelMessageJSONBody } from 'discord-api-types/v10';

export interface SentBody {
  readonly json: RESTPostAPIChannelMessageJSONBody;
  readonly files: readonly { readonly name: string; readonly mediaType: string; readonly bytes: Buffer }[];
}

/** A request's body: JSON, or a form with files and the JSON in its field `payload_json`. */
export async function readBody(request: IncomingMessage): Promise<SentBody> {
  if (!(request.headers['content-type'] ?? '').startsWith('multipart/form-data')) {
    const text = (await buffer(request)).toString();
    return { json: (text === '' ? {} : JSON.parse(text)) as SentBody['json'], files: [] };
  }
  const form = busboy({ headers: request.headers, defParamCharset: 'utf8' });
  const files: Promise<SentBody['files'][number]>[] = [];
  let json: SentBody['json'] = {};
  form.on('field', (name, value) => {
    if (name === 'payload_json') json = JSON.parse(value) as SentBody['json'];
  });
  form.on('file', (_name, stream, { filename, mimeType }) => {
    files.push(buffer(stream).then((bytes) => ({ name: String(filename), mediaType: mimeType, bytes })));
  });
  await new Promise<void>((resolve, reject) => {
    form.on('close', resolve);
    form.on('error', reject);
    request.pipe(form);
  });
  return { json, files: await Promise.all(files) };
}

import type { IncomingMessage } from 'node:http';
import busboy from 'busboy';
import type { Fields, Upload } from './telegram-chats.ts';

/** The parameters of a call: JSON, or a form in which `attach://<part>` stands for a file. */
export async function readFields(request: IncomingMessage): Promise<Fields> {
  if ((request.headers['content-type'] ?? '').startsWith('multipart/form-data')) return readForm(request);
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? {} : (JSON.parse(text) as Fields);
}

async function readForm(request: IncomingMessage): Promise<Fields> {
  const values = new Map<string, unknown>();
  const uploads = new Map<string, Upload>();
  await new Promise<void>((resolve, reject) => {
    const form = busboy({ headers: request.headers, defParamCharset: 'utf8', limits: { fieldSize: 1_000_000 } });
    form.on('field', (name, value) => values.set(name, asJson(value)));
    form.on('file', (part, stream, { filename }: { readonly filename?: string }) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => uploads.set(part, { name: filename ?? '', bytes: Buffer.concat(chunks) }));
    });
    form.on('close', resolve);
    form.on('error', reject);
    request.on('error', reject);
    request.on('aborted', () => reject(new Error('the upload broke off')));
    request.pipe(form);
  });
  for (const [name, value] of values) {
    const part = typeof value === 'string' && value.startsWith('attach://') ? value.slice('attach://'.length) : null;
    if (part !== null) values.set(name, uploads.get(part));
  }
  return Object.fromEntries(values);
}

/** Objects are written as JSON in forms. */
function asJson(value: string): unknown {
  if (!/^[[{]/.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

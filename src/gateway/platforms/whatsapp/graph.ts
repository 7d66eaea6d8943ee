import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { PortError } from '../../../lib/port-error.ts';
import { fields, parsed, type Fields } from '../json-fields.ts';
import { oneTry, type TryRequest } from '../one-try.ts';
import { fromAnswer } from './errors.ts';

export interface GraphCall {
  readonly signal?: AbortSignal;
  readonly limitMs: number;
  /** Doing it twice does no harm. */
  readonly repeatable: boolean;
}

/** The Graph API with one token. No error tells the token. */
export class Graph {
  private readonly base: string;
  private readonly token: string;

  /** @throws PortError Config.Invalid for an address that is none. */
  constructor(apiUrl: string, token: string) {
    if (!URL.canParse(apiUrl) || !/^https?:$/.test(new URL(apiUrl).protocol)) {
      throw new PortError('Config.Invalid', 'gateway.whatsapp.apiUrl must be an http or https address.');
    }
    this.base = apiUrl.replace(/\/+$/, '');
    this.token = token;
  }

  get(path: string, call: GraphCall): Promise<Fields> {
    return this.ask(path, { method: 'GET', headers: {} }, call);
  }

  post(path: string, body: Fields, call: GraphCall): Promise<Fields> {
    const headers = { 'content-type': 'application/json' };
    return this.ask(path, { method: 'POST', headers, body: JSON.stringify(body) }, call);
  }

  async upload(path: string, form: FormData, call: GraphCall): Promise<Fields> {
    const encoded = new Response(form);
    const headers = { 'content-type': encoded.headers.get('content-type') ?? '' };
    return this.ask(path, { method: 'POST', headers, body: Buffer.from(await encoded.arrayBuffer()) }, call);
  }

  /** The bytes behind an address the API gave. The token goes nowhere unencrypted, except to the API itself. */
  async download(url: string, signal: AbortSignal): Promise<Readable> {
    const isSafe =
      URL.canParse(url) && (new URL(url).protocol === 'https:' || new URL(url).origin === new URL(this.base).origin);
    if (!isSafe) throw new PortError('Platform.MessageRejected', 'WhatsApp gave no usable address for this file.');
    let answer: Response;
    try {
      answer = await fetch(url, { headers: this.authorized({ 'user-agent': 'hermes' }), signal, redirect: 'error' });
    } catch {
      throw new PortError('Platform.Unavailable', 'WhatsApp did not hand over the file.');
    }
    if (answer.status === 200 && answer.body !== null)
      return Readable.fromWeb(answer.body as ReadableStream<Uint8Array>);
    await answer.body?.cancel();
    if (answer.status === 404 || answer.status === 410) {
      throw new PortError('Platform.MessageRejected', 'WhatsApp no longer has this file.');
    }
    throw fromAnswer({ status: answer.status, headers: {}, body: Buffer.alloc(0) }, true);
  }

  private async ask(path: string, request: TryRequest, call: GraphCall): Promise<Fields> {
    const headers = this.authorized(request.headers);
    const answer = await oneTry(`${this.base}/${path}`, { ...request, headers }, { name: 'WhatsApp', ...call });
    if (answer.status !== 200) throw fromAnswer(answer, call.repeatable);
    return fields(parsed(answer.body.toString('utf8')));
  }

  private authorized(headers: Readonly<Record<string, string>>): Record<string, string> {
    return { ...headers, authorization: `Bearer ${this.token}` };
  }
}

/** What a delivery is called towards WhatsApp: it comes back in the statuses of the message. */
export function callbackDataOf(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 32);
}

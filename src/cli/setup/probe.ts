import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Secret } from '../../config/secret.ts';

/** What a real request to a provider showed. */
export type Probe =
  /** `models` is null where the server answers but does not list its models. */
  { readonly ok: true; readonly models: readonly string[] | null } | { readonly ok: false; readonly reason: string };

export interface ProbeTarget {
  readonly baseUrl: string;
  readonly apiKey: Secret | null;
  readonly timeoutMs?: number;
}

/** Lists of models are long; anything beyond this is no such list. */
const maxBytes = 20_000_000;

/**
 * Asks `GET <baseUrl>/models`, which costs nothing and needs the key. OpenRouter lists its models to everybody, so there
 * the key is asked about itself first. Never throws; the reason never holds the key.
 */
export async function probeProvider(target: ProbeTarget): Promise<Probe> {
  const base = target.baseUrl.replace(/\/+$/, '');
  if (new URL(base).hostname === 'openrouter.ai') {
    const key = await get(`${base}/key`, target);
    if (!key.ok) return key;
  }
  const answer = await get(`${base}/models`, target);
  if (!answer.ok) return answer;
  if (answer.status === 404 || answer.status === 405) return { ok: true, models: null };
  const models = modelNames(answer.body);
  return models === null
    ? { ok: false, reason: `${base}/models answered, but not with a list of models` }
    : { ok: true, models };
}

type Answer =
  | { readonly ok: true; readonly status: number; readonly body: string }
  | { readonly ok: false; readonly reason: string };

async function get(url: string, { apiKey, timeoutMs = 10_000 }: ProbeTarget): Promise<Answer> {
  const { host, protocol } = new URL(url);
  try {
    const { status, body } = await fetchText(url, apiKey, timeoutMs);
    if (status === 401 || status === 403) {
      return {
        ok: false,
        reason: `${host} refuses ${apiKey === null ? 'to answer without a key' : 'the key'} (${status})`,
      };
    }
    if ((status >= 200 && status < 300) || status === 404 || status === 405) return { ok: true, status, body };
    return { ok: false, reason: `${host} answered with status ${status}` };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const words: Readonly<Record<string, string>> = {
      ENOTFOUND: `there is no host ${host}`,
      EAI_AGAIN: `the name ${host} cannot be looked up; is this machine online?`,
      ECONNREFUSED: `nothing listens at ${host}`,
      EPROTO: `${host} does not speak ${protocol.slice(0, -1)}`,
    };
    return {
      ok: false,
      reason: words[code] ?? `${host} cannot be reached: ${error instanceof Error ? error.message : code}`,
    };
  }
}

function fetchText(url: string, apiKey: Secret | null, timeoutMs: number): Promise<{ status: number; body: string }> {
  const request = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((done, reject) => {
    const headers = {
      accept: 'application/json',
      ...(apiKey === null ? {} : keyHeaders(new URL(url), apiKey.reveal())),
    };
    const sent = request(url, { headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      let size = 0;
      response.on('data', (part: Buffer) => {
        parts.push(part);
        size += part.length;
        if (size > maxBytes) sent.destroy(new Error('the answer is too long'));
      });
      response.on('error', reject);
      response.on('end', () => done({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }));
    });
    // For the whole exchange: a server that sends a byte now and then would keep an idle timer quiet.
    const timer = setTimeout(() => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    sent.on('error', reject);
    sent.on('close', () => clearTimeout(timer));
    sent.end();
  });
}

/** Anthropic's list of models is outside the interface that takes a bearer token. */
function keyHeaders({ hostname }: URL, key: string): Record<string, string> {
  if (hostname === 'api.anthropic.com') return { 'x-api-key': key, 'anthropic-version': '2023-06-01' };
  return { authorization: `Bearer ${key}` };
}

function modelNames(body: string): string[] | null {
  try {
    const { data } = JSON.parse(body) as { data?: unknown };
    if (!Array.isArray(data)) return null;
    return data.flatMap((entry: unknown) => {
      const id = (entry as { id?: unknown } | null)?.id;
      return typeof id === 'string' ? [id] : [];
    });
  } catch {
    // Not JSON: some other server listens at this address; the caller says so.
    return null;
  }
}

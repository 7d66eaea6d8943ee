import { networkCode } from './openai-errors.ts';
import { record, string } from './openai-answer.ts';

const maxErrorBodyBytes = 64 * 1024;

/**
 * `fetch` as the OpenAI SDK is given it. The SDK keeps an error's body only in OpenAI's own shape and forgets which
 * time-out struck; here every error body gets that shape and every network failure keeps its code.
 */
export async function fetchForSdk(url: string | URL | Request, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    const code = networkCode(error);
    // The SDK reads time-outs off an error's words and then drops the error, hence the plain words.
    throw code === '' ? error : Object.assign(new Error('fetch failed'), { code });
  }
  if (response.ok) return response;
  const headers = new Headers(response.headers);
  headers.delete('content-encoding');
  headers.delete('content-length');
  const body = JSON.stringify({ error: toOpenAiError(await readSome(response)) });
  return new Response(body, { status: response.status, statusText: response.statusText, headers });
}

async function readSome(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  if (response.body === null) return text;
  for await (const chunk of response.body as ReadableStream<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > maxErrorBodyBytes) break;
  }
  return text;
}

/** `{error: {…}}`, `{error: "…"}`, `{message}`, `{detail}`, `[{error}]`, MiniMax's `base_resp`, HTML: one shape for all. */
export function toOpenAiError(text: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return { message: text.slice(0, 2000) }; // proxies answer in HTML or plain text
  }
  const body = record(Array.isArray(parsed) ? parsed[0] : parsed);
  if (body === undefined) return { message: text.slice(0, 2000) };
  const error = body['error'] ?? body['detail'] ?? body['message'];
  const base = record(body['base_resp']);
  if (base !== undefined) return { code: String(base['status_code']), message: string(base['status_msg']) };
  const inner = record(error);
  if (inner !== undefined) return { ...inner };
  return {
    message: typeof error === 'string' ? error : JSON.stringify(error ?? body),
    code: body['code'] ?? null,
    type: body['type'] ?? null,
  };
}

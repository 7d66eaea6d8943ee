import type OpenAI from 'openai';
import type { FailureType } from '../../contracts/failure-types.ts';
import { PortError } from '../../lib/port-error.ts';

export interface EndpointOptions {
  /** Without `/audio/…`; null: the one of OpenAI. */
  readonly baseUrl: string | null;
  /** Null: requests carry no key. */
  readonly apiKey: string | null;
  readonly model: string;
}

type VoiceCode = Extract<FailureType, `Voice.${string}`>;

/** One request. The SDK is loaded with the first one and retries nothing. */
export async function askEndpoint(
  options: EndpointOptions,
  code: VoiceCode,
  ask: (client: OpenAI) => Promise<Response>,
): Promise<Response> {
  const { default: Client } = await import('openai');
  const client = new Client({
    baseURL: options.baseUrl ?? 'https://api.openai.com/v1',
    apiKey: options.apiKey ?? 'none',
    organization: null,
    project: null,
    maxRetries: 0,
    // Time is limited by the caller's signal, to the last byte; the SDK's own limit must not strike before.
    timeout: 2 ** 31 - 1,
    ...(options.apiKey === null ? { defaultHeaders: { Authorization: null } } : {}),
  });
  try {
    return await ask(client);
  } catch (error) {
    throw toPortError(error, options, code);
  }
}

/** Statuses after which the same request may succeed. */
const passing = new Set([408, 409, 425, 429]);
const quotedChars = 200;

function toPortError(error: unknown, { baseUrl, apiKey }: EndpointOptions, code: VoiceCode): PortError {
  const where = baseUrl === null ? 'OpenAI' : new URL(baseUrl).host;
  const status = error instanceof Error && 'status' in error && typeof error.status === 'number' ? error.status : null;
  if (status === null) {
    return new PortError(code, `${where} does not answer.`, { retryable: true });
  }
  const words = error instanceof Error ? error.message.slice(0, quotedChars) : '';
  const quoted = apiKey === null || apiKey === '' ? words : words.replaceAll(apiKey, '[key]');
  const retryable = status >= 500 || passing.has(status);
  return new PortError(code, `${where} refuses (status ${status}): ${quoted}`, { retryable, details: { status } });
}

/** Reads a body up to a limit. Null when there is more. */
export async function readBody(response: Response, maxBytes: number): Promise<Buffer | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  if (response.body === null) return Buffer.alloc(0);
  for await (const chunk of response.body as ReadableStream<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * Runs work under a time limit and the caller's signal. Rejects with PortErrors of that code and with the reason of the
 * caller's signal, with nothing else.
 */
export async function limited<T>(
  code: VoiceCode,
  limits: { readonly timeoutMs: number; readonly signal: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { timeoutMs, signal } = limits;
  signal.throwIfAborted();
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    return await work(AbortSignal.any([signal, timeout]));
  } catch (error) {
    signal.throwIfAborted();
    if (timeout.aborted) throw new PortError(code, `No answer within ${timeoutMs / 1000} s.`, { retryable: true });
    if (PortError.is(error)) throw error;
    throw new PortError(code, 'The connection broke off.', { retryable: true, cause: error });
  }
}

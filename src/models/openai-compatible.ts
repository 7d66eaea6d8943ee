import type OpenAI from 'openai';
import { PortError } from '../lib/port-error.ts';
import { createAnswerAssembly, record, string, type AnswerAssembly } from './openai-answer.ts';
import { mapOpenAiError, networkCode, StreamedError, type ErrorContext } from './openai-errors.ts';
import { fetchForSdk, toOpenAiError } from './openai-fetch.ts';
import { requestChars, toRequestBody, writtenTexts, type Quirks } from './openai-request.ts';
import type { GenerateControl, ModelAnswer, ModelDescription, ModelProvider, ModelRequest } from './provider.ts';
import { watchRequest, type RequestWatch } from './request-watch.ts';
import { createSseParser } from './sse.ts';

export interface OpenAiCompatibleOptions {
  readonly id: string;
  /** Without `/chat/completions`, e.g. `https://api.openai.com/v1`. */
  readonly baseUrl: string;
  /** Absent: requests carry no `Authorization`. */
  readonly apiKey?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Limit of one request from its first byte out to its last byte in. */
  readonly requestTimeoutMs?: number;
  /** Longest silence, before the first byte and between any two. */
  readonly stallTimeoutMs?: number;
  readonly quirks?: Quirks;
}

export interface WarmableProvider extends ModelProvider {
  /** Loads what the first request needs, without sending anything. Idempotent. */
  warmUp(): Promise<void>;
}

const defaultRequestTimeoutMs = 30 * 60_000;
const defaultStallTimeoutMs = 180_000;
const listTimeoutMs = 15_000;
/** Timers take no more; the SDK's own limit must never strike before ours. */
const neverMs = 2 ** 31 - 1;

/**
 * A model behind any endpoint that speaks OpenAI's chat completions. Always streams; never retries, except that a request
 * refused for a field the server does not know is repeated once without it, before any model has run.
 */
export function createOpenAiCompatible(options: OpenAiCompatibleOptions): WarmableProvider {
  const { requestTimeoutMs = defaultRequestTimeoutMs, stallTimeoutMs = defaultStallTimeoutMs } = options;
  const secrets = [options.apiKey ?? '', ...Object.values(options.headers ?? {})].filter(
    (secret) => secret.length >= 4,
  );
  const baseUrl = options.baseUrl.replace(/\/+$/, '');
  let quirks = options.quirks ?? {};
  let client: Promise<OpenAI> | undefined;

  const open = (): Promise<OpenAI> => (client ??= createClient({ ...options, baseUrl }));
  const contextFor = (model: string, written: readonly string[]): ErrorContext => ({
    provider: options.id,
    baseUrl: showableUrl(baseUrl),
    model,
    hasKey: options.apiKey !== undefined,
    secrets,
    written,
  });

  const send = async (request: ModelRequest, signal: AbortSignal): Promise<Response> => {
    const { chat } = await open();
    for (;;) {
      try {
        const body = toRequestBody(request, quirks) as unknown as OpenAI.ChatCompletionCreateParamsStreaming;
        return await chat.completions.create(body, { signal }).asResponse();
      } catch (error) {
        const conceded = concede(error, quirks);
        if (conceded === undefined) throw error;
        quirks = conceded;
      }
    }
  };

  return {
    id: options.id,
    async warmUp() {
      await open();
    },
    async generate(request, control) {
      const watch = watchRequest(control.signal, { requestTimeoutMs, stallTimeoutMs, provider: options.id });
      const context = contextFor(request.model, writtenTexts(request));
      try {
        const response = await send(request, watch.signal);
        watch.touch();
        return await readAnswer(response, { request, control, watch, context });
      } catch (error) {
        watch.hangUp();
        watch.throwIfEnded();
        throw mapOpenAiError(error, context);
      } finally {
        watch.close();
      }
    },
    async listModels(signal) {
      const limits = { requestTimeoutMs: Math.min(requestTimeoutMs, listTimeoutMs), stallTimeoutMs: listTimeoutMs };
      const watch = watchRequest(signal, { ...limits, provider: options.id });
      try {
        const page = await (await open()).models.list({ signal: watch.signal });
        return page.data.map(describeModel);
      } catch (error) {
        watch.throwIfEnded();
        throw mapOpenAiError(error, contextFor('', []));
      } finally {
        watch.close();
      }
    },
  };
}

async function createClient(options: OpenAiCompatibleOptions): Promise<OpenAI> {
  const { default: OpenAi } = await import('openai');
  return new OpenAi({
    baseURL: options.baseUrl,
    apiKey: options.apiKey ?? 'none',
    // Everything the SDK would else take from the environment belongs to another account.
    organization: null,
    project: null,
    adminAPIKey: null,
    webhookSecret: null,
    maxRetries: 0,
    timeout: neverMs,
    // Its log would carry prompts.
    logLevel: 'off',
    fetch: fetchForSdk,
    defaultHeaders: { ...(options.apiKey === undefined ? { authorization: null } : {}), ...options.headers },
  });
}

/** Gives way where a server refuses a field that does not matter, or wants one; undefined: nothing (more) to give. */
function concede(error: unknown, quirks: Quirks): Quirks | undefined {
  const status = record(error)?.['status'];
  if (status !== 400 && status !== 422) return undefined;
  const words = JSON.stringify(record(error)?.['error'] ?? '');
  if (quirks.streamUsage !== false && /stream_options|include_usage/.test(words)) {
    return { ...quirks, streamUsage: false };
  }
  if (quirks.maxTokensField === undefined && /max_tokens/.test(words) && /max_completion_tokens/.test(words)) {
    return { ...quirks, maxTokensField: 'max_completion_tokens' };
  }
  if (quirks.reasoningPlaceholder !== true && /reasoning_content/.test(words)) {
    return { ...quirks, reasoningPlaceholder: true };
  }
  return undefined;
}

interface Reading {
  readonly request: ModelRequest;
  readonly control: GenerateControl;
  readonly watch: RequestWatch;
  readonly context: ErrorContext;
}

async function readAnswer(response: Response, reading: Reading): Promise<ModelAnswer> {
  const assembly = createAnswerAssembly(reading.control.onDelta);
  const contentType = response.headers.get('content-type') ?? '';
  const outcome = contentType.includes('application/json')
    ? await readWhole(response, assembly, reading)
    : await readStream(response, assembly, reading);
  const { provider, model } = reading.context;
  if (outcome === 'cut') {
    throw new PortError('Model.Unavailable', `${provider} broke off its answer.`, { details: { provider, model } });
  }
  const answer = assembly.finish({ model, inputChars: requestChars(reading.request) });
  if (answer.text.trim() === '' && answer.toolCalls.length === 0) {
    const code = answer.finishReason === 'content-filter' ? 'Model.Refused' : 'Model.BadAnswer';
    throw new PortError(code, emptyMessage(provider, answer), {
      details: { provider, model, finishReason: answer.finishReason, reasoningChars: answer.reasoning.length },
    });
  }
  return answer;
}

function emptyMessage(provider: string, answer: ModelAnswer): string {
  if (answer.finishReason === 'content-filter') return `${provider} refused to answer by its content policy.`;
  return answer.reasoning === ''
    ? `${provider} answered with nothing.`
    : `${provider} ended after its reasoning, without an answer.`;
}

/** For servers that answer a streaming request in one piece. */
async function readWhole(response: Response, assembly: AnswerAssembly, reading: Reading): Promise<'done'> {
  const chunks: string[] = [];
  const decoder = new TextDecoder();
  for await (const bytes of response.body as ReadableStream<Uint8Array>) {
    reading.watch.touch();
    chunks.push(decoder.decode(bytes, { stream: true }));
  }
  acceptEvent(chunks.join(''), assembly, reading.context);
  return 'done';
}

async function readStream(response: Response, assembly: AnswerAssembly, reading: Reading): Promise<'done' | 'cut'> {
  const seen = { events: 0, done: false };
  const parser = createSseParser((data, complete) => {
    if (seen.done) return;
    seen.events += 1;
    if (data.startsWith('[DONE]')) seen.done = true;
    else if (complete || isJson(data)) acceptEvent(data, assembly, reading.context);
  });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let bytes = 0;
  while (!seen.done) {
    const chunk = await readChunk(reader, reading.watch.signal);
    // What would have come after the finish reason is no loss.
    if (chunk === 'broken' && !assembly.finished) return 'cut';
    if (typeof chunk === 'string') break;
    reading.watch.touch();
    bytes += chunk.length;
    parser.push(chunk);
  }
  parser.end();
  if (seen.done) reading.watch.release(reader);
  if (seen.events === 0 && bytes > 0) {
    const { provider, baseUrl } = reading.context;
    throw new PortError('Model.BadAnswer', `${provider} sent something that is no event stream.`, {
      details: { provider, hint: `Check the base URL: ${baseUrl}` },
    });
  }
  return seen.done || assembly.finished ? 'done' : 'cut';
}

async function readChunk(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  signal: AbortSignal,
): Promise<Uint8Array | 'end' | 'broken'> {
  try {
    const { value, done } = await reader.read();
    return done ? 'end' : value;
  } catch (error) {
    if (signal.aborted || networkCode(error) === '') throw error;
    return 'broken';
  }
}

function acceptEvent(data: string, assembly: AnswerAssembly, context: ErrorContext): void {
  let parsed: unknown;
  try {
    parsed = JSON.parse(data);
  } catch {
    // The parser's message would quote the answer.
    throw new PortError('Model.BadAnswer', `${context.provider} sent broken JSON.`, {
      details: { provider: context.provider, model: context.model, chars: data.length },
    });
  }
  const chunk = record(parsed);
  if (chunk === undefined) return;
  if (carriesError(chunk)) throw new StreamedError(toOpenAiError(data));
  assembly.accept(chunk);
}

function carriesError(chunk: Readonly<Record<string, unknown>>): boolean {
  if (chunk['error'] !== undefined && chunk['error'] !== null) return true;
  if (chunk['choices'] !== undefined) return false;
  const baseCode = record(chunk['base_resp'])?.['status_code'];
  return chunk['object'] === 'error' || (typeof baseCode === 'number' && baseCode !== 0);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // an event cut in the middle
  }
}

const contextFields = ['context_length', 'context_window', 'max_model_len', 'max_context_length'];

function describeModel(model: object): ModelDescription {
  const fields = record(model) ?? {};
  const contextTokens = contextFields.map((name) => fields[name]).find((value) => typeof value === 'number');
  return { name: string(fields['id']), ...(contextTokens === undefined ? {} : { contextTokens }) };
}

/** The base URL without what may be secret in it. */
function showableUrl(baseUrl: string): string {
  if (!URL.canParse(baseUrl)) return baseUrl.slice(0, 200).replace(/\/\/[^/@]*@/, '//');
  const url = new URL(baseUrl);
  return `${url.origin}${url.pathname === '/' ? '' : url.pathname}`;
}

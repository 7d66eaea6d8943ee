import { APIError } from 'openai';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { FailureType } from '../../../src/contracts/failure-types.ts';
import { mapOpenAiError, StreamedError, type ErrorContext } from '../../../src/models/openai-errors.ts';

const context: ErrorContext = {
  provider: 'acme',
  baseUrl: 'https://api.acme.test/v1',
  model: 'acme-1',
  hasKey: true,
  secrets: ['sk-secret-key'],
  written: ['The words of the person.'],
};

function http(status: number, error: Record<string, unknown> | undefined, headers: Record<string, string> = {}) {
  return mapOpenAiError(APIError.generate(status, { error }, undefined, new Headers(headers)), context);
}

const rows: readonly [string, number, Record<string, unknown> | undefined, FailureType][] = [
  ['a wrong key', 401, { message: 'Incorrect API key provided', code: 'invalid_api_key' }, 'Model.Authentication'],
  ['a forbidden model', 403, { message: 'Project does not have access' }, 'Model.Authentication'],
  [
    'a wrong key at Gemini',
    400,
    { message: 'API key not valid. Please pass a valid API key.' },
    'Model.Authentication',
  ],
  ['an unpaid account', 402, { message: 'This request requires more credits' }, 'Model.QuotaExceeded'],
  [
    'an empty account at OpenAI',
    429,
    { message: 'You exceeded your current quota', code: 'insufficient_quota' },
    'Model.QuotaExceeded',
  ],
  [
    'an empty account at Anthropic',
    400,
    { message: 'Your credit balance is too low to access the API' },
    'Model.QuotaExceeded',
  ],
  [
    'an empty account at z.ai',
    429,
    { message: 'Insufficient balance or no resource package', code: '1113' },
    'Model.QuotaExceeded',
  ],
  ['a spent key at OpenRouter', 403, { message: 'Key limit exceeded (total limit)', code: 403 }, 'Model.QuotaExceeded'],
  [
    'an unknown model at OpenAI',
    404,
    { message: 'The model `acme-1` does not exist', code: 'model_not_found' },
    'Model.InvalidRequest',
  ],
  [
    'an unknown model at OpenRouter',
    400,
    { message: 'acme-1 is not a valid model ID', code: 400 },
    'Model.InvalidRequest',
  ],
  [
    'no tools at OpenRouter',
    404,
    { message: 'No endpoints found that support tool use.', code: 404 },
    'Model.InvalidRequest',
  ],
  ['a bad request', 400, { message: "Invalid value for 'temperature'" }, 'Model.InvalidRequest'],
  ['an unprocessable one', 422, { message: 'top_p: must be a number' }, 'Model.InvalidRequest'],
  ['a slow client', 408, undefined, 'Model.Timeout'],
  ['a slow gateway', 504, undefined, 'Model.Timeout'],
  ['a conflict', 409, undefined, 'Model.Unavailable'],
  ['a large body', 413, { message: 'Request Entity Too Large' }, 'Model.ContextTooLong'],
  ['a limit', 429, { message: 'Rate limit reached' }, 'Model.RateLimited'],
  ['a limit at MiniMax', 200 + 229, { message: 'rate limit', code: '1002' }, 'Model.RateLimited'],
  ['a crash', 500, { message: 'The server had an error' }, 'Model.Unavailable'],
  ['a bad gateway', 502, undefined, 'Model.Unavailable'],
  ['load', 503, { message: 'server busy, please try again' }, 'Model.Overloaded'],
  ['load at Anthropic', 529, { message: 'Overloaded', type: 'overloaded_error' }, 'Model.Overloaded'],
  [
    'load at Kimi',
    429,
    { message: 'The engine is currently overloaded', type: 'engine_overloaded_error' },
    'Model.Overloaded',
  ],
  ['a filter at Azure', 400, { message: 'The response was filtered', code: 'content_filter' }, 'Model.Refused'],
  [
    'moderation at OpenRouter',
    403,
    { message: 'Your input was flagged', metadata: { reasons: ['violence'] } },
    'Model.Refused',
  ],
  [
    'a policy at OpenAI',
    400,
    {
      message: 'Invalid prompt: your prompt was flagged as potentially violating our usage policy',
      code: 'invalid_prompt',
    },
    'Model.Refused',
  ],
];

const tooLong: readonly [string, number, string, string?][] = [
  [
    'OpenAI',
    400,
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.",
    'context_length_exceeded',
  ],
  [
    'OpenAI, newer',
    400,
    'Your input exceeds the context window of this model. Please adjust your input and try again.',
  ],
  [
    'OpenAI, over its limit per minute',
    429,
    'Request too large for acme-1 on tokens per min (TPM): Limit 30000, Requested 41000.',
  ],
  [
    'OpenRouter',
    400,
    "This endpoint's maximum context length is 131072 tokens. However, you requested about 140000 tokens",
  ],
  ['Anthropic', 400, 'prompt is too long: 210000 tokens > 200000 maximum'],
  ['Anthropic, with its answer', 400, 'input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000'],
  ['llama.cpp', 400, 'request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it'],
  ['llama.cpp, in mid-answer', 500, 'Context size has been exceeded.'],
  ['Ollama', 400, 'input length exceeds maximum context length'],
  ['Ollama, newer', 400, 'prompt too long; exceeded max context length by 12 tokens'],
  ['LM Studio', 400, 'The number of tokens to keep from the initial prompt is greater than the context length.'],
  ['Kimi', 400, 'Invalid request: Your request exceeded model token limit: 8192'],
  ['MiniMax', 400, 'invalid params, context window exceeds limit (2013)'],
  ['Gemini', 400, 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).'],
  [
    'Mistral',
    400,
    'Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length',
  ],
];

describe('every answer of a server has its code', () => {
  it.each(rows)('%s (%i)', (_title, status, error, code) => {
    expect(http(status, error).code).toBe(code);
  });

  it.each(tooLong)('a conversation that is too long for %s', (_title, status, message, code) => {
    const error = http(status, { message, ...(code === undefined ? {} : { code }) });
    expect([error.code, error.retryable]).toEqual(['Model.ContextTooLong', false]);
  });

  it('what an upstream says behind OpenRouter counts too', () => {
    const raw = JSON.stringify({ error: { message: 'prompt is too long: 210000 tokens > 200000 maximum' } });
    expect(http(400, { message: 'Provider returned error', code: 400, metadata: { raw } }).code).toBe(
      'Model.ContextTooLong',
    );
  });

  it('an error event of the stream is one too', () => {
    const codes = [
      { message: 'Overloaded', type: 'overloaded_error' },
      { message: 'slow down', code: 429 },
      { message: 'Rate limit', code: 'rate_limit_exceeded' },
      { message: 'boom', code: 'server_error' },
      'just words',
    ].map((body) => mapOpenAiError(new StreamedError(body), context).code);
    expect(codes).toEqual([
      'Model.Overloaded',
      'Model.RateLimited',
      'Model.RateLimited',
      'Model.Unavailable',
      'Model.Unavailable',
    ]);
  });
});

describe('every failure of the network has its code', () => {
  const network = (code: string) =>
    Object.assign(new TypeError('fetch failed'), { cause: Object.assign(new Error('deep'), { code }) });

  it.each([
    ['ECONNREFUSED', 'Model.Unavailable', /https:\/\/api\.acme\.test\/v1: nothing listens there/],
    ['ENOTFOUND', 'Model.Unavailable', /acme\.test.*host name is not known/],
    ['ECONNRESET', 'Model.Unavailable', /acme\.test.*the connection broke/],
    ['UND_ERR_CONNECT_TIMEOUT', 'Model.Unavailable', /acme\.test.*does not answer/],
    ['UND_ERR_SOCKET', 'Model.Unavailable', /acme\.test/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'Model.Unavailable', /acme\.test.*certificate/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'Model.Unavailable', /acme\.test.*certificate/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'Model.Unavailable', /acme\.test.*TLS.*http:\/\//],
    ['UND_ERR_HEADERS_TIMEOUT', 'Model.Stalled', /silent/],
    ['ERR_INVALID_URL', 'Model.InvalidRequest', /no URL/],
  ])('%s', (code, expected, words) => {
    const error = mapOpenAiError(network(code), context);
    expect([error.code, error.details['network']]).toEqual([expected, code]);
    expect(error.message).toMatch(words);
  });

  it('a bug of this program does not pass for one', () => {
    expect(mapOpenAiError(new TypeError('x is not a function'), context).code).toBe('Internal.Invariant');
    expect(mapOpenAiError(network('ERR_INVALID_ARG_TYPE'), context).code).toBe('Internal.Invariant');
  });
});

describe('the time to wait', () => {
  afterEach(() => vi.useRealTimers());
  const now = Date.parse('2026-01-01T00:00:00Z');

  it.each([
    [{ 'retry-after': '3' }, {}, 3000],
    [{ 'retry-after': '0.5' }, {}, 500],
    [{ 'retry-after-ms': '1500', 'retry-after': '9' }, {}, 1500],
    [{ 'retry-after': 'Thu, 01 Jan 2026 00:00:10 GMT' }, {}, 10_000],
    [{ 'retry-after': 'Wed, 31 Dec 2025 00:00:00 GMT' }, {}, 0],
    [{ 'retry-after': '99999999' }, {}, 86_400_000],
    [{}, { message: 'Rate limit reached. Please try again in 1m2.5s.' }, 62_500],
    [{}, { message: 'Please try again in 312ms.' }, 312],
    [{}, { message: 'Please retry in 20s' }, 20_000],
    [{}, { metadata: { headers: { 'X-RateLimit-Reset': String(now + 4000) } } }, 4000],
    [{ 'retry-after': 'soon' }, {}, undefined],
    [{}, {}, undefined],
  ])('is read from %j %j', (headers, error, expected) => {
    vi.useFakeTimers({ now });
    expect(http(429, { message: 'slow down', ...error }, headers as Record<string, string>).retryAfterMs).toBe(
      expected,
    );
  });

  it('is kept for an overloaded server as well', () => {
    expect(http(503, undefined, { 'retry-after': '2' }).retryAfterMs).toBe(2000);
  });
});

describe('details', () => {
  it('say what is safe to say', () => {
    const error = http(404, { message: 'model not found', code: 'model_not_found' }, { 'x-request-id': 'req_1' });
    expect(error.details).toMatchObject({
      provider: 'acme',
      model: 'acme-1',
      status: 404,
      vendorCode: 'model_not_found',
      reason: 'model-not-found',
      requestId: 'req_1',
    });
  });

  it('leave out codes that are sentences', () => {
    expect(http(400, { message: 'no', code: 'The words of the person.' }).details).not.toHaveProperty('vendorCode');
  });

  it('name the command that fetches a missing model of Ollama', () => {
    const error = APIError.generate(404, { error: { message: 'model "x" not found' } }, undefined, new Headers());
    expect(mapOpenAiError(error, { ...context, provider: 'ollama', model: 'x' }).message).toContain('ollama pull x');
  });

  it('tell a missing key from a wrong one', () => {
    const error = APIError.generate(401, { error: { message: 'no' } }, undefined, new Headers());
    expect(mapOpenAiError(error, { ...context, hasKey: false }).message).toContain('wants an API key');
    expect(mapOpenAiError(error, context).message).toContain('does not accept');
  });
});

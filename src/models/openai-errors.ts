import type { FailureType } from '../contracts/failure-types.ts';
import type { JsonValue } from '../contracts/json.ts';
import { PortError } from '../lib/port-error.ts';
import { record, string } from './openai-answer.ts';
import { redactWritten } from './redact-written.ts';

/** What an error must be told with, and what it must not tell. */
export interface ErrorContext {
  readonly provider: string;
  readonly baseUrl: string;
  readonly model: string;
  readonly hasKey: boolean;
  /** Keys and what headers carry; never in an error. */
  readonly secrets: readonly string[];
  /** What people and tools wrote into the request; never in an error. */
  readonly written: readonly string[];
}

/** What is known of a failure, wherever it came from: an HTTP answer, an event in the stream, the network. */
interface Facts {
  readonly status: number | undefined;
  readonly code: string;
  readonly type: string;
  /** The vendor's words: for recognising, and quoted only after redaction. */
  readonly words: string;
  readonly headers: Headers | undefined;
  readonly resetAtMs: number | undefined;
  readonly requestId: string;
  readonly network: string;
}

interface Row {
  readonly when: (facts: Facts) => boolean;
  readonly code: FailureType;
  /** What happened; the subject is the provider. */
  readonly say: (context: ErrorContext, facts: Facts) => string;
  readonly hint?: (context: ErrorContext, facts: Facts) => string;
  /** For callers that decide by more than the code. */
  readonly reason?: string;
  readonly quote?: boolean;
}

const says = (pattern: RegExp) => (facts: Facts) => pattern.test(facts.words);
const hasStatus =
  (...codes: number[]) =>
  (facts: Facts) =>
    facts.status !== undefined && codes.includes(facts.status);
const hasCode =
  (...codes: string[]) =>
  (facts: Facts) =>
    codes.includes(facts.code) || codes.includes(facts.type);
const any =
  (...tests: ((facts: Facts) => boolean)[]) =>
  (facts: Facts) =>
    tests.some((test) => test(facts));
const both =
  (...tests: ((facts: Facts) => boolean)[]) =>
  (facts: Facts) =>
    tests.every((test) => test(facts));
const isClientError = (facts: Facts) => facts.status === undefined || (facts.status >= 400 && facts.status < 500);

const tooLong = new RegExp(
  [
    'maximum context length', // OpenAI, vLLM, DeepSeek, OpenRouter
    'exceeds? the context window', // OpenAI responses
    'prompt is too long', // Anthropic
    'input length and `?max_tokens`? exceed context limit', // Anthropic
    'exceeds? the available context size', // llama.cpp
    'context size has been exceeded', // llama.cpp
    'exceed context window of', // llama-cpp-python
    'exceeds?( the)?( maximum| max)? context length', // Ollama
    'exceeded max context length', // Ollama
    'greater than the context length', // LM Studio
    'context the overflows', // LM Studio
    'exceeded model token limit', // Kimi
    'context window exceeds limit', // MiniMax
    'prompt exceeds max length', // z.ai
    'input token count .* exceeds', // Gemini
    'tokens .* too large for model', // Mistral
    'reduce the length of the messages', // Groq
    // A limit per minute that one request alone is over: waiting never helps, a shorter request does.
    'request too large.*tokens per min',
  ].join('|'),
  'is',
);

/** First row that fits, from the telling to the vague. */
const rows: readonly Row[] = [
  {
    when: any(
      hasCode(
        'content_filter',
        'content_policy_violation',
        'invalid_prompt',
        'data_inspection_failed',
        '1301',
        '1026',
        '1027',
      ),
      both(
        isClientError,
        says(/content[ _]filter|content management policy|usage polic(y|ies)|requires moderation|flagged/i),
      ),
    ),
    code: 'Model.Refused',
    say: () => 'refused this request by its content policy.',
  },
  {
    when: any(
      hasCode('context_length_exceeded', 'exceed_context_size_error', 'string_above_max_length', '1261'),
      says(tooLong),
      hasStatus(413),
    ),
    code: 'Model.ContextTooLong',
    say: (context) => `says that the conversation is longer than ${context.model} can read.`,
  },
  {
    when: any(
      hasStatus(402),
      hasCode(
        'insufficient_quota',
        'billing_hard_limit_reached',
        'billing_not_active',
        'insufficient_balance',
        '1113',
        '1008',
      ),
      says(
        /insufficient[ _](credit|balance|quota|funds)|exceeded your current quota|credit balance is too low|key limit exceeded|payment required/i,
      ),
    ),
    code: 'Model.QuotaExceeded',
    say: () => 'says that the account has no credit or quota left.',
    hint: () => 'Top up the account, or choose another model.',
  },
  {
    when: any(
      hasStatus(401),
      hasCode('invalid_api_key', 'authentication_error', '1004'),
      both(isClientError, says(/(invalid|incorrect|missing|expired)[^.]{0,20}api[ _-]?key|api[ _-]?key not valid/i)),
    ),
    code: 'Model.Authentication',
    say: (context) => (!context.hasKey ? 'wants an API key.' : 'does not accept the API key.'),
    hint: (context) => `Set a valid key for ${context.provider}.`,
  },
  {
    when: hasStatus(403),
    code: 'Model.Authentication',
    say: (context) => `does not let this API key use ${context.model}.`,
    hint: () => 'The key may lack the right, or the region is not served.',
  },
  {
    when: says(/not support tool|support tool use|tool(s| calling| use)? (is|are) not supported/i),
    code: 'Model.InvalidRequest',
    say: (context) => `says that ${context.model} cannot call tools.`,
    hint: () => 'Choose a model that can.',
    reason: 'tools-unsupported',
  },
  {
    when: any(
      hasCode('model_not_found', 'invalid_model', '1211'),
      both(
        isClientError,
        says(
          /not a valid model id|model\b.{0,120}?(not found|does not exist|not exist|unknown)|(unknown|no such) model/is,
        ),
      ),
      both(hasStatus(404), says(/model/i)),
    ),
    code: 'Model.InvalidRequest',
    say: (context) => `has no model named ${context.model}.`,
    hint: (context) =>
      context.provider === 'ollama'
        ? `Fetch it with: ollama pull ${context.model}`
        : 'Choose one of the models the endpoint lists.',
    reason: 'model-not-found',
  },
  {
    when: hasStatus(404, 405),
    code: 'Model.InvalidRequest',
    say: (context) => `has no chat completions at ${context.baseUrl}.`,
    hint: () => 'Check the base URL; most end in /v1.',
    reason: 'endpoint-not-found',
  },
  {
    when: any(
      hasStatus(503, 529),
      hasCode('overloaded_error', 'engine_overloaded_error', 'engine_overloaded', 'server_overloaded', '1305'),
    ),
    code: 'Model.Overloaded',
    say: () => 'is overloaded.',
  },
  { when: hasStatus(408, 504, 524), code: 'Model.Timeout', say: () => 'took too long to answer.' },
  {
    when: any(hasStatus(429), hasCode('rate_limit_exceeded', 'rate_limit_error', 'rate_limit_reached_error', '1002')),
    code: 'Model.RateLimited',
    say: () => 'limits how often it may be asked.',
  },
  { when: hasStatus(409), code: 'Model.Unavailable', say: () => 'is busy with a conflicting request.' },
  {
    when: (facts) => facts.status !== undefined && facts.status >= 500,
    code: 'Model.Unavailable',
    say: () => 'has an internal error.',
  },
  {
    when: (facts) => facts.status !== undefined && facts.status >= 400,
    code: 'Model.InvalidRequest',
    say: () => 'rejects the request.',
    quote: true,
  },
  {
    when: (facts) => /HEADERS_TIMEOUT|BODY_TIMEOUT/.test(facts.network),
    code: 'Model.Stalled',
    say: () => 'went silent.',
  },
  {
    when: (facts) => facts.network === 'ERR_INVALID_URL',
    code: 'Model.InvalidRequest',
    say: (context) => `cannot be asked: ${context.baseUrl} is no URL.`,
    reason: 'endpoint-not-found',
  },
  {
    when: (facts) => facts.network !== '',
    code: 'Model.Unavailable',
    say: (context, facts) => `cannot be reached at ${context.baseUrl}: ${networkWords(facts.network)}.`,
    hint: (_context, facts) => networkHint(facts.network),
  },
];

/** An error event in the stream without a known code: the server gave up in the middle. */
const lastRow: Row = {
  when: () => true,
  code: 'Model.Unavailable',
  say: () => 'broke off its answer with an error.',
  quote: true,
};

const networkTexts: readonly (readonly [RegExp, string, string])[] = [
  [/ECONNREFUSED/, 'nothing listens there', 'Is the server running, and is the port right?'],
  [/ENOTFOUND|EAI_AGAIN/, 'the host name is not known', 'Check the base URL and the network.'],
  [/EHOSTUNREACH|ENETUNREACH|ENETDOWN/, 'there is no way to that host', 'Check the network.'],
  [/CONNECT_TIMEOUT|ETIMEDOUT/, 'the host does not answer', 'Check the base URL and the network.'],
  [/WRONG_VERSION|EPROTO|ERR_SSL/, 'it does not speak TLS', 'Check whether the base URL wants http:// or https://.'],
  [
    /CERT|SELF_SIGNED|UNABLE_TO_|TLS/,
    'its TLS certificate is not trusted',
    'Check the certificate, or set NODE_EXTRA_CA_CERTS.',
  ],
];

function networkWords(network: string): string {
  return networkTexts.find(([pattern]) => pattern.test(network))?.[1] ?? 'the connection broke';
}

function networkHint(network: string): string {
  return networkTexts.find(([pattern]) => pattern.test(network))?.[2] ?? 'Trying again may help.';
}

/**
 * The one place that turns what the SDK, the network or a stream event says into a {@link PortError}.
 * Message and details carry neither key nor anything people wrote; the vendor's error is therefore not attached as cause.
 */
export function mapOpenAiError(error: unknown, context: ErrorContext): PortError {
  if (PortError.is(error)) return error;
  const facts = readFacts(error);
  if (facts === undefined) {
    return new PortError('Internal.Invariant', 'The model adapter failed by itself.', { cause: error });
  }
  const row = rows.find((candidate) => candidate.when(facts)) ?? lastRow;
  const hint = row.hint?.(context, facts);
  const quoted = row.quote === true ? redactWritten(facts.words, context) : '';
  const retryAfterMs = readRetryAfterMs(facts);
  const details: Record<string, JsonValue> = {
    provider: context.provider,
    model: context.model,
    ...(facts.status === undefined ? {} : { status: facts.status }),
    ...(isIdentifier(facts.code) ? { vendorCode: facts.code } : {}),
    ...(facts.network === '' ? {} : { network: facts.network }),
    ...(isIdentifier(facts.requestId) ? { requestId: facts.requestId } : {}),
    ...(row.reason === undefined ? {} : { reason: row.reason }),
    ...(hint === undefined ? {} : { hint }),
  };
  const words = [
    `${context.provider} ${row.say(context, facts)}`,
    quoted === '' ? undefined : `It says: ${quoted}`,
    hint,
  ];
  return new PortError(row.code, words.filter((part) => part !== undefined).join(' '), {
    details,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** An error that came as an event of the stream, or in the body of an answer with status 200. */
export class StreamedError extends Error {
  readonly body: unknown;
  constructor(body: unknown) {
    super('The stream carries an error.');
    this.body = body;
  }
}

function readFacts(error: unknown): Facts | undefined {
  if (error instanceof StreamedError) return factsOfBody(error.body, undefined, undefined);
  const fields = record(error);
  if (fields === undefined) return undefined;
  if (typeof fields['status'] === 'number') {
    const headers = fields['headers'] instanceof Headers ? fields['headers'] : undefined;
    return factsOfBody(fields['error'], fields['status'], headers);
  }
  const network = networkCode(error);
  return network === '' ? undefined : { ...noFacts, network };
}

const noFacts: Facts = {
  status: undefined,
  code: '',
  type: '',
  words: '',
  headers: undefined,
  resetAtMs: undefined,
  requestId: '',
  network: '',
};

function factsOfBody(body: unknown, status: number | undefined, headers: Headers | undefined): Facts {
  const fields = record(body) ?? { message: body };
  const metadata = record(fields['metadata']);
  const raw = metadata?.['raw'];
  const numeric = Number(fields['code']);
  const reset = Number(record(metadata?.['headers'])?.['X-RateLimit-Reset']);
  return {
    ...noFacts,
    // OpenRouter and llama.cpp put the status into `code` of an event.
    status: status ?? (numeric >= 400 && numeric < 600 ? numeric : undefined),
    code: typeof fields['code'] === 'number' ? String(fields['code']) : string(fields['code']),
    type: string(fields['type']),
    words: [string(fields['message']), typeof raw === 'string' ? raw : raw === undefined ? '' : JSON.stringify(raw)]
      .filter((part) => part !== '')
      .join(' '),
    headers,
    resetAtMs: Number.isFinite(reset) && reset > 0 ? reset : undefined,
    requestId: headers?.get('x-request-id') ?? '',
  };
}

/** Other codes of Node are bugs of this program and must not pass for a network that may come back. */
const networkCodes =
  /^(E(?!RR_)[A-Z_]+|UND_ERR_\w+|HPE_\w+|.*(CERT|SELF_SIGNED|UNABLE_TO)\w*|ERR_(SSL|TLS)\w*|ERR_INVALID_URL|ERR_STREAM_PREMATURE_CLOSE)$/;

/** Node's and undici's error code, from wherever in the chain of causes it stands. */
export function networkCode(error: unknown): string {
  let name = '';
  for (let at = record(error), depth = 0; at !== undefined && depth < 8; at = record(at['cause']), depth += 1) {
    const code =
      string(at['code']) || string((Array.isArray(at['errors']) ? record(at['errors'][0]) : undefined)?.['code']);
    if (networkCodes.test(code)) return code;
    if (code.startsWith('ERR_')) return '';
    const message = string(at['message']);
    if (/^(terminated|fetch failed|other side closed|connection error)/i.test(message)) name = 'ERR_CONNECTION';
  }
  return name;
}

const maxRetryAfterMs = 24 * 3_600_000;

function readRetryAfterMs(facts: Facts): number | undefined {
  const inMs = Number(facts.headers?.get('retry-after-ms') ?? Number.NaN);
  const after = facts.headers?.get('retry-after') ?? '';
  const seconds = after === '' ? Number.NaN : Number(after);
  const date = Date.parse(after);
  const candidates = [
    inMs,
    seconds * 1000,
    Number.isNaN(seconds) ? date - Date.now() : Number.NaN,
    facts.resetAtMs === undefined ? Number.NaN : facts.resetAtMs - Date.now(),
    spokenDelayMs(facts.words),
  ];
  const found = candidates.find((value) => Number.isFinite(value));
  return found === undefined ? undefined : Math.min(Math.max(0, Math.ceil(found)), maxRetryAfterMs);
}

/** "Please try again in 1m2.5s", "… in 312ms". */
function spokenDelayMs(words: string): number {
  const match = /(?:try again|retry)\s+(?:in|after)\s+(?:(\d+)m(?!s))?\s*(?:(\d+(?:\.\d+)?)\s*(ms|s)\b)?/i.exec(words);
  if (!match || (match[1] === undefined && match[2] === undefined)) return Number.NaN;
  return Number(match[1] ?? 0) * 60_000 + Number(match[2] ?? 0) * (match[3]?.toLowerCase() === 'ms' ? 1 : 1000);
}

/** Short machine words only: an identifier cannot carry a sentence somebody wrote. */
function isIdentifier(value: string): boolean {
  return /^[\w.:-]{1,80}$/.test(value);
}

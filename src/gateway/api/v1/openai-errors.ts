import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Answer } from '../../../contracts/api.ts';
import { headersOf, type Told } from '../errors.ts';

/** An error in OpenAI's shape. */
interface OpenAiError {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
}

const typeOfStatus = new Map<number, string>([
  [401, 'authentication_error'],
  [403, 'permission_error'],
  [404, 'not_found_error'],
  [429, 'rate_limit_error'],
]);

/** Codes that OpenAI's own clients look for. */
const knownCodes = new Map<string, string>([
  ['Api.Unauthorized', 'invalid_api_key'],
  ['Api.NotSupported', 'unsupported_parameter'],
  ['Model.ContextTooLong', 'context_length_exceeded'],
  ['Model.RateLimited', 'rate_limit_exceeded'],
  ['Model.QuotaExceeded', 'insufficient_quota'],
]);

export function openAiErrorOf(c: Context, told: Told): Response {
  const message = told.hint === undefined ? told.message : `${told.message} ${told.hint}`;
  const error = openAiError(told.status, told.code, message, told.param ?? null);
  return c.json({ error }, told.status, headersOf(told));
}

/** A turn that did not come to an answer. */
export interface FailedTurn {
  readonly status: ContentfulStatusCode;
  readonly error: OpenAiError;
}

export function failedTurn(answer: Answer): FailedTurn {
  if (answer.state === 'interrupted') {
    const error = openAiError(409, 'turn_interrupted', answer.text === '' ? 'The turn was interrupted.' : answer.text);
    return { status: 409, error };
  }
  const code = answer.errorCode ?? 'Internal.Invariant';
  const status = turnStatus(code);
  return { status, error: openAiError(status, code, answer.text === '' ? 'The turn failed.' : answer.text) };
}

/**
 * Sent with a failed turn: OpenAI's clients would otherwise repeat the request by themselves, and each repeat would be
 * a turn of its own.
 */
export const doNotRetry = { 'x-should-retry': 'false' };

function turnStatus(code: string): ContentfulStatusCode {
  if (code === 'Model.RateLimited' || code === 'Model.QuotaExceeded') return 429;
  if (code === 'Model.ContextTooLong' || code === 'Model.Refused' || code === 'Model.InvalidRequest') return 400;
  return code.startsWith('Model.') ? 502 : 500;
}

function openAiError(status: number, code: string, message: string, param: string | null = null): OpenAiError {
  const type = typeOfStatus.get(status) ?? (status < 500 ? 'invalid_request_error' : 'server_error');
  return { message, type, param, code: knownCodes.get(code) ?? code };
}

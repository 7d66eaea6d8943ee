import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { ZodError } from 'zod';
import type { ApiError } from '../../contracts/api.ts';
import { PortError } from '../../lib/port-error.ts';
import { Refusal, type RefusalCode } from '../refusal.ts';

const refusalStatus: Record<RefusalCode, ContentfulStatusCode> = {
  'Api.Invalid': 400,
  'Api.Unauthorized': 401,
  'Api.HostRefused': 403,
  'Api.NotFound': 404,
  'Api.MethodNotAllowed': 405,
  'Api.Conflict': 409,
  'Api.TooLarge': 413,
  'Api.UnsupportedMediaType': 415,
  'Api.KeyReused': 422,
  'Api.NotSupported': 400,
  'Api.Closing': 503,
};

/** An error as it leaves the service: no stack, no cause. */
export interface Told {
  readonly status: ContentfulStatusCode;
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly param?: string;
  readonly retryAfterMs?: number;
}

/** What the client is told of anything that was thrown. */
export function tell(error: unknown): Told {
  if (error instanceof Refusal) {
    return {
      status: refusalStatus[error.code],
      code: error.code,
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error.param === undefined ? {} : { param: error.param }),
    };
  }
  if (PortError.is(error)) return tellPortError(error);
  if (error instanceof HTTPException) return tellHttpException(error);
  return {
    status: 500,
    code: 'Internal.Invariant',
    message: 'The service made a mistake.',
    hint: 'The log of the service has the details (`hermes logs`).',
  };
}

/** Answers in the shape of `errorSchema`. */
export function answerError(c: Context, told: Told): Response {
  const body: ApiError = {
    error: {
      code: told.code,
      message: told.message,
      ...(told.hint === undefined ? {} : { hint: told.hint }),
    },
  };
  return c.json(body, told.status, headersOf(told));
}

export function headersOf(told: Told): Record<string, string> {
  return told.retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(told.retryAfterMs / 1000)) };
}

/** The first thing wrong with a request, in words. */
export function refusalOf(error: ZodError, where: string): Refusal {
  const issue = error.issues[0];
  const path = issue?.path.map(String).join('.') ?? '';
  const field = path === '' ? where : path;
  const more = error.issues.length > 1 ? ` (and ${String(error.issues.length - 1)} more)` : '';
  const options = path === '' ? { hint } : { hint, param: path };
  return new Refusal('Api.Invalid', `${field}: ${issue?.message ?? 'is not valid'}${more}`, options);
}

const hint = 'GET /api/openapi.json describes every request.';

function tellPortError(error: PortError): Told {
  const retry = error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs };
  return { status: portStatus(error), code: error.code, message: error.message, ...retry };
}

function portStatus(error: PortError): ContentfulStatusCode {
  if (error.code === 'Storage.Full') return 507;
  if (error.code === 'Storage.Conflict') return 409;
  if (error.code.startsWith('Model.')) return error.code === 'Model.RateLimited' ? 429 : 502;
  return error.retryable ? 503 : 500;
}

function tellHttpException(error: HTTPException): Told {
  if (error.status === 413) return { status: 413, code: 'Api.TooLarge', message: 'The request is too large.' };
  if (error.status === 415) {
    return { status: 415, code: 'Api.UnsupportedMediaType', message: 'Bodies are application/json.' };
  }
  const status = error.status as ContentfulStatusCode;
  return { status, code: 'Api.Invalid', message: error.message === '' ? 'The request is not valid.' : error.message };
}

import { PortError, type PortErrorOptions } from '../../lib/port-error.ts';

/** What was asked of Daytona; decides what an unclear failure means. */
export type Asked =
  /** To look or to change the state of a sandbox: may be asked again. */
  | 'control'
  /** To run something: it may have run although no answer came. */
  | 'command';

interface SdkError {
  readonly name: string;
  readonly message: string;
  readonly statusCode: number | undefined;
  readonly headers: unknown;
}

/** Failures before a byte was written: the server cannot have seen the request. */
const neverSent =
  /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|connect ETIMEDOUT|CERT|certificate/;
const quota = /quota|limit[^.]* exceeded|exceed|insufficient|suspended|no available runners/i;
const disk = /no space left|disk quota/i;

/**
 * The SDK's error as a PortError. Told apart by status and name, so that nothing of the SDK is loaded here. Its text is
 * kept short; it never holds the key, which is sent in a header.
 */
export function daytonaError(error: unknown, asked: Asked, apiUrl: string): PortError {
  if (PortError.is(error)) return error;
  const { name, message, statusCode, headers } = readError(error);
  const said = message.replace(/\s+/g, ' ').slice(0, 300);
  if (statusCode !== undefined) return ofStatus(statusCode, said, headers, asked);
  const place = `Daytona at ${apiUrl} (terminal.daytona.apiUrl)`;
  if (neverSent.test(message))
    return new PortError('Terminal.BackendUnavailable', `${place} cannot be reached: ${said}`);
  if (name === 'DaytonaConnectionError' || name.endsWith('TimeoutError')) {
    return asked === 'command'
      ? new PortError('Terminal.OutcomeUnknown', `The connection to ${place} broke or no answer came: ${said}`)
      : new PortError('Terminal.BackendUnavailable', `${place} does not answer: ${said}`);
  }
  return new PortError('Terminal.BackendUnavailable', `${place} failed: ${said}`, { cause: error });
}

function ofStatus(status: number, said: string, headers: unknown, asked: Asked): PortError {
  if (status === 401) {
    return new PortError(
      'Terminal.Authentication',
      'Daytona refuses the API key: it is wrong or has expired. Make a new one on the dashboard and set terminal.daytona.apiKey.',
    );
  }
  if (status === 429) return unavailable(`Daytona asks to slow down: ${said}`, retryAfter(headers));
  if (disk.test(said)) return new PortError('Terminal.Full', `The disk of the Daytona sandbox is full: ${said}`);
  if (status === 402 || (status < 500 && quota.test(said))) {
    return new PortError('Terminal.Full', `Daytona's limits of the organization do not allow it: ${said}`);
  }
  if (status === 403) {
    return new PortError(
      'Terminal.Authentication',
      `The API key (terminal.daytona.apiKey) may not do this; it needs the permissions to write and delete sandboxes: ${said}`,
    );
  }
  if (status === 404 || status === 410)
    return new PortError('Terminal.SessionLost', `The Daytona sandbox is gone: ${said}`);
  if (status === 409) return unavailable(`The Daytona sandbox is being changed: ${said}`, {});
  if (status >= 500 || status === 408) {
    return asked === 'command'
      ? new PortError('Terminal.OutcomeUnknown', `Daytona answered ${status} in place of a result: ${said}`)
      : unavailable(`Daytona answered ${status}: ${said}`, retryAfter(headers));
  }
  return new PortError('Terminal.Invalid', `Daytona refuses the request: ${said}`);
}

function unavailable(message: string, options: PortErrorOptions): PortError {
  return new PortError('Terminal.BackendUnavailable', message, options);
}

/** `Retry-After` in seconds or as a date. */
function retryAfter(headers: unknown): PortErrorOptions {
  const value = fieldOf(headers, 'retry-after');
  if (typeof value !== 'string') return {};
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? { retryAfterMs: ms } : {};
}

function readError(error: unknown): SdkError {
  const status = fieldOf(error, 'statusCode');
  const name = fieldOf(error, 'name');
  return {
    name: typeof name === 'string' ? name : '',
    message: error instanceof Error ? error.message : String(error),
    statusCode: typeof status === 'number' ? status : undefined,
    headers: fieldOf(error, 'headers'),
  };
}

/** The HTTP status of an SDK error; undefined where there was no answer. */
export function statusOf(error: unknown): number | undefined {
  return readError(error).statusCode;
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : undefined;
}

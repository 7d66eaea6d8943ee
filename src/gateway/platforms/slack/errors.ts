import { ErrorCode } from '@slack/web-api';
import type { FailureType } from '../../../contracts/failure-types.ts';
import { PortError } from '../../../lib/port-error.ts';
import { fields, words } from '../json-fields.ts';

/**
 * What repeating a call does: `nothing` (it only reads), `same` (it sets something again), `again` (a second message). Only
 * for the last a call without an answer is ambiguous.
 */
export type Repeating = 'nothing' | 'same' | 'again';

const answers: Readonly<Record<string, FailureType>> = Object.fromEntries(
  Object.entries({
    'Platform.Authentication':
      'invalid_auth not_authed account_inactive token_revoked token_expired no_permission missing_scope ' +
      'not_allowed_token_type org_login_required ekm_access_denied team_access_not_granted access_denied ' +
      'app_uninstalled team_disabled',
    'Platform.RecipientGone':
      'channel_not_found is_archived not_in_channel user_not_found user_disabled users_not_found cannot_dm_bot ' +
      'cannot_message_user restricted_action restricted_action_read_only_channel messages_tab_disabled',
    'Platform.Unavailable': 'service_unavailable request_timeout team_added_to_org accesslimited',
    'Platform.RateLimited': 'ratelimited rate_limited message_limit_exceeded',
  } satisfies Partial<Record<FailureType, string>>).flatMap(([code, names]) =>
    names.split(' ').map((name) => [name, code as FailureType]),
  ),
);

/** Slack says of these itself that something may have happened all the same. */
const unsure = new Set(['internal_error', 'fatal_error', 'duplicate_message_not_found', 'duplicate_channel_not_found']);

/** Nothing was written yet when a connection fails so. */
const beforeWriting =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_\w+|\w*CERT\w*)$/;

/**
 * The SDK's error as the port's. Nothing of the request or of the answer's text goes into it but Slack's own word for
 * what was wrong.
 */
export function slackError(error: unknown, method: string, repeating: Repeating): PortError {
  if (PortError.is(error)) return error;
  const unknownEnd: FailureType = repeating === 'again' ? 'Platform.Ambiguous' : 'Platform.Unavailable';
  const known = fields(error);
  switch (known['code']) {
    case ErrorCode.RateLimitedError:
      return rateLimited(method, known['retryAfter']);
    case ErrorCode.PlatformError:
      return answered(fields(known['data']), method, unknownEnd);
    case ErrorCode.HTTPError:
      return httpError(Number(known['statusCode']), method, unknownEnd);
    case ErrorCode.RequestError:
      return disconnected(known['original'], method, unknownEnd);
    default:
      // What the SDK throws for a 429 that does not say for how long.
      if (error instanceof Error && error.message.startsWith('Retry header')) return rateLimited(method, undefined);
      return new PortError(unknownEnd, `Slack gave no readable answer to ${method}`);
  }
}

function rateLimited(method: string, seconds: unknown): PortError {
  const retryAfterMs = typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : 1000;
  return new PortError('Platform.RateLimited', `Slack wants a pause before ${method}`, { retryAfterMs });
}

function answered(data: Readonly<Record<string, unknown>>, method: string, unknownEnd: FailureType): PortError {
  const name = words(data['error']) ?? '';
  // Anything else is a page of a proxy in the answer's place.
  if (!/^[a-z0-9_]{1,80}$/.test(name)) return new PortError(unknownEnd, `Slack gave no readable answer to ${method}`);
  const code = unsure.has(name) ? unknownEnd : (answers[name] ?? 'Platform.MessageRejected');
  if (code === 'Platform.RateLimited') return rateLimited(method, fields(data['response_metadata'])['retryAfter']);
  const needed = words(data['needed']);
  const scope = name === 'missing_scope' && needed !== null && /^[\w:, ]{1,80}$/.test(needed) ? `: ${needed}` : '';
  const advice = code === 'Platform.Authentication' ? `. ${adviceOn(name, method)}` : '';
  return new PortError(code, `Slack refuses ${method}: ${name}${scope}${advice}`, { details: { error: name } });
}

/** What a person does about a refused token. */
function adviceOn(name: string, method: string): string {
  if (name === 'missing_scope') return 'Add that scope to the app and install it in the workspace again';
  return method.startsWith('apps.')
    ? 'Copy the app-level token (xapp-…, under Basic Information) anew into gateway.slack.appToken'
    : 'Install the app in the workspace again and copy its bot token (xoxb-…) into gateway.slack.botToken';
}

function httpError(status: number, method: string, unknownEnd: FailureType): PortError {
  const details = { status };
  if (status === 401 || status === 403) {
    return new PortError('Platform.Authentication', `Slack refuses ${method} with ${status}`, { details });
  }
  if (status >= 500) return new PortError(unknownEnd, `Slack answers ${method} with ${status}`, { details });
  return new PortError('Platform.MessageRejected', `Slack answers ${method} with ${status}`, { details });
}

function disconnected(original: unknown, method: string, unknownEnd: FailureType): PortError {
  const code = codeOf(original);
  const unsent = beforeWriting.test(code);
  return new PortError(
    unsent ? 'Platform.Unavailable' : unknownEnd,
    unsent ? `Slack cannot be reached for ${method}` : `the connection to Slack ended before ${method} was answered`,
    { details: { reason: code } },
  );
}

/** The system's word for what went wrong under `fetch`. */
function codeOf(error: unknown): string {
  for (let one = error, depth = 0; depth < 4; depth += 1) {
    if (typeof one !== 'object' || one === null) break;
    const { code, cause } = one as { code?: unknown; cause?: unknown };
    if (typeof code === 'string' && /^\w{1,60}$/.test(code)) return code;
    one = cause;
  }
  return error instanceof Error && /^\w{1,60}$/.test(error.name) ? error.name : 'unknown';
}

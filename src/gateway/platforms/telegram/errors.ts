import { GrammyError, HttpError } from 'grammy';
import { PortError } from '../../../lib/port-error.ts';

/**
 * What doing it twice would do: `once` shows something twice, so that a missing answer is ambiguous; `repeatable` does not
 * matter; `unsent`: the request has certainly not gone out.
 */
export type Effect = 'once' | 'repeatable' | 'unsent';

/**
 * Every failure of a call as a PortError. Without the library's errors as cause: theirs carry the address with the token,
 * and what people wrote.
 */
export function portErrorOf(error: unknown, effect: Effect): PortError {
  if (PortError.is(error)) return error;
  if (error instanceof GrammyError) return refused(error, effect);
  const reason = error instanceof HttpError ? error.error : error;
  const code = codeOf(reason);
  if (effect === 'once' && !isBeforeSending(reason, code)) {
    return new PortError('Platform.Ambiguous', `Telegram gave no answer${why(code)}; the message may have arrived`);
  }
  return new PortError('Platform.Unavailable', `Telegram cannot be reached${why(code)}`);
}

/** The chat a group has moved to, when that is why it was refused. */
export function movedTo(error: unknown): string | null {
  const moved = PortError.is(error) ? error.details['movedTo'] : undefined;
  return typeof moved === 'string' ? moved : null;
}

/** A refusal that says so in its own words. */
export function saysThat(error: unknown, words: RegExp): boolean {
  return PortError.is(error) && words.test(error.message);
}

function refused(error: GrammyError, effect: Effect): PortError {
  const { error_code: status, description, parameters, method } = error;
  const details = {
    status,
    method,
    ...(parameters.migrate_to_chat_id === undefined ? {} : { movedTo: String(parameters.migrate_to_chat_id) }),
  };
  // Something else than the Bot API answers under its address.
  if (!Number.isInteger(status)) {
    const code = effect === 'once' ? 'Platform.Ambiguous' : 'Platform.Unavailable';
    return new PortError(code, 'Telegram gave an answer that says nothing', { details: { method } });
  }
  const said = `Telegram says: ${description}`;
  if (status === 401 || status === 404) {
    return new PortError(
      'Platform.Authentication',
      `${said}. The bot token is wrong or was revoked; get the current one from @BotFather and set gateway.telegram.token`,
      { details },
    );
  }
  if (status === 409) {
    return new PortError(
      'Platform.Conflict',
      `${said}. Something else receives with this bot token: end the other program, or give it a bot of its own`,
      { details },
    );
  }
  if (status === 429) {
    const retryAfterMs = Math.max(1, parameters.retry_after ?? 1) * 1_000;
    return new PortError('Platform.RateLimited', said, { details, retryAfterMs });
  }
  if (status === 403 || closed.test(description)) return new PortError('Platform.RecipientGone', said, { details });
  if (status >= 500 && effect === 'once') return new PortError('Platform.Ambiguous', said, { details });
  if (status >= 500) return new PortError('Platform.Unavailable', said, { details });
  return new PortError('Platform.MessageRejected', said, { details });
}

/** How the platform says of a whole chat, with the status of a wrong request, that nothing can be written there. */
const closed =
  /: (chat not found|PEER_ID_INVALID|CHAT_WRITE_FORBIDDEN|not enough rights to send text messages|have no rights to send)/i;

/** Code of a connection that was given up before it was made. */
export const notConnected = 'NOT_CONNECTED';

const unreached = new Set([
  notConnected,
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

/** True only where the request cannot have been read: no connection was made. */
function isBeforeSending(reason: unknown, code: string | null): boolean {
  if (code !== null && unreached.has(code)) return true;
  return reason instanceof Error && reason.message.includes('reason: connect ');
}

function codeOf(reason: unknown): string | null {
  if (typeof reason !== 'object' || reason === null || !('code' in reason)) return null;
  return typeof reason.code === 'string' ? reason.code : null;
}

function why(code: string | null): string {
  return code === null ? '' : ` (${code})`;
}

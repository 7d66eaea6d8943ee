import { DiscordAPIError, HTTPError, RateLimitError } from '@discordjs/rest';
import type { FailureType } from '../../../contracts/failure-types.ts';
import { PortError } from '../../../lib/port-error.ts';
import { fields } from '../json-fields.ts';

/** Failures of a connection that was never made: nothing can have been sent. */
const neverReached: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

/** Discord's own codes that say more than the status does. */
const byCode: Readonly<Record<number, { readonly code: FailureType; readonly why: string }>> = {
  10003: { code: 'Platform.RecipientGone', why: 'the channel is gone' },
  10004: { code: 'Platform.RecipientGone', why: 'the server is gone' },
  10008: { code: 'Platform.MessageRejected', why: 'the message is gone' },
  10013: { code: 'Platform.RecipientGone', why: 'the person is gone' },
  20016: { code: 'Platform.RateLimited', why: 'the channel is in slow mode' },
  40005: { code: 'Platform.MessageRejected', why: 'the file is larger than Discord takes there' },
  50001: { code: 'Platform.RecipientGone', why: 'the bot does not see the channel' },
  50007: { code: 'Platform.RecipientGone', why: 'the person takes no direct messages of the bot, or blocked it' },
  50013: { code: 'Platform.RecipientGone', why: 'the bot may not write there: its role lacks a permission' },
  50083: { code: 'Platform.RecipientGone', why: 'the thread is archived and locked' },
  50278: { code: 'Platform.RecipientGone', why: 'the bot has no server in common with the person any more' },
};

/** What a lost answer leaves open: `repeatable` calls may simply be made again. */
type Call = 'send' | 'repeatable';

/**
 * The PortError of whatever the REST client threw. The client's errors carry the request's body and, for interactions, a
 * token in the address; nothing of them is kept but status, code and Discord's own words.
 */
export function portErrorOf(error: unknown, call: Call): PortError {
  if (PortError.is(error)) return error;
  if (error instanceof RateLimitError) return limited(error.retryAfter || error.timeToReset);
  if (error instanceof DiscordAPIError) return refused(error);
  if (error instanceof HTTPError) return failed(error.status, call);
  return unanswered(error, call);
}

function limited(afterMs: number): PortError {
  return new PortError('Platform.RateLimited', 'Discord wants fewer requests.', {
    retryAfterMs: Math.max(1, Math.ceil(afterMs)),
  });
}

function refused(error: DiscordAPIError): PortError {
  const { status } = error;
  const code = typeof error.code === 'number' ? error.code : 0;
  const details = { status, code };
  if (status === 401) {
    return new PortError(
      'Platform.Authentication',
      'Discord refuses the token: reset it on the page "Bot" of the developer portal and set gateway.discord.token.',
      { details },
    );
  }
  const known = byCode[code];
  if (known?.code === 'Platform.RateLimited' || status === 429) {
    const seconds = fields(error.rawError)['retry_after'];
    return limited(typeof seconds === 'number' ? seconds * 1000 : 5_000);
  }
  if (known !== undefined) {
    return new PortError(known.code, `Discord did not take it: ${known.why} (${code}).`, { details });
  }
  if (status === 408) return new PortError('Platform.Unavailable', 'Discord gave up waiting for it.', { details });
  const said = error.message.replace(/\s+/g, ' ').slice(0, 300);
  // Without a code of its own an answer is not from Discord but from something before it.
  if (status === 403 && code === 0) {
    return new PortError('Platform.Unavailable', 'Something before Discord refuses the request (403).', { details });
  }
  const type = status === 403 || (status === 404 && code === 0) ? 'Platform.RecipientGone' : 'Platform.MessageRejected';
  return new PortError(type, `Discord did not take it: ${said} (${code}).`, { details });
}

function failed(status: number, call: Call): PortError {
  const details = { status };
  // It may have been done before the trouble began, or behind a proxy that gave up on it; 503 says that it was not.
  if (call === 'send' && status !== 503) {
    return new PortError('Platform.Ambiguous', `It went out and Discord answered ${status}.`, { details });
  }
  return new PortError('Platform.Unavailable', `Discord has trouble of its own (${status}).`, { details });
}

function unanswered(error: unknown, call: Call): PortError {
  const code = codeOf(error);
  if (neverReached.has(code)) return new PortError('Platform.Unavailable', `Discord cannot be reached: ${code}.`);
  if (call === 'repeatable') return new PortError('Platform.Unavailable', `Discord gave no answer: ${code}.`);
  return new PortError('Platform.Ambiguous', `It went out to Discord and no answer came: ${code}.`);
}

function codeOf(error: unknown): string {
  const own = fields(error);
  const code = own['code'] ?? fields(own['cause'])['code'];
  if (typeof code === 'string') return code;
  return error instanceof Error ? error.name : 'unknown failure';
}

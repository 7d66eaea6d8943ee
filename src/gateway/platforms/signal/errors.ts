import { PortError } from '../../../lib/port-error.ts';
import { fields, list, whole, words } from '../json-fields.ts';
import { retryAfterMs, type Answered } from '../one-try.ts';

/** When signal-cli does not say how long to wait. */
const usualWaitMs = 60_000;

/** What signal-cli says of a connection to Signal that was not made: then nothing was sent. */
const neverConnected =
  /UnknownHostException|ConnectException|NoRouteToHost|Failed to connect|Connection refused|SSLHandshakeException/i;
const goneWords =
  /is not registered|unregistered user|not a group member|group not found|no group|invalid group id|sending to this group is not allowed|user not found/i;
const unauthorised =
  /account does not exist|requires valid account|authorization failed|AuthorizationFailed|\[40[13]\]/i;

/**
 * What an error answer of the daemon's JSON-RPC means.
 *
 * @param repeatable whether doing it twice does no harm; then a lost answer of Signal itself is Unavailable.
 */
export function fromRpcError(error: unknown, repeatable: boolean): PortError {
  const { code, message, data } = fields(error);
  const said = (words(message) ?? 'no reason given').slice(0, 300);
  const results = list(fields(fields(data)['response'])['results']).map(fields);
  const types = new Set(results.map((result) => words(result['type'])));
  switch (code) {
    case -5:
      return limited(waitOf(results));
    case -6:
      return new PortError(
        'Platform.RateLimited',
        'Signal wants a captcha for this account before it sends more: see `signal-cli submitRateLimitChallenge`.',
        { retryAfterMs: waitOf(results) },
      );
    case -4:
      return untrusted();
    case -32602:
      if (unauthorised.test(said)) return unknownAccount(said);
      return rejected(said);
    case -32601:
      return rejected(`${said}; this needs signal-cli 0.13 or later`);
    default:
  }
  if (types.has('RATE_LIMIT_FAILURE')) return limited(waitOf(results));
  if (types.has('IDENTITY_FAILURE')) return untrusted();
  if (types.has('UNREGISTERED_FAILURE')) return gone('the person has no Signal account (any more)');
  if (types.has('NETWORK_FAILURE')) return unsure('network failure', repeatable);
  if (code === -1) return goneWords.test(said) ? gone(said) : rejected(said);
  if (unauthorised.test(said)) return unknownAccount(said);
  if (neverConnected.test(said)) {
    return new PortError('Platform.Unavailable', `signal-cli does not reach Signal: ${said}`);
  }
  if (code === -32700 || code === -32600) return rejected(said);
  // -3 and -32603: it broke somewhere on the way.
  return unsure(said, repeatable);
}

/** What an HTTP status other than 200 means. */
export function fromStatus({ status, headers }: Pick<Answered, 'status' | 'headers'>, repeatable: boolean): PortError {
  if (status === 401 || status === 403) {
    return new PortError(
      'Platform.Authentication',
      'What stands before signal-cli refuses this address or its password.',
    );
  }
  if (status === 429) return limited(retryAfterMs(headers) ?? usualWaitMs);
  if (status === 421) {
    return new PortError(
      'Platform.Unavailable',
      'signal-cli answers only under the host name it was started with: set gateway.signal.url to the address after `daemon --http`.',
    );
  }
  if (status === 413) return rejected('it is too large');
  const said = `the signal-cli daemon answers with status ${status}`;
  // A proxy may have passed it on before it gave up.
  return status === 500 || status === 502 || status === 504
    ? unsure(said, repeatable)
    : new PortError('Platform.Unavailable', `Nothing was sent: ${said}.`);
}

export function unknownAccount(said: string): PortError {
  return new PortError(
    'Platform.Authentication',
    `signal-cli has no such account (${said}): compare gateway.signal.account with \`signal-cli listAccounts\`, and link or register it.`,
  );
}

function unsure(why: string, repeatable: boolean): PortError {
  return repeatable
    ? new PortError('Platform.Unavailable', `It did not get through to Signal: ${why}.`)
    : new PortError('Platform.Ambiguous', `Nobody can say whether Signal took it: ${why}.`);
}

function untrusted(): PortError {
  return new PortError(
    'Platform.MessageRejected',
    'The safety number of this person has changed and signal-cli does not trust it. Compare it with them, then run `signal-cli -a ACCOUNT trust -v NUMBER PERSON`.',
  );
}

function limited(waitMs: number): PortError {
  return new PortError('Platform.RateLimited', 'Signal takes no more messages for a while.', { retryAfterMs: waitMs });
}

function gone(why: string): PortError {
  return new PortError('Platform.RecipientGone', `Signal does not deliver there: ${why}.`);
}

function rejected(why: string): PortError {
  return new PortError('Platform.MessageRejected', `signal-cli does not take it: ${why}.`);
}

function waitOf(results: readonly Readonly<Record<string, unknown>>[]): number {
  const seconds = results.map((result) => whole(result['retryAfterSeconds']) ?? 0);
  const longest = Math.max(0, ...seconds);
  return longest === 0 ? usualWaitMs : longest * 1000;
}

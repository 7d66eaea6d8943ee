import { PortError } from '../../../lib/port-error.ts';
import { fields } from '../json-fields.ts';

/** Why a socket ended and what to do about it. */
export type Ending =
  | { readonly kind: 'again'; readonly why: string }
  /** The pairing is done or the server wants the client to come back: at once. */
  | { readonly kind: 'restart' }
  | { readonly kind: 'fatal'; readonly error: PortError; readonly forget: boolean };

const pairAgain =
  'Start the account again and scan the new QR code: on the phone open WhatsApp, Settings, Linked devices, Link a device.';

/** By Baileys' DisconnectReason, or what the server said. */
export function endingOf(error: unknown): Ending {
  const status = statusOf(error);
  switch (status) {
    case 515:
      return { kind: 'restart' };
    case 401:
      return fatal('Platform.Authentication', `WhatsApp has logged this device out. ${pairAgain}`, true);
    case 403:
      return fatal(
        'Platform.Authentication',
        'WhatsApp refuses this number. Look at WhatsApp on the phone: the account may be restricted or banned.',
      );
    case 411:
      return fatal('Platform.Authentication', 'WhatsApp on the phone is too old for linked devices. Update it.');
    case 440:
      return fatal(
        'Platform.Conflict',
        'Another program has taken over this linked device. Stop the other one, or unlink the device on the phone and pair again.',
      );
    case 405:
      return {
        kind: 'again',
        why: 'WhatsApp refuses this version of WhatsApp Web: set gateway.whatsapp_web.version to a newer one',
      };
    default:
      return {
        kind: 'again',
        why: status === null ? 'the connection was lost' : `the connection was lost (${status})`,
      };
  }
}

/** The server's answer to a message; null when it took it. */
export function refusalOf(attrs: Readonly<Record<string, string>>): PortError | null {
  const code = Number(attrs['error']);
  if (attrs['error'] === undefined) return null;
  return refusal(code, attrs['backoff']);
}

/** What went wrong before a message went out. */
export function unsentError(error: unknown): PortError {
  if (PortError.is(error)) return error;
  const status = statusOf(error);
  if (status === null || status === 408 || status === 428 || status >= 500) {
    return new PortError('Platform.Unavailable', 'The message was not sent: WhatsApp could not be reached.');
  }
  return refusal(status);
}

function refusal(code: number, backoffSeconds?: string): PortError {
  const details = { details: { code: Number.isFinite(code) ? code : 0 } };
  switch (code) {
    case 429: {
      const seconds = Number(backoffSeconds);
      // WhatsApp mostly names no time.
      const retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 3_000;
      return new PortError('Platform.RateLimited', 'WhatsApp takes no more messages for now.', {
        ...details,
        retryAfterMs,
      });
    }
    case 401:
    case 403:
    case 404:
    case 410:
      return new PortError(
        'Platform.RecipientGone',
        'WhatsApp does not let the agent write to this chat (any more).',
        details,
      );
    case 463:
      return new PortError(
        'Platform.MessageRejected',
        'WhatsApp does not let this number begin new chats for now. Ask the person to write first.',
        details,
      );
    case 408:
    case 500:
    case 503:
      return new PortError('Platform.Unavailable', 'WhatsApp could not take the message just now.', details);
    default:
      return new PortError('Platform.MessageRejected', `WhatsApp refused the message (${String(code)}).`, details);
  }
}

function statusOf(error: unknown): number | null {
  const status = fields(fields(error)['output'])['statusCode'];
  return typeof status === 'number' ? status : null;
}

function fatal(code: 'Platform.Authentication' | 'Platform.Conflict', message: string, forget = false): Ending {
  return { kind: 'fatal', error: new PortError(code, message), forget };
}

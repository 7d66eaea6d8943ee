import { createHmac, timingSafeEqual } from 'node:crypto';
import { isFields } from '../json-fields.ts';
import type { WebhookRequest, WebhookResponse } from '../platform.ts';

/** Older and newer requests are refused. */
const windowSeconds = 300;
const mostRemembered = 20_000;

/** Tells requests that Slack made now from all others. */
export interface SignatureCheck {
  /** Why the request is refused; null when it is Slack's and new. */
  refusal(request: WebhookRequest): string | null;
  /** From now on the same request is a replay. Called once it was taken. */
  taken(request: WebhookRequest): void;
}

export function createSignatureCheck(secret: string, now: () => number = Date.now): SignatureCheck {
  const seen = new Map<string, number>();
  const forget = (): void => {
    const oldest = now() / 1000 - 2 * windowSeconds;
    for (const [signature, at] of seen) {
      if (at >= oldest && seen.size <= mostRemembered) break;
      seen.delete(signature);
    }
  };
  return {
    refusal: (request) => {
      const stamp = headerOf(request, 'x-slack-request-timestamp');
      const signature = headerOf(request, 'x-slack-signature');
      if (!/^\d{1,12}$/.test(stamp) || !/^v0=[0-9a-f]{64}$/.test(signature)) return 'not signed';
      const expected = `v0=${createHmac('sha256', secret).update(`v0:${stamp}:`).update(request.body).digest('hex')}`;
      if (!timingSafeEqual(Buffer.from(expected), Buffer.from(signature))) return 'wrong signature';
      if (Math.abs(now() / 1000 - Number(stamp)) > windowSeconds) return 'too old';
      return seen.has(signature) ? 'seen before' : null;
    },
    taken: (request) => {
      forget();
      seen.set(headerOf(request, 'x-slack-signature'), now() / 1000);
    },
  };
}

/** Header names come in any case. */
function headerOf(request: WebhookRequest, name: string): string {
  for (const [key, value] of Object.entries(request.headers)) if (key.toLowerCase() === name) return value;
  return '';
}

/**
 * The payload of a request: JSON for events, a form with JSON in it for interactions, a plain form for slash commands.
 * Null when it is none of these.
 */
export function readBody(request: WebhookRequest): Readonly<Record<string, unknown>> | null {
  const text = request.body.toString('utf8');
  if (!headerOf(request, 'content-type').startsWith('application/x-www-form-urlencoded')) return json(text);
  const form = new URLSearchParams(text);
  const payload = form.get('payload');
  return payload === null ? Object.fromEntries(form) : json(payload);
}

function json(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : null;
  } catch {
    return null;
  }
}

/** Slack shows the body of an answer to a slash command, so there is none. */
export function plain(status: number, body = ''): WebhookResponse {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body };
}

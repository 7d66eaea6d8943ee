import { PortError } from '../../../lib/port-error.ts';
import { fields, isFields, parsed, words, type Fields } from '../json-fields.ts';
import { retryAfterMs, type Answered } from '../one-try.ts';

const usualWaitMs = 60_000;
/** To one person: the API asks for 4 seconds at first. */
const pairWaitMs = 4_000;

const limits: ReadonlySet<unknown> = new Set([4, 17, 32, 613, 80007, 130429, 131048, 131056, 133016]);
const passing: ReadonlySet<unknown> = new Set([1, 2, 131000, 131016, 131057, 133004]);
/** Those of them that say that nothing was sent; after any other trouble of the API it may have been. */
const unsent: ReadonlySet<unknown> = new Set([2, 131000, 131016, 131057, 133004]);
/** Of the token, its rights, or the business account. */
const account: ReadonlySet<unknown> = new Set([0, 3, 10, 102, 190, 368, 131005, 131031, 133010]);
const gone: ReadonlySet<unknown> = new Set([131026, 131050]);

const late =
  'more than 24 hours have passed since the person last wrote, and then WhatsApp takes approved templates only. It is not sent by itself later: ask for it anew when they write again';
const advice: ReadonlyMap<unknown, string> = new Map([
  [470, late],
  [131047, late],
  [131030, 'a test number sends only to numbers on its list: add this one under "API Setup"'],
  [131042, 'the business account has no working way to pay: look at its payment settings'],
  [131053, 'WhatsApp does not take this kind of file'],
]);

/** What an error of the API means; in the answer to a call, or in a status that came later. */
export function fromGraphError(error: Fields, { status, headers }: Pick<Answered, 'status' | 'headers'>): PortError {
  const { code } = error;
  const said = `code ${String(code)}: ${wordsOf(error)}`;
  if (limits.has(code) || status === 429) {
    const waitMs = retryAfterMs(headers) ?? (code === 131056 ? pairWaitMs : usualWaitMs);
    return new PortError('Platform.RateLimited', `WhatsApp takes no more messages for a while (${said}).`, {
      retryAfterMs: waitMs,
    });
  }
  if (status === 401 || isRefused(error)) {
    return new PortError(
      'Platform.Authentication',
      `WhatsApp refuses the access token or the phone number id (${said}).`,
    );
  }
  if (gone.has(code)) {
    return new PortError('Platform.RecipientGone', `WhatsApp does not deliver to this person (${said}).`);
  }
  const todo = advice.get(code);
  if (passing.has(code) || (status >= 500 && todo === undefined)) {
    return new PortError('Platform.Unavailable', `WhatsApp could not do it just now (${said}).`);
  }
  return new PortError(
    'Platform.MessageRejected',
    `WhatsApp does not take it (${said})${todo === undefined ? '' : `: ${todo}`}.`,
  );
}

/**
 * What an answer other than success means.
 *
 * @param repeatable whether doing it twice does no harm.
 */
export function fromAnswer(answer: Answered, repeatable: boolean): PortError {
  const { error } = fields(parsed(answer.body.toString('utf8')));
  const { status } = answer;
  if (isFields(error)) {
    const told = fromGraphError(error, answer);
    const isOpen = told.code === 'Platform.Unavailable' && !repeatable && !unsent.has(error['code']);
    return isOpen ? new PortError('Platform.Ambiguous', told.message) : told;
  }
  if (status === 401 || status === 403 || status === 429)
    return fromGraphError({}, status === 403 ? { ...answer, status: 401 } : answer);
  if (status < 500) {
    return new PortError(
      'Platform.MessageRejected',
      `What answers at gateway.whatsapp.apiUrl is not the Graph API (status ${status}).`,
    );
  }
  const said = `WhatsApp answers with status ${status} and no reason`;
  return repeatable || status === 503
    ? new PortError('Platform.Unavailable', `${said}.`)
    : new PortError('Platform.Ambiguous', `${said}; nobody can say whether it was sent.`);
}

function isRefused({ code, error_subcode: subcode }: Fields): boolean {
  const isRight = typeof code === 'number' && code >= 200 && code <= 299;
  // An object that does not exist or that the token does not see: the phone number id is wrong.
  return isRight || account.has(code) || (code === 100 && subcode === 33);
}

/** Texts of the API repeat tokens it finds malformed; a token has no spaces. */
function wordsOf(error: Fields): string {
  const said =
    words(fields(error['error_data'])['details']) ?? words(error['message']) ?? words(error['title']) ?? 'no reason';
  return said.replaceAll(/[^\s,;()"']{25,}/g, '…').slice(0, 300);
}

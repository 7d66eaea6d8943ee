/**
 * Every code a failure may carry, with whether a retry can help. `docs/errors.md` says what the person sees; a test
 * holds page and table together.
 */
export const failureTypes = {
  'Model.RateLimited': { retryable: true },
  'Model.Overloaded': { retryable: true },
  'Model.Timeout': { retryable: true },
  'Model.Stalled': { retryable: true },
  'Model.Unavailable': { retryable: true },
  'Model.BadAnswer': { retryable: true },
  'Model.ContextTooLong': { retryable: false },
  'Model.InvalidRequest': { retryable: false },
  'Model.Authentication': { retryable: false },
  'Model.QuotaExceeded': { retryable: false },
  'Model.Refused': { retryable: false },
  'Model.NotConfigured': { retryable: false },
  'Tool.Failed': { retryable: true },
  'Terminal.BackendUnavailable': { retryable: true },
  'Terminal.SessionLost': { retryable: false },
  'Terminal.NotFound': { retryable: false },
  'Terminal.Denied': { retryable: false },
  'Terminal.TooLarge': { retryable: false },
  'Terminal.Invalid': { retryable: false },
  'Platform.RateLimited': { retryable: true },
  'Platform.Unavailable': { retryable: true },
  'Platform.Ambiguous': { retryable: false },
  'Platform.RecipientGone': { retryable: false },
  'Platform.MessageRejected': { retryable: false },
  'Platform.Authentication': { retryable: false },
  'Storage.Unavailable': { retryable: true },
  'Storage.Conflict': { retryable: true },
  'Storage.Damaged': { retryable: false },
  'Storage.TooNew': { retryable: false },
  'Storage.Full': { retryable: true },
  'Worker.Draining': { retryable: true },
  'Config.Invalid': { retryable: false },
  'Internal.Invariant': { retryable: false },
} as const satisfies Record<string, { readonly retryable: boolean }>;

export type FailureType = keyof typeof failureTypes;

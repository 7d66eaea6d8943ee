/** Why the gateway does not do what it was asked; the API turns the code into a status. */
export type RefusalCode =
  | 'Api.Invalid'
  | 'Api.Unauthorized'
  | 'Api.HostRefused'
  | 'Api.NotFound'
  | 'Api.MethodNotAllowed'
  | 'Api.Conflict'
  | 'Api.TooLarge'
  | 'Api.UnsupportedMediaType'
  | 'Api.KeyReused'
  | 'Api.NotSupported'
  | 'Api.Closing';

/** The asker's mistake, or a state that forbids the request. The message is for a person; `hint` says what to do instead. */
export class Refusal extends Error {
  readonly code: RefusalCode;
  readonly hint: string | undefined;
  /** Which field of the request is meant, where one is. */
  readonly param: string | undefined;

  constructor(code: RefusalCode, message: string, more: { hint?: string; param?: string } = {}) {
    super(message);
    this.name = 'Refusal';
    this.code = code;
    this.hint = more.hint;
    this.param = more.param;
  }
}

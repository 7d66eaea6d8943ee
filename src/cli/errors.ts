/**
 * An error whose words are meant for the person at the terminal: printed as `hermes: message` and, on its own line, the
 * hint. Everything else that reaches the entry is a bug and is printed with where it came from.
 */
export class CliError extends Error {
  readonly hint: string | undefined;
  readonly exitCode: number;

  constructor(message: string, options: { hint?: string | undefined; exitCode?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CliError';
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? 1;
  }
}

/** The service answered with an error of its own (`errorSchema` of the contract). */
export class ApiRequestError extends CliError {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string, hint?: string) {
    super(message, { hint });
    this.name = 'ApiRequestError';
    this.status = status;
    this.code = code;
  }
}

/**
 * The connection to the service could not be made or broke. `sent`: the request may have reached the service, so only
 * one that is harmless to repeat may be repeated.
 */
export class ConnectionLost extends Error {
  readonly sent: boolean;

  constructor(message: string, options: { sent: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ConnectionLost';
    this.sent = options.sent;
  }
}

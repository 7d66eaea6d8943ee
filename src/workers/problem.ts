/**
 * Something a person can mend stands in the way of starting a part. `message` says what is wrong, `hint` what to do;
 * both are shown as they are, so neither carries secrets.
 */
export class StartProblem extends Error {
  readonly hint: string;

  constructor(message: string, hint: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StartProblem';
    this.hint = hint;
  }
}

/** One line of progress for a person: what is being done or why something did not work. */
export type Report = (line: string) => void;

/** The message of anything thrown, with its cause where there is one (fetch hides the reason there). */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

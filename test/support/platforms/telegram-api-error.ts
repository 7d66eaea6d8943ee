/** What the Bot API answers with `ok: false`. */
export class ApiError extends Error {
  readonly code: number;

  constructor(code: number, description: string) {
    super(description);
    this.code = code;
  }
}

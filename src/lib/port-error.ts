import { failureTypes, type FailureType } from '../contracts/failure-types.ts';
import type { JsonValue } from '../contracts/json.ts';

const marker = Symbol.for('hermes.PortError');

export interface PortErrorOptions {
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
  /** Small, free of secrets and of what people wrote. */
  readonly details?: Readonly<Record<string, JsonValue>>;
  readonly cause?: unknown;
}

/** The only error a port (model, backend, platform, store) may throw; a vendor's error never leaves its file. */
export class PortError extends Error {
  readonly [marker] = true;
  readonly code: FailureType;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly details: Readonly<Record<string, JsonValue>>;

  constructor(code: FailureType, message: string, options: PortErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'PortError';
    this.code = code;
    this.retryable = options.retryable ?? failureTypes[code].retryable;
    this.retryAfterMs = options.retryAfterMs;
    this.details = options.details ?? {};
  }

  /** True across realms and duplicate installs, where `instanceof` is not. */
  static is(value: unknown): value is PortError {
    return typeof value === 'object' && value !== null && marker in value;
  }
}

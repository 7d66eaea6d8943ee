import { describe, expect, it } from 'vitest';
import { retryDelayMs, toFailure } from '../../../src/activities/failure.ts';
import { PortError } from '../../../src/lib/port-error.ts';

describe('a port error becomes a failure', () => {
  it('that waits as long as the vendor asked', () => {
    const failure = toFailure(new PortError('Model.RateLimited', 'slow down', { retryAfterMs: 7000 }), 1);
    expect(failure.type).toBe('Model.RateLimited');
    expect(failure.nonRetryable).toBe(false);
    expect(failure.nextRetryDelay).toBe(7000);
  });

  it('that is not tried again when a retry cannot help', () => {
    expect(toFailure(new PortError('Model.Authentication', 'no'), 1).nonRetryable).toBe(true);
  });

  it('that is given up in the end', () => {
    expect(toFailure(new PortError('Model.Unavailable', 'down'), 9).nonRetryable).toBe(true);
  });
});

describe('a bug', () => {
  it('is tried again a few times, then reported', () => {
    expect(toFailure(new Error('x is undefined'), 1).nonRetryable).toBe(false);
    expect(toFailure(new Error('x is undefined'), 4)).toMatchObject({ nonRetryable: true, type: 'Internal.Invariant' });
  });
});

describe('the delay before a retry', () => {
  it('doubles up to a minute', () => {
    expect([1, 2, 3, 20].map((attempt) => retryDelayMs(attempt, undefined))).toEqual([500, 1000, 2000, 60_000]);
  });
});

import { describe, expect, it } from 'vitest';
import type { AcquireRequest, EnvironmentRecord, EnvironmentSettings } from '../../../src/contracts/environment.ts';
import { renderEnvironment } from '../../../src/workflows/environment/details.ts';
import { EnvironmentState } from '../../../src/workflows/environment/environment-state.ts';

const environmentId = 'anna.docker';
const settings: EnvironmentSettings = { idleMs: 1_000, heartbeatTimeoutMs: 2_000, searchAttributes: false };
const handle = { environmentId, backend: 'docker', state: { id: 'one' } };
const record = (more: Partial<EnvironmentRecord> = {}): EnvironmentRecord => ({
  phase: 'awake',
  handle,
  generation: 1,
  lastWakeMs: 400,
  sleptMs: 0,
  sleepingSince: null,
  log: [],
  failure: null,
  ...more,
});
const ask = (holder: string, more: Partial<AcquireRequest> = {}): AcquireRequest => ({
  holder,
  leaseMs: 500,
  settings,
  ...more,
});

function fresh(stored: EnvironmentRecord | null = null): EnvironmentState {
  const state = new EnvironmentState({ environmentId, backend: 'docker', personId: 'anna', settings }, 0);
  state.adoptStored(stored);
  return state;
}

function awake(): EnvironmentState {
  const state = fresh();
  state.awoken(record(), 0);
  return state;
}

describe('leases', () => {
  it('are granted at once where it is awake, and prolonged by their holder', () => {
    const state = awake();
    expect(state.acquire(ask('a'), 0).outcome).toEqual({
      result: { handle, generation: 1, leasedUntil: '1970-01-01T00:00:00.500Z' },
    });
    state.acquire(ask('a'), 300);
    expect(state.snapshot().leases).toEqual([{ holder: 'a', until: '1970-01-01T00:00:00.800Z' }]);
  });

  it('wake it anew shortly before it ends by itself, unless somebody works in it', () => {
    const mortal = { ...handle, expiresAt: new Date(3_600_000).toISOString() };
    const state = fresh();
    state.awoken(record({ handle: mortal }), 0);
    expect(state.acquire(ask('early'), 1_000).outcome).not.toBeNull();
    expect(state.acquire(ask('beside', { leaseMs: 3_000_000 }), 1_200).outcome).not.toBeNull();
    expect(state.acquire(ask('in use'), 2_000_000).outcome).not.toBeNull();
    for (const holder of ['early', 'beside', 'in use']) state.release(holder, 2_000_001);
    const late = state.acquire(ask('late'), 2_000_002);
    expect(late.outcome).toBeNull();
    expect(state.next(2_000_002)).toEqual({ kind: 'wake' });
    state.awoken(record({ generation: 2 }), 2_000_003);
    expect(late.outcome).toMatchObject({ result: { generation: 2 } });
  });

  it('are granted to everybody who waits once it is awake', () => {
    const state = fresh();
    const waiters = [state.acquire(ask('a'), 0), state.acquire(ask('b'), 100)];
    expect(waiters.map((one) => one.outcome)).toEqual([null, null]);
    expect(state.next(100)).toEqual({ kind: 'wake' });
    state.awoken(record(), 250);
    expect(waiters.map((one) => one.outcome)).toMatchObject([
      { result: { wokenInMs: 250 } },
      { result: { wokenInMs: 150 } },
    ]);
    expect(state.holders).toEqual(['a', 'b']);
  });

  it('keep it awake until the last one has been given back or has expired', () => {
    const state = awake();
    state.acquire(ask('a'), 0);
    expect(state.next(0)).toEqual({ kind: 'rest', untilMs: 1_500 });
    state.release('a', 200);
    expect(state.next(200)).toEqual({ kind: 'rest', untilMs: 1_200 });
    expect(state.next(1_200)).toEqual({ kind: 'sleep' });
    state.acquire(ask('b'), 1_200);
    expect(state.next(2_000)).toEqual({ kind: 'rest', untilMs: 2_700 });
    expect(state.holders).toEqual([]);
  });

  it('wait while it falls asleep, and are granted after it was woken', () => {
    const state = awake();
    state.begin('hibernate');
    const waiter = state.acquire(ask('a'), 10);
    expect(waiter.outcome).toBeNull();
    state.fellAsleep(record({ phase: 'hibernated' }), 20);
    expect(state.next(20)).toEqual({ kind: 'wake' });
  });

  it('have it looked at when the holder could not connect to this very generation', () => {
    const state = awake();
    expect(state.acquire(ask('a', { unreachableGeneration: 0 }), 0).outcome).not.toBeNull();
    expect(state.acquire(ask('a', { unreachableGeneration: 1 }), 0).outcome).toBeNull();
    expect(state.next(0)).toEqual({ kind: 'wake' });
  });
});

describe('what goes wrong', () => {
  it('is told to everybody who waits, and the next one has it tried again', () => {
    const state = fresh(record({ phase: 'hibernated' }));
    const failure = { code: 'Terminal.BackendUnavailable', message: 'no daemon', mayPass: true };
    const waiter = state.acquire(ask('a'), 0);
    state.wakeFailed(failure, 5);
    expect(waiter.outcome).toEqual({ failure });
    expect(state.snapshot()).toMatchObject({ phase: 'failed', failure: { code: failure.code, message: 'no daemon' } });
    expect(state.next(5)).toEqual({ kind: 'rest', untilMs: 1_005 });
    state.acquire(ask('b'), 6);
    expect(state.next(6)).toEqual({ kind: 'wake' });
  });

  it('leaves doubt when it cannot be put to sleep, and is tried again after the idle time', () => {
    const state = awake();
    state.sleepFailed({ code: 'Terminal.Full', message: 'quota', mayPass: false }, 2_000);
    expect(state.snapshot().phase).toBe('awake');
    expect(state.isReady).toBe(false);
    expect(state.next(2_999)).toEqual({ kind: 'rest', untilMs: 3_000 });
    expect(state.next(3_000)).toEqual({ kind: 'sleep' });
  });

  it('is a loss when the environment turns out to be gone', () => {
    const state = awake();
    state.sleepFailed({ code: 'Terminal.SessionLost', message: 'gone', mayPass: false }, 0);
    expect(state.snapshot().phase).toBe('failed');
  });
});

describe('a state from the store', () => {
  it.each(['starting', 'awake', 'hibernating', 'waking'] as const)('is doubted when it says %s', (phase) => {
    const state = fresh(record({ phase }));
    expect(state.isReady).toBe(false);
    expect(state.acquire(ask('a'), 0).outcome).toBeNull();
    expect(state.snapshot().phase).toBe('awake');
  });

  it('is nothing at all when making it was cut off before there was a handle', () => {
    expect(fresh(record({ phase: 'starting', handle: null })).snapshot().phase).toBe('absent');
  });

  it('completes when it has been at rest for long enough', () => {
    const state = fresh(record({ phase: 'hibernated' }));
    expect(state.next(999)).toEqual({ kind: 'rest', untilMs: 1_000 });
    expect(state.next(1_000)).toEqual({ kind: 'complete' });
  });
});

it('carries leases, doubts and the idle time to the next run', () => {
  const state = awake();
  state.acquire(ask('a'), 100);
  const next = new EnvironmentState({ environmentId, backend: 'docker', personId: 'anna', settings }, 400);
  next.adoptCarried(JSON.parse(JSON.stringify(state.carry())) as ReturnType<typeof state.carry>);
  expect(next.snapshot()).toEqual(state.snapshot());
  expect(next.isReady).toBe(true);
  expect(next.next(400)).toEqual({ kind: 'rest', untilMs: 1_600 });
});

it('does what a person asks for before anything else', () => {
  const state = awake();
  state.acquire(ask('a', { unreachableGeneration: 1 }), 0);
  const change = state.change({ what: 'reset', settings });
  expect(state.next(0)).toEqual({ kind: 'change', change });
  state.finish(change, 'done');
  expect(change.outcome).toBe('done');
  expect(state.next(0)).toEqual({ kind: 'wake' });
});

it('shows state, last wake, hours slept, holders and events as Markdown', () => {
  const state = awake();
  state.awoken(record({ sleptMs: 2 * 3_600_000, log: ['2026-01-01T00:00:00.000Z woken in 0.4 s'] }), 0);
  state.acquire(ask('turn/talk/1'), 0);
  const text = renderEnvironment(state.snapshot(), handle, 0);
  expect(text).toContain('**awake** on docker · last wake 0.4 s · slept 2.0 h');
  expect(text).toContain('id `one`');
  expect(text).toContain('`turn/talk/1`');
  expect(text).toContain('woken in 0.4 s');
});

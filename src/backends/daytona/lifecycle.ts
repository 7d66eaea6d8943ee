import { setTimeout as sleep } from 'node:timers/promises';
import type { Sandbox } from '@daytona/sdk';
import { PortError } from '../../lib/port-error.ts';
import type { ChangeOptions, EnvironmentDescription } from '../backend.ts';
import type { DaytonaClient } from './client.ts';
import { statusOf } from './errors.ts';
import { unlessAborted } from './wait.ts';

/** What a state of Daytona's means to us. Every state the API names is here; one that it may add later is moving. */
const stages: Readonly<Record<string, Stage>> = {
  started: 'awake',
  stopped: 'asleep',
  paused: 'asleep',
  archived: 'asleep',
  // Starting is possible from here at once.
  archiving: 'asleep',
  error: 'failed',
  build_failed: 'failed',
  destroyed: 'gone',
  destroying: 'gone',
};
export type Stage = 'awake' | 'asleep' | 'moving' | 'failed' | 'gone';

export function stageOf(sandbox: Sandbox): Stage {
  return stages[sandbox.state ?? 'unknown'] ?? 'moving';
}

export function describeSandbox(sandbox: Sandbox | null): EnvironmentDescription {
  if (!sandbox) return { state: 'absent', detail: 'no such Daytona sandbox' };
  const detail = `Daytona sandbox ${sandbox.name}: ${sandbox.state ?? 'unknown'}`;
  switch (stageOf(sandbox)) {
    case 'awake':
      return { state: 'awake', detail };
    case 'asleep':
    case 'moving':
      return { state: 'hibernated', detail };
    case 'gone':
      return { state: 'absent', detail };
    case 'failed': {
      const reason = `${detail} (${sandbox.errorReason ?? 'no reason given'})`;
      // Waking it is what makes Daytona recover it.
      return sandbox.recoverable === true
        ? { state: 'hibernated', detail: `${reason}, recoverable` }
        : { state: 'failed', detail: reason };
    }
  }
}

export interface Lifecycle {
  /** Started, with every file; from any state it can be started from. Idempotent, also when two callers race. */
  wake(sandbox: Sandbox, options?: ChangeOptions): Promise<void>;
  /** Stopped or archived. Idempotent. */
  sleep(sandbox: Sandbox, options?: ChangeOptions): Promise<void>;
  /** Gone, its name free again. Idempotent. */
  remove(sandbox: Sandbox, options?: ChangeOptions): Promise<void>;
}

/** How long one call of the SDK may wait for a state before we look for ourselves. */
const sliceSeconds = 20;
const lookMs = { first: 100, most: 1_000 };

export function createLifecycle(client: DaytonaClient, changeTimeoutMs: number): Lifecycle {
  /**
   * Looks at the state and does the next thing towards the goal until it is there. What another caller does at the same
   * moment is met as a conflict, and looked at again.
   */
  async function drive(sandbox: Sandbox, options: ChangeOptions | undefined, step: Step): Promise<void> {
    const limit = Date.now() + changeTimeoutMs;
    const report = createReport(options?.progress);
    let pause = lookMs.first;
    try {
      for (;;) {
        options?.signal?.throwIfAborted();
        const next = step(stageOf(sandbox), sandbox);
        if (next === 'done') return;
        if (Date.now() > limit) throw tooLong(sandbox, changeTimeoutMs);
        report.say(next === 'wait' ? `the Daytona sandbox is ${sandbox.state ?? 'unknown'}` : next.says);
        // What was asked for goes on there when the signal ends the wait here.
        if (next === 'wait' || !(await unlessAborted(attempt(next.act), options?.signal))) {
          await unlessAborted(sleep(pause), options?.signal);
          pause = Math.min(pause * 1.2, lookMs.most);
        }
        await look(sandbox);
      }
    } finally {
      report.end();
    }
  }

  /** False: not now, because it is being changed or the SDK stopped waiting. */
  async function attempt(act: () => Promise<void>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (error) {
      if (isForALook(error)) return false;
      return client.ask('control', () => Promise.reject(error as Error));
    }
  }

  async function look(sandbox: Sandbox): Promise<void> {
    await client.ask('control', async () => {
      try {
        await sandbox.refreshData();
      } catch (error) {
        if (statusOf(error) !== 404) throw error;
        sandbox.state = 'destroyed';
      }
    });
  }

  return {
    wake: (sandbox, options) => drive(sandbox, options, towardsAwake),
    sleep: (sandbox, options) => drive(sandbox, options, towardsAsleep),
    remove: (sandbox, options) => drive(sandbox, options, towardsGone),
  };
}

type Step = (stage: Stage, sandbox: Sandbox) => 'done' | 'wait' | { says: string; act: () => Promise<void> };

const towardsAwake: Step = (stage, sandbox) => {
  switch (stage) {
    case 'awake':
      return 'done';
    case 'moving':
      return 'wait';
    case 'asleep': {
      const archived = sandbox.state === 'archived';
      const says = archived ? 'bringing the Daytona sandbox back from the archive' : 'starting the Daytona sandbox';
      return { says, act: () => sandbox.start(sliceSeconds) };
    }
    case 'gone':
      throw gone(sandbox);
    case 'failed':
      if (sandbox.recoverable !== true) throw failed(sandbox);
      return { says: 'recovering the Daytona sandbox', act: () => sandbox.recover(sliceSeconds) };
  }
};

const towardsAsleep: Step = (stage, sandbox) => {
  switch (stage) {
    case 'asleep':
      return 'done';
    case 'moving':
      return 'wait';
    case 'awake':
      return { says: 'stopping the Daytona sandbox', act: () => sandbox.stop(sliceSeconds) };
    case 'gone':
      throw gone(sandbox);
    case 'failed':
      throw failed(sandbox);
  }
};

const towardsGone: Step = (stage, sandbox) => {
  if (stage === 'gone') return sandbox.state === 'destroyed' ? 'done' : 'wait';
  return { says: 'deleting the Daytona sandbox', act: () => sandbox.delete(sliceSeconds, true) };
};

const reportEveryMs = 5_000;

/** Says every new line, and how long it has been going on. */
function createReport(progress: ((line: string) => void) | undefined): { say(line: string): void; end(): void } {
  let line = '';
  let since = Date.now();
  const timer = setInterval(() => {
    progress?.(`${line}, ${Math.round((Date.now() - since) / 1000)} s`);
  }, reportEveryMs);
  timer.unref();
  return {
    say: (next) => {
      if (next === line) return;
      line = next;
      since = Date.now();
      progress?.(line);
    },
    end: () => {
      clearInterval(timer);
    },
  };
}

/** A change is under way, it was overtaken, or the SDK gave up waiting: the state says what to do. */
function isForALook(error: unknown): boolean {
  const status = statusOf(error);
  if (status === 404 || status === 409) return true;
  if (!(error instanceof Error)) return false;
  if (status === 400 || status === 422)
    return /in progress|not in (a )?(valid|stoppable)|not stopped|state change/i.test(error.message);
  // Without a status: a wait of the SDK that ended, in time or in an error state.
  return status === undefined && (error.name === 'DaytonaTimeoutError' || error.name === 'DaytonaError');
}

function gone(sandbox: Sandbox): PortError {
  return new PortError('Terminal.SessionLost', `The Daytona sandbox ${sandbox.name} is gone, its files with it.`);
}

/** Daytona cannot start it; only a person may decide to give up its files. */
function failed(sandbox: Sandbox): PortError {
  return new PortError(
    'Terminal.NeedsDecision',
    `The Daytona sandbox ${sandbox.name} has failed (${sandbox.errorReason ?? 'no reason given'}) and cannot be started. Ask Daytona's support to repair it, or make it again, without its files.`,
    { details: { ask: 'recreate-environment' } },
  );
}

function tooLong(sandbox: Sandbox, timeoutMs: number): PortError {
  return new PortError(
    'Terminal.BackendUnavailable',
    `The Daytona sandbox ${sandbox.name} has been ${sandbox.state ?? 'unknown'} for ${Math.round(timeoutMs / 1000)} s.`,
  );
}

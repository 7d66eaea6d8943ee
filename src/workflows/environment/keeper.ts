import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { condition, log, proxyActivities, setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import type {
  ChangeEnvironmentInput,
  EnvironmentActivities,
  EnvironmentPhase,
  EnvironmentRecord,
} from '../../contracts/environment.ts';
import { searchAttributeNames } from '../../contracts/search-attributes.ts';
import { changeOptions, inspectOptions } from './activity-options.ts';
import { renderEnvironment } from './details.ts';
import type { EnvironmentState, PendingChange } from './environment-state.ts';
import { describeChangeFailure, type ChangeFailure } from './failure.ts';

const stateAttribute = defineSearchAttributeKey(searchAttributeNames.state, SearchAttributeType.KEYWORD);

/** About fifteen seconds of trying, so that a daemon's restart is sat out. */
const defaultRetry = { maxAttempts: 6, firstDelayMs: 500 } as const;
const maxDelayMs = 60_000;

type Ending = { readonly record: EnvironmentRecord } | { readonly failure: ChangeFailure };

/** Carries out what the state asks for, one change at a time. */
export class Keeper {
  private readonly state: EnvironmentState;
  private shownPhase: EnvironmentPhase | null = null;

  constructor(state: EnvironmentState) {
    this.state = state;
  }

  /** Makes it where there is none, else wakes it; tells everybody who waits. Never rejects. */
  async wake(): Promise<ChangeFailure | null> {
    const { state } = this;
    const op = state.record.handle === null ? 'create' : 'wake';
    const ending = await this.attempt(op, 'awake', () => false);
    if ('record' in ending) state.awoken(ending.record, Date.now());
    else state.wakeFailed(ending.failure, Date.now());
    this.show();
    return 'failure' in ending ? ending.failure : null;
  }

  /** Puts it to sleep if nothing runs in it. */
  async sleepWhenQuiet(): Promise<void> {
    if (await this.isBusy()) {
      this.state.touch(Date.now());
      return;
    }
    // Somebody may have come while it was looked at.
    if (this.state.isLeased || this.state.hasWork) return;
    await this.sleep();
  }

  async carryOut(change: PendingChange): Promise<void> {
    this.state.finish(change, (await this.tryToCarryOut(change)) ?? 'done');
  }

  /** Writes what a person wants to see into the details panel. Costs no history. */
  show(): void {
    const { state } = this;
    setCurrentDetails(renderEnvironment(state.snapshot(), state.record.handle, Date.now()));
    const atRest = state.phase === 'awake' || state.phase === 'hibernated' || state.phase === 'failed';
    if (!state.settings.searchAttributes || !atRest || this.shownPhase === state.phase) return;
    this.shownPhase = state.phase;
    upsertSearchAttributes([{ key: stateAttribute, value: state.phase }]);
  }

  private async tryToCarryOut({ request }: PendingChange): Promise<ChangeFailure | null> {
    const { state } = this;
    switch (request.what) {
      case 'wake':
        state.touch(Date.now());
        return state.isReady ? null : this.wake();
      case 'hibernate': {
        if (state.phase === 'absent' || state.phase === 'hibernated') return null;
        const objection = request.force === true ? null : await this.objectionToSleep();
        return objection ?? this.sleep();
      }
      case 'reset': {
        if (request.ifGeneration !== undefined && request.ifGeneration !== state.record.generation) return null;
        const removed = await this.attempt('destroy', 'absent', () => false);
        if ('failure' in removed) {
          state.wakeFailed(removed.failure, Date.now());
          this.show();
          return removed.failure;
        }
        state.record = removed.record;
        return this.wake();
      }
    }
  }

  private async objectionToSleep(): Promise<ChangeFailure | null> {
    const denied = (message: string): ChangeFailure => ({ code: 'Terminal.Denied', message, mayPass: false });
    if (this.state.isLeased) return denied(`It is in use by ${this.state.holders.join(', ')}.`);
    return (await this.isBusy()) ? denied('Commands still run in it.') : null;
  }

  private async sleep(): Promise<ChangeFailure | null> {
    const { state } = this;
    // Who comes while it cannot be put to sleep wants it awake: there is nothing to try again then.
    const ending = await this.attempt('hibernate', 'hibernated', () => state.hasWork);
    if ('record' in ending) state.fellAsleep(ending.record, Date.now());
    else state.sleepFailed(ending.failure, Date.now());
    this.show();
    return 'failure' in ending ? ending.failure : null;
  }

  /** Background commands need it as much as a holder does, and one that cannot be asked may be running some. */
  private async isBusy(): Promise<boolean> {
    const { environmentId } = this.state;
    const { inspectEnvironment } = proxyActivities<EnvironmentActivities>(inspectOptions(this.state));
    try {
      return (await inspectEnvironment({ environmentId })).runningCommands > 0;
    } catch (error) {
      log.warn('could not be asked what runs in it', { environmentId, ...describeChangeFailure(error) });
      return true;
    }
  }

  /** One change, tried again as often as it may help. */
  private async attempt(
    op: ChangeEnvironmentInput['op'],
    wanted: EnvironmentPhase,
    giveUp: () => boolean,
  ): Promise<Ending> {
    const { state } = this;
    const { environmentId, personId, backend } = state;
    const retry = state.settings.retry ?? defaultRetry;
    for (let attempt = 1; ; attempt += 1) {
      state.begin(op);
      this.show();
      const { changeEnvironment } = proxyActivities<EnvironmentActivities>(
        changeOptions(state.settings.heartbeatTimeoutMs, { op, backend, environmentId }),
      );
      const ending = await changeEnvironment({ environmentId, personId, backend, op }).then(
        (record): Ending => (record.phase === wanted ? { record } : { failure: overtaken }),
        (error: unknown): Ending => ({ failure: describeChangeFailure(error) }),
      );
      if ('record' in ending || !ending.failure.mayPass || attempt >= retry.maxAttempts) return ending;
      const doubling = Math.min(maxDelayMs, retry.firstDelayMs * 2 ** (attempt - 1));
      await condition(giveUp, Math.max(doubling, ending.failure.retryAfterMs ?? 0));
      if (giveUp()) return ending;
    }
  }
}

/** Another process has begun a change of its own meanwhile, for instance an attempt everybody had given up. */
const overtaken: ChangeFailure = {
  code: 'Storage.Conflict',
  message: 'Another change got in between.',
  mayPass: true,
};

/**
 * The environment workflow: keeps one environment awake while somebody works in it and puts it to sleep when nobody has
 * for a while. It knows no backend; those live in activities. The store is the truth of where the environment stands.
 */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  log,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type {
  AcquireRequest,
  ChangeRequest,
  EnvironmentActivities,
  EnvironmentInput,
  EnvironmentSettings,
} from '../../contracts/environment.ts';
import { loadOptions } from './activity-options.ts';
import { EnvironmentState } from './environment-state.ts';
import { refusal } from './failure.ts';
import { Keeper } from './keeper.ts';
import { acquireUpdate, changeUpdate, releaseSignal, snapshotQuery } from './messages.ts';

/** Version of {@link EnvironmentInput}; a run started by older code is migrated here, never refused. */
const environmentSchemaVersion = 1;
const defaultEventsLimit = 1_000;
const maxLeaseMs = 24 * 60 * 60_000;

export async function environment(input: EnvironmentInput): Promise<void> {
  const state = new EnvironmentState(input, Date.now());
  // Before the handlers, so that who asks at once meets the state as it was carried over.
  if (input.carried !== undefined) state.adoptCarried(input.carried);
  const keeper = new Keeper(state);
  registerHandlers(state, keeper);
  // Cancelled from outside: who waits is still served, then it ends. The environment stays as it is; the store knows it.
  CancellationScope.current().cancelRequested.catch(() => {
    state.closing = true;
  });
  await CancellationScope.nonCancellable(() => keep(input, state, keeper));
}

async function keep(input: EnvironmentInput, state: EnvironmentState, keeper: Keeper): Promise<void> {
  if (input.carried === undefined) {
    const { loadEnvironment } = proxyActivities<EnvironmentActivities>(loadOptions);
    state.adoptStored(await loadEnvironment({ environmentId: state.environmentId }));
  }
  for (;;) {
    keeper.show();
    const task = state.next(Date.now());
    switch (task.kind) {
      case 'change':
        await keeper.carryOut(task.change);
        break;
      case 'wake':
        await keeper.wake();
        break;
      case 'sleep':
        await keeper.sleepWhenQuiet();
        break;
      case 'rest':
        await rest(state, task.untilMs);
        break;
      case 'complete':
        // Nothing may come between the last look and the end.
        if (allHandlersFinished()) {
          log.info('environment at rest, completing', { environmentId: state.environmentId, phase: state.phase });
          return;
        }
        await condition(allHandlersFinished);
    }
    if (shouldContinueAsNew(state)) await startAfresh(input, state);
  }
}

/** Until there is work, or until `untilMs`; earlier when the last holder has left. */
async function rest(state: EnvironmentState, untilMs: number): Promise<void> {
  await condition(
    () => state.hasWork || state.closing || state.dueAt() < untilMs || shouldContinueAsNew(state),
    Math.max(1, untilMs - Date.now()),
  );
}

async function startAfresh(input: EnvironmentInput, state: EnvironmentState): Promise<void> {
  await condition(allHandlersFinished);
  if (state.hasWork) return;
  await continueAsNew<typeof environment>({
    ...input,
    schemaVersion: environmentSchemaVersion,
    settings: state.settings,
    carried: state.carry(),
  });
}

function shouldContinueAsNew(state: EnvironmentState): boolean {
  const info = workflowInfo();
  if (state.hasWork) return false;
  return (
    info.continueAsNewSuggested || info.historyLength > (state.settings.continueAsNewAfterEvents ?? defaultEventsLimit)
  );
}

function registerHandlers(state: EnvironmentState, keeper: Keeper): void {
  setHandler(
    acquireUpdate,
    async (request) => {
      const waiter = state.acquire(request, Date.now());
      await condition(() => waiter.outcome !== null);
      keeper.show();
      if (waiter.outcome !== null && 'result' in waiter.outcome) return waiter.outcome.result;
      if (waiter.outcome === null) throw new Error('unreachable');
      throw refusal(waiter.outcome.failure, state.record.generation);
    },
    { validator: checkAcquire },
  );
  setHandler(releaseSignal, ({ holder }) => {
    state.release(holder, Date.now());
    keeper.show();
  });
  setHandler(
    changeUpdate,
    async (request) => {
      const change = state.change(request);
      await condition(() => change.outcome !== null);
      if (change.outcome !== null && change.outcome !== 'done') {
        throw refusal(change.outcome, state.record.generation);
      }
      return state.snapshot();
    },
    { validator: (request: ChangeRequest) => checkSettings(request.settings) },
  );
  setHandler(snapshotQuery, () => state.snapshot());
}

function checkAcquire(request: AcquireRequest): void {
  if (request.holder === '' || request.holder.length > 300) throw new Error('holder must have 1 to 300 characters');
  if (!(request.leaseMs > 0 && request.leaseMs <= maxLeaseMs)) throw new Error('leaseMs must be within a day');
  checkSettings(request.settings);
}

function checkSettings({ idleMs, heartbeatTimeoutMs }: EnvironmentSettings): void {
  if (!(idleMs > 0)) throw new Error('settings.idleMs must be positive');
  if (!(heartbeatTimeoutMs > 0)) throw new Error('settings.heartbeatTimeoutMs must be positive');
}

import { setTimeout as sleep } from 'node:timers/promises';
import {
  isGrpcServiceError,
  WithStartWorkflowOperation,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  type WorkflowStartOptions,
} from '@temporalio/client';
import {
  ApplicationFailure,
  defineSearchAttributeKey,
  SearchAttributeType,
  TypedSearchAttributes,
  type Workflow,
} from '@temporalio/common';
import {
  environmentMessageNames,
  type AcquireRequest,
  type AcquireResult,
  type ChangeRequest,
  type EnvironmentInput,
  type EnvironmentPhase,
  type EnvironmentSettings,
  type EnvironmentSnapshot,
} from '../contracts/environment.ts';
import { failureTypes, type FailureType } from '../contracts/failure-types.ts';
import type { JsonValue } from '../contracts/json.ts';
import { searchAttributeNames } from '../contracts/search-attributes.ts';
import { environmentWorkflowId, workflowTypes } from '../contracts/workflow-ids.ts';
import { PortError } from '../lib/port-error.ts';
import type { EnvironmentRow } from '../store/environment-ports.ts';
import type { Store } from '../store/ports.ts';
import type { EnvironmentClient, EnvironmentRef } from './environment-client.ts';
import type { TemporalAccess } from './temporal-conversation-client.ts';

export interface EnvironmentClientOptions {
  readonly access: () => TemporalAccess | null;
  readonly taskQueue: string;
  readonly store: Pick<Store, 'environments'>;
  readonly settings: () => Omit<EnvironmentSettings, 'searchAttributes'>;
}

/** As for conversations: a dead worker's workflow task is given up after this long. */
const workflowTaskTimeoutMs = 3_000;
const rpcTimeoutMs = 10_000;
/** A query needs a live worker; without one the store's word is good enough. */
const queryTimeoutMs = 3_000;
/** Waits after the server has said that too many ask at once, and after a workflow that ended under the question. */
const retryDelaysMs = [100, 200, 400, 800, 1_600, 3_000, 5_000, 5_000] as const;
const resourceExhausted = 8;

const restless: readonly EnvironmentPhase[] = ['starting', 'awake', 'hibernating', 'waking'];

/** Reaches environment workflows through a Temporal client, starting them where they do not run. */
export function createTemporalEnvironmentClient(options: EnvironmentClientOptions): EnvironmentClient {
  const { environments } = options.store;
  const connected = (): TemporalAccess => {
    const access = options.access();
    if (access === null) throw unavailable('Temporal is not connected yet');
    return access;
  };
  const settingsFor = ({ searchAttributes }: TemporalAccess): EnvironmentSettings => ({
    ...options.settings(),
    searchAttributes,
  });
  const startOf = (environment: EnvironmentRef, access: TemporalAccess) =>
    startOptions(environment, { taskQueue: options.taskQueue, settings: settingsFor(access) });
  const update = <Result>(environment: EnvironmentRef, name: string, request: object): Promise<Result> =>
    patiently(() => {
      const access = connected();
      const startWorkflowOperation = new WithStartWorkflowOperation(workflowTypes.environment, {
        ...startOf(environment, access),
        workflowIdConflictPolicy: 'USE_EXISTING',
      });
      return access.client.workflow.executeUpdateWithStart<Workflow, Result, [object]>(name, {
        startWorkflowOperation,
        args: [{ ...request, settings: settingsFor(access) }],
      });
    });

  return {
    list: async (filter) => (await environments.list(filter)).map(snapshotOf),
    snapshot: async (environmentId) => {
      const asked = await askWorkflow(connected, environmentId);
      if (asked !== null) return asked;
      const row = await environments.get(environmentId);
      return row === null ? null : snapshotOf(row);
    },
    change: (environment, request: Omit<ChangeRequest, 'settings'>) =>
      update<EnvironmentSnapshot>(environment, environmentMessageNames.change, request),
    acquire: (environment, request: Omit<AcquireRequest, 'settings'>) =>
      update<AcquireResult>(environment, environmentMessageNames.acquire, request),
    release: (environmentId, holder) =>
      translated(async () => {
        const { client } = connected();
        const handle = client.workflow.getHandle(environmentWorkflowId(environmentId));
        try {
          await client.withDeadline(Date.now() + rpcTimeoutMs, () =>
            handle.signal(environmentMessageNames.release, { holder }),
          );
        } catch (error) {
          if (!(error instanceof WorkflowNotFoundError)) throw error;
        }
      }),
    recover: () =>
      translated(async () => {
        const rows = (await environments.list()).filter((row) => restless.includes(row.phase));
        for (const row of rows) {
          const access = connected();
          await access.client.withDeadline(Date.now() + rpcTimeoutMs, () =>
            access.client.workflow.signalWithStart(workflowTypes.environment, {
              ...startOf(row, access),
              signal: environmentMessageNames.release,
              signalArgs: [{ holder: 'recovery' }],
            }),
          );
        }
        return rows.length;
      }),
  };
}

const personAttribute = defineSearchAttributeKey(searchAttributeNames.person, SearchAttributeType.KEYWORD);

function startOptions(
  environment: EnvironmentRef,
  how: { readonly taskQueue: string; readonly settings: EnvironmentSettings },
): WorkflowStartOptions & { args: [EnvironmentInput] } {
  const { environmentId, backend, personId } = environment;
  const attributes = new TypedSearchAttributes([{ key: personAttribute, value: personId }]);
  return {
    workflowId: environmentWorkflowId(environmentId),
    taskQueue: how.taskQueue,
    args: [{ environmentId, backend, personId, settings: how.settings }],
    workflowTaskTimeout: workflowTaskTimeoutMs,
    staticSummary: `${backend} environment of ${personId}`,
    memo: { person: personId, backend },
    ...(how.settings.searchAttributes ? { typedSearchAttributes: attributes } : {}),
  };
}

/** Null where the workflow does not run or cannot be asked now: then the store says what is known. */
async function askWorkflow(
  connected: () => TemporalAccess,
  environmentId: string,
): Promise<EnvironmentSnapshot | null> {
  try {
    const { client } = connected();
    const handle = client.workflow.getHandle(environmentWorkflowId(environmentId));
    return await client.withDeadline(Date.now() + queryTimeoutMs, async () => {
      // A query is answered by closed runs too, whose state says nothing of now.
      const { status } = await handle.describe();
      if (status.name !== 'RUNNING') return null;
      return handle.query<EnvironmentSnapshot>(environmentMessageNames.snapshot);
    });
  } catch {
    return null;
  }
}

function snapshotOf(row: EnvironmentRow): EnvironmentSnapshot {
  const { environmentId, backend, personId, phase, generation, lastWakeMs, sleptMs, sleepingSince, log, failure } = row;
  return {
    environmentId,
    backend,
    personId,
    phase,
    generation,
    leases: [],
    lastWakeMs,
    sleptMs,
    sleepingSince,
    log,
    failure,
  };
}

/** Asks again while the server says that too many ask at once, or when the workflow ended under the question. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (const delayMs of retryDelaysMs) {
    try {
      return await work();
    } catch (error) {
      if (!isPassing(error)) throw translate(error);
    }
    await sleep(delayMs);
  }
  return translated(work);
}

function isPassing(error: unknown): boolean {
  if (error instanceof WorkflowNotFoundError) return true;
  if (error instanceof WorkflowUpdateFailedError) return codeOf(error) === null;
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    if (isGrpcServiceError(at) && (at.code as number) === resourceExhausted) return true;
  }
  return false;
}

/** The port's code that the workflow gave; null: the update was cut off by the end of its run. */
function codeOf(error: WorkflowUpdateFailedError): FailureType | 'rejected' | null {
  if (!(error.cause instanceof ApplicationFailure)) return null;
  const { type } = error.cause;
  if (type === undefined || type === null || type === 'AcceptedUpdateCompletedWorkflow') return null;
  return Object.hasOwn(failureTypes, type) ? (type as FailureType) : 'rejected';
}

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw translate(error);
  }
}

function translate(error: unknown): PortError {
  if (PortError.is(error)) return error;
  if (error instanceof WorkflowUpdateFailedError) {
    const code = codeOf(error);
    const message = error.cause?.message ?? error.message;
    if (code === null) return new PortError('Storage.Conflict', message, { cause: error });
    if (code === 'rejected') return new PortError('Internal.Invariant', message, { cause: error });
    const details = error.cause instanceof ApplicationFailure ? error.cause.details?.[0] : undefined;
    return new PortError(code, message, {
      // It has been tried as often as it makes sense.
      retryable: false,
      details: (details ?? {}) as Readonly<Record<string, JsonValue>>,
      cause: error,
    });
  }
  return unavailable(error instanceof Error ? error.message : String(error), error);
}

function unavailable(message: string, cause?: unknown): PortError {
  return new PortError('Storage.Unavailable', `Temporal cannot be reached: ${message}`, { cause });
}

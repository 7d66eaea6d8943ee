import { Worker, type WorkflowBundleOption } from '@temporalio/worker';
import type { ConversationActivities } from '../contracts/activities.ts';
import type { EnvironmentActivities } from '../contracts/environment.ts';
import type { TemporalLink } from './temporal-link.ts';

export interface WorkerOptions {
  readonly link: TemporalLink;
  readonly taskQueue: string;
  readonly activities: Partial<ConversationActivities & EnvironmentActivities>;
  readonly workflowBundle: WorkflowBundleOption;
  /** How long running activities may go on after a stop was asked for. */
  readonly drainMs: number;
  /** Workflows kept in memory; 0 replays every workflow at every task. */
  readonly maxCachedWorkflows?: number;
}

/** A worker with the settings that make a kill cost little: see docs/performance.md. */
export async function createWorker(options: WorkerOptions): Promise<Worker> {
  const { link, taskQueue, activities, workflowBundle, drainMs } = options;
  return Worker.create({
    connection: link.connection,
    namespace: link.namespace,
    taskQueue,
    activities,
    workflowBundle,
    maxCachedWorkflows: options.maxCachedWorkflows ?? 150,
    maxConcurrentActivityTaskExecutions: 200,
    // One thread runs them all, and a task that was begun must end in time: those it cannot get to wait at the server.
    maxConcurrentWorkflowTaskExecutions: 6,
    // A dead worker's sticky queue is tried first; this is how long that may take.
    stickyQueueScheduleToStartTimeout: '1s',
    // Heartbeats carry cancellations, so they are not held back for long.
    maxHeartbeatThrottleInterval: '500ms',
    defaultHeartbeatThrottleInterval: '500ms',
    shutdownGraceTime: drainMs,
    shutdownForceTime: drainMs + 3_000,
  });
}

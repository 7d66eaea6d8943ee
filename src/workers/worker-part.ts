import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowBundleOption } from '@temporalio/worker';
import { createActivities } from '../activities/index.ts';
import type { ActivityDeps } from '../activities/deps.ts';
import { bundlePath } from './bundle-path.ts';
import type { Core } from './core.ts';
import { createWorker } from './run-worker.ts';
import type { TemporalLink } from './temporal-link.ts';

export interface WorkerPart {
  /** Resolves when the worker polls for the first time. */
  readonly ready: Promise<void>;
  /** Ends polling, lets running activities finish or hand over, then resolves. */
  stop(): Promise<void>;
}

const restartAfterMs = 500;

/** Runs a worker, and another one should the first fail, until it is stopped. */
export function startWorkerPart(core: Core, link: Promise<TemporalLink>, deps: ActivityDeps): WorkerPart {
  const stopping = new AbortController();
  let markReady: () => void;
  const ready = new Promise<void>((resolve) => (markReady = resolve));
  let shutdown: (() => void) | null = null;

  const isStopping = (): boolean => stopping.signal.aborted;

  const run = async (): Promise<void> => {
    const activities = createActivities(deps);
    const workflowBundle = await loadBundle();
    const opened = await link;
    while (!isStopping()) {
      try {
        const { temporal, service } = core.source.current();
        const worker = await createWorker({
          link: opened,
          taskQueue: temporal.taskQueue,
          activities,
          workflowBundle,
          drainMs: service.drainSeconds * 1000,
        });
        const running = worker.run();
        shutdown = () => worker.shutdown();
        // Asked to stop while the worker was being made.
        if (isStopping()) worker.shutdown();
        markReady();
        await running;
      } catch (error) {
        core.log.error({ error: error instanceof Error ? error.message : String(error) }, 'worker failed');
        await sleep(restartAfterMs);
      } finally {
        shutdown = null;
      }
    }
  };

  const done = run();
  return {
    ready,
    stop: async () => {
      stopping.abort();
      shutdown?.();
      await done;
    },
  };
}

/** The bundle the build has made; a checkout that was not built makes its own. */
async function loadBundle(): Promise<WorkflowBundleOption> {
  if (existsSync(bundlePath)) return { codePath: bundlePath };
  // Loaded only here: the bundler is large.
  const { bundleWorkflows } = await import('./bundle.ts');
  return { code: await bundleWorkflows() };
}

import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { bundleWorkflowCode, NativeConnection, Worker } from '@temporalio/worker';

/** A bare Temporal workflow on the same server, as the yardstick: the same number of signals and activities. */
export interface Bare {
  /** One turn of a workflow, from the signal's call to the last activity's end. Milliseconds. */
  turn(workflowId: string, activities: number): Promise<number>;
  stop(): Promise<void>;
}

export async function startBare(address: string): Promise<Bare> {
  const connection = await NativeConnection.connect({ address, grpcCompression: { codec: 'none' } });
  const client = new Client({ connection });
  const waiting = new Map<string, () => void>();
  const taskQueue = `bare-${randomUUID()}`;
  const quiet = { trace: none, debug: none, info: none, warn: none, error: none, log: none };
  const workflowBundle = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('./bare-workflow.ts', import.meta.url)),
    logger: quiet,
  });
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowBundle,
    activities: {
      step: ({ id, last }: { id: string; last: boolean }) => {
        if (last) waiting.get(id)?.();
        return Promise.resolve('done');
      },
    },
  });
  const running = worker.run();
  return {
    turn: async (workflowId, activities) => {
      const id = randomUUID();
      const started = performance.now();
      const done = new Promise<void>((resolve) => waiting.set(id, resolve));
      await client.workflow.signalWithStart('bare', {
        workflowId,
        taskQueue,
        signal: 'work',
        signalArgs: [{ id, activities }],
      });
      await done;
      waiting.delete(id);
      return performance.now() - started;
    },
    stop: async () => {
      worker.shutdown();
      await running;
      await connection.close();
    },
  };
}

function none(): void {
  // The bundler's progress does not belong into a report.
}

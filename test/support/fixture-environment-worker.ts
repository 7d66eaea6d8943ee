/** A worker for environments over a scripted backend, to be killed at a moment the test chooses. */
import { dirname, join } from 'node:path';
import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { createEnvironmentActivities } from '../../src/activities/index.ts';
import { openStore } from '../../src/store/open-store.ts';
import { createWorker } from '../../src/workers/run-worker.ts';
import type { WorkerInput } from './environment-worker-input.ts';
import { createScriptedBackend, ScriptedPlace } from './scripted-backend.ts';

const input = JSON.parse(process.argv[2] ?? '') as WorkerInput;
Runtime.install({ logger: new DefaultLogger('ERROR') });
const { address, namespace, taskQueue, databaseFile } = input;
const store = await openStore({ file: databaseFile, backupDir: join(dirname(databaseFile), 'backups') });
const backend = createScriptedBackend(new ScriptedPlace(input.placeRoot));
const connection = await NativeConnection.connect({ address });
const worker = await createWorker({
  link: { connection, client: new Client({ connection, namespace }), namespace, searchAttributes: true, address },
  taskQueue,
  activities: createEnvironmentActivities({
    store,
    backendOf: () => Promise.resolve(backend),
    redact: (text) => text,
    log: { info: () => undefined, warn: () => undefined },
  }),
  workflowBundle: { codePath: input.bundleFile },
  drainMs: 1_000,
});
const running = worker.run();
process.stdout.write('ready\n');
await running;

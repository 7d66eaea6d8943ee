import { randomUUID } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { NativeConnection, type Worker } from '@temporalio/worker';
import { createEnvironmentActivities } from '../../src/activities/index.ts';
import type { Backend } from '../../src/backends/backend.ts';
import type { EnvironmentActivities, EnvironmentSettings } from '../../src/contracts/environment.ts';
import { environmentWorkflowId } from '../../src/contracts/workflow-ids.ts';
import type { EnvironmentClient, EnvironmentRef } from '../../src/gateway/environment-client.ts';
import { createTemporalEnvironmentClient } from '../../src/gateway/temporal-environment-client.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/ports.ts';
import { bundleWorkflows } from '../../src/workers/bundle.ts';
import { createWorker } from '../../src/workers/run-worker.ts';
import { createScriptedBackend, ScriptedPlace } from './scripted-backend.ts';
import type { WorkerInput } from './environment-worker-input.ts';
import './quiet-runtime.ts';
import type { TestTemporal } from './temporal-server.ts';

let bundle: Promise<string> | undefined;

export interface WorkerProcess {
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
}

/** Real Temporal, workflow, activities and store over a backend of folders. */
export class EnvironmentEnv {
  readonly temporal: TestTemporal;
  readonly folder: string;
  readonly place: ScriptedPlace;
  readonly store: Store;
  readonly client: Client;
  readonly environments: EnvironmentClient;
  readonly taskQueue: string;
  /** May be changed at any time; the next request carries it. */
  settings: Omit<EnvironmentSettings, 'searchAttributes'> = {
    idleMs: 60_000,
    heartbeatTimeoutMs: 1_500,
    retry: { maxAttempts: 3, firstDelayMs: 50 },
  };
  private readonly connection: NativeConnection;
  private readonly children: ChildProcess[] = [];
  private readonly workers: { readonly worker: Worker; readonly running: Promise<void> }[] = [];

  private constructor(parts: { temporal: TestTemporal; folder: string; store: Store; connection: NativeConnection }) {
    this.temporal = parts.temporal;
    this.folder = parts.folder;
    this.store = parts.store;
    this.connection = parts.connection;
    this.taskQueue = `test-${randomUUID()}`;
    this.place = new ScriptedPlace(join(parts.folder, 'place'));
    this.client = new Client({ connection: this.connection, namespace: this.temporal.namespace });
    this.environments = createTemporalEnvironmentClient({
      access: () => ({ client: this.client, searchAttributes: true }),
      taskQueue: this.taskQueue,
      store: this.store,
      settings: () => this.settings,
    });
  }

  static async create(temporal: TestTemporal): Promise<EnvironmentEnv> {
    const folder = mkdtempSync(join(tmpdir(), 'hermes-environments-'));
    const store = await openStore({ file: join(folder, 'hermes.db'), backupDir: join(folder, 'backups') });
    const connection = await NativeConnection.connect({ address: temporal.address });
    return new EnvironmentEnv({ temporal, folder, store, connection });
  }

  /** @param maxCachedWorkflows 0 replays the whole history at every workflow task. */
  async startWorker(
    more: { maxCachedWorkflows?: number; backend?: Backend; activities?: Partial<EnvironmentActivities> } = {},
  ): Promise<void> {
    bundle ??= bundleWorkflows();
    const backend = more.backend ?? createScriptedBackend(this.place);
    const activities = createEnvironmentActivities({
      store: this.store,
      backendOf: () => Promise.resolve(backend),
      redact: (text) => text,
      log: { info: () => undefined, warn: () => undefined },
    });
    const worker = await createWorker({
      link: {
        connection: this.connection,
        client: this.client,
        namespace: this.temporal.namespace,
        searchAttributes: true,
        address: this.temporal.address,
      },
      taskQueue: this.taskQueue,
      activities: { ...activities, ...more.activities },
      workflowBundle: { code: await bundle },
      drainMs: 1_000,
      ...(more.maxCachedWorkflows === undefined ? {} : { maxCachedWorkflows: more.maxCachedWorkflows }),
    });
    this.workers.push({ worker, running: worker.run() });
  }

  /** A worker in a process of its own, for killing. Resolves when it polls. */
  async spawnWorker(): Promise<WorkerProcess> {
    bundle ??= bundleWorkflows();
    const bundleFile = join(this.folder, 'bundle.js');
    if (!existsSync(bundleFile)) writeFileSync(bundleFile, await bundle);
    const input: WorkerInput = {
      address: this.temporal.address,
      namespace: this.temporal.namespace,
      taskQueue: this.taskQueue,
      databaseFile: join(this.folder, 'hermes.db'),
      placeRoot: this.place.root,
      bundleFile,
    };
    const script = fileURLToPath(new URL('fixture-environment-worker.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', script, JSON.stringify(input)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.children.push(child);
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve());
      child.once('exit', (code) => reject(new Error(`the worker ended with ${String(code)}`)));
    });
    return {
      kill: async () => {
        const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
        if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await gone;
      },
    };
  }

  async stopWorkers(): Promise<void> {
    const all = this.workers.splice(0);
    for (const { worker } of all) worker.shutdown();
    await Promise.all(all.map(({ running }) => running));
  }

  /** An environment nobody has used yet. */
  fresh(): EnvironmentRef {
    return { environmentId: `p-${randomUUID().slice(0, 8)}.scripted`, backend: 'scripted', personId: 'anna' };
  }

  acquire(ref: EnvironmentRef, holder = 'turn/talk/1', leaseMs = 60_000) {
    return this.environments.acquire(ref, { holder, leaseMs });
  }

  async phase(ref: EnvironmentRef): Promise<string | undefined> {
    return (await this.environments.snapshot(ref.environmentId))?.phase;
  }

  handle(ref: EnvironmentRef) {
    return this.client.workflow.getHandle(environmentWorkflowId(ref.environmentId));
  }

  async isRunning(ref: EnvironmentRef): Promise<boolean> {
    return (await this.handle(ref).describe()).status.name === 'RUNNING';
  }

  async close(): Promise<void> {
    await this.stopWorkers();
    for (const child of this.children) child.kill('SIGKILL');
    await this.connection.close();
    await this.store.close();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

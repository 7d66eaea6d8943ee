import type { EnvironmentClient } from '../gateway/environment-client.ts';
import { createTemporalEnvironmentClient } from '../gateway/temporal-environment-client.ts';
import { createForwardingBus } from '../stream/http-bus.ts';
import { createMemoryBus } from '../stream/memory-bus.ts';
import type { StreamBus } from '../stream/bus.ts';
import { composeActivities } from './compose/activities.ts';
import { createGateway, type Gateway } from './compose/gateway.ts';
import { createModels } from './compose/models.ts';
import { createBackends } from './compose/backends.ts';
import { createTerminals, type Terminals } from './compose/terminal.ts';
import type { Core } from './core.ts';
import { removeRunFile, writeRunFile } from './run-file.ts';
import { connectTemporal, type TemporalLink } from './temporal-link.ts';
import { version } from './version.ts';
import { startWorkerPart, type WorkerPart } from './worker-part.ts';

export const roles = ['all', 'worker', 'gateway'] as const;
export type Role = (typeof roles)[number];

export function isRole(value: string): value is Role {
  return (roles as readonly string[]).includes(value);
}

export interface Service {
  start(): Promise<void>;
  /** Takes no new work, lets what runs finish or hand over, closes everything. */
  stop(): Promise<void>;
}

export function createService(core: Core, role: Role): Service {
  const ending = new AbortController();
  const draining = new AbortController();
  const models = createModels(core);
  const bus = createBus(core, role);
  const linked: { link: TemporalLink | null } = { link: null };
  let worker: WorkerPart | null = null;
  let gateway: Gateway | null = null;
  let terminals: Terminals | null = null;
  const backends = createBackends(core);
  const { run } = core.paths;

  const connect = async (): Promise<TemporalLink> => {
    const { source, env, log } = core;
    const link = await connectTemporal({ source, env, log, runFile: run.temporal, signal: ending.signal });
    linked.link = link;
    gateway?.nudge();
    return link;
  };

  return {
    start: async () => {
      const link = connect();
      link.catch((error: unknown) => core.log.debug({ error: String(error) }, 'stopped before temporal was reached'));
      if (role !== 'worker') {
        const environments = createEnvironmentClient(core, linked);
        gateway = createGateway(core, { bus: bus.bus, models, backends, environments, linked });
        await gateway.start();
        writeRunFile(run.gateway, { pid: process.pid });
      }
      if (role !== 'gateway') {
        const environments = createEnvironmentClient(core, linked);
        terminals = createTerminals({ core, store: core.store, backends, environments });
        const parts = { bus: bus.bus, models, terminals, backends, draining: draining.signal };
        worker = startWorkerPart(core, link, composeActivities(core, parts));
        await models.warmUp();
        await worker.ready;
        terminals.keepClean(draining.signal);
        await recoverEnvironments(core, environments);
        writeRunFile(run.worker, { pid: process.pid });
      }
      core.log.info({ role, version, pid: process.pid }, 'ready');
    },
    stop: async () => {
      draining.abort(new Error('this worker is stopping'));
      await worker?.stop();
      terminals?.close();
      await backends.close();
      await gateway?.stop();
      ending.abort(new Error('stopping'));
      await bus.close();
      await linked.link?.connection.close();
      await core.store.close();
      const mine = role === 'worker' ? [run.worker] : [run.gateway, run.api];
      for (const file of role === 'all' ? [...mine, run.worker] : mine) removeRunFile(file);
    },
  };
}

function createEnvironmentClient(core: Core, linked: { readonly link: TemporalLink | null }): EnvironmentClient {
  return createTemporalEnvironmentClient({
    access: () => linked.link,
    taskQueue: core.source.current().temporal.taskQueue,
    store: core.store,
    settings: () => {
      const { terminal, temporal } = core.source.current();
      return { idleMs: terminal.idleMinutes * 60_000, heartbeatTimeoutMs: temporal.heartbeatTimeoutMs };
    },
  });
}

/** What was awake when Temporal's file was lost would stay so, since nobody would put it to sleep. */
async function recoverEnvironments(core: Core, environments: EnvironmentClient): Promise<void> {
  try {
    await environments.recover();
  } catch (error) {
    core.log.warn({ error: error instanceof Error ? error.message : String(error) }, 'environments were not looked at');
  }
}

/** In one process the bus is memory; a worker alone sends its events to the gateway, wherever that is now. */
function createBus(core: Core, role: Role): { readonly bus: StreamBus; close(): Promise<void> } {
  if (role !== 'worker') return { bus: createMemoryBus({ log: core.log }), close: () => Promise.resolve() };
  const bus = createForwardingBus(
    { runFile: core.paths.run.api, tokenFile: core.paths.apiTokenFile },
    { log: core.log },
  );
  return { bus, close: () => bus.close() };
}

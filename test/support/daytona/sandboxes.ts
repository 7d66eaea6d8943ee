import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createMachine, type Machine } from './machine.ts';
import { createToolbox, type Toolbox } from './toolbox.ts';

/** A refusal of the API. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface SandboxRecord {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: string;
  readonly asked: Readonly<Record<string, unknown>>;
  state: string;
  desiredState: string;
  errorReason?: string;
  recoverable?: boolean;
  readonly machine: Machine;
  readonly toolbox: Toolbox;
}

/** How long each change stays in its state on the way, in ms. */
export interface Delays {
  create: number;
  start: number;
  stop: number;
  archive: number;
  restore: number;
  destroy: number;
}

export interface Sandboxes {
  readonly delays: Delays;
  /** How many may be started at once; more is refused as Daytona refuses it. */
  limit: number;
  /** Snapshots that exist. */
  readonly snapshots: Set<string>;
  /** By id or name; throws 404. */
  find(idOrName: string): SandboxRecord;
  all(): SandboxRecord[];
  create(asked: Readonly<Record<string, unknown>>): SandboxRecord;
  change(sandbox: SandboxRecord, to: 'start' | 'stop' | 'archive' | 'recover'): void;
  destroy(sandbox: SandboxRecord): void;
  /** Gone at once, as when somebody removes it on the dashboard. */
  vanish(sandbox: SandboxRecord): Promise<void>;
  /** What there is of the sandboxes of an environment: names, and files on the disk. */
  leftovers(environmentId: string): Promise<string[]>;
  close(): Promise<void>;
}

export function createSandboxes(folder: string): Sandboxes {
  const records = new Map<string, SandboxRecord>();
  const changes = new Set<Promise<void>>();
  /** Id to environment, also of those that are gone. */
  const everMade = new Map<string, string>();
  let closed = false;

  /** Goes on by itself; what fails is a failed sandbox, as it would be there. */
  function background(sandbox: SandboxRecord, work: () => Promise<void>): void {
    const change = work()
      .catch((error: unknown) => {
        if (closed) return;
        sandbox.state = 'error';
        sandbox.errorReason = String(error);
      })
      .finally(() => changes.delete(change));
    changes.add(change);
  }

  const shop: Sandboxes = {
    delays: { create: 20, start: 20, stop: 20, archive: 20, restore: 100, destroy: 20 },
    limit: 1000,
    snapshots: new Set<string>(),
    find: (idOrName) => {
      const sandbox = records.get(idOrName) ?? [...records.values()].find(({ name }) => name === idOrName);
      if (!sandbox) throw new ApiError(404, `Sandbox with ID or name ${idOrName} not found`);
      return sandbox;
    },
    all: () => [...records.values()],
    create: (asked) => {
      const id = randomUUID();
      const name = typeof asked['name'] === 'string' ? asked['name'] : id;
      if ([...records.values()].some((other) => other.name === name)) {
        throw new ApiError(409, `Sandbox with name ${name} already exists`);
      }
      const snapshot = asked['snapshot'];
      if (typeof snapshot === 'string' && !shop.snapshots.has(snapshot)) {
        throw new ApiError(400, `Snapshot ${snapshot} not found. Did you add it through the Daytona Dashboard?`);
      }
      requireRoom();
      const machine = createMachine(join(folder, id));
      const sandbox: SandboxRecord = {
        id,
        name,
        labels: asked['labels'] as Record<string, string>,
        createdAt: new Date().toISOString(),
        asked,
        state: 'creating',
        desiredState: 'started',
        machine,
        toolbox: createToolbox(machine),
      };
      records.set(id, sandbox);
      everMade.set(id, sandbox.labels['hermes.environment'] ?? '');
      background(sandbox, async () => {
        await sleep(shop.delays.create);
        await machine.start();
        sandbox.state = 'started';
      });
      return sandbox;
    },
    change: (sandbox, to) => {
      if (to === 'recover') {
        if (sandbox.state !== 'error' || sandbox.recoverable !== true)
          throw new ApiError(400, 'Sandbox is not in a recoverable state');
        delete sandbox.errorReason;
        sandbox.recoverable = false;
        sandbox.state = sandbox.desiredState = 'stopped';
        shop.change(sandbox, 'start');
        return;
      }
      if (sandbox.state === 'error') throw new ApiError(400, 'Sandbox is in an errored state');
      transitions[to](sandbox);
    },
    destroy: (sandbox) => {
      if (sandbox.state !== sandbox.desiredState && sandbox.state !== 'error') throw inProgress();
      sandbox.desiredState = 'destroyed';
      sandbox.state = 'destroying';
      background(sandbox, async () => {
        await sleep(shop.delays.destroy);
        await sandbox.machine.remove();
        records.delete(sandbox.id);
        sandbox.state = 'destroyed';
      });
    },
    vanish: async (sandbox) => {
      records.delete(sandbox.id);
      sandbox.state = sandbox.desiredState = 'destroyed';
      await sandbox.machine.remove();
    },
    leftovers: async (environmentId) => {
      const folders = await readdir(folder);
      const sandboxes = [...everMade].filter(([, environment]) => environment === environmentId);
      return sandboxes.flatMap(([id]) => [
        ...(records.has(id) ? [`sandbox ${id}`] : []),
        ...(folders.includes(id) ? [`files of ${id}`] : []),
      ]);
    },
    close: async () => {
      closed = true;
      await Promise.all(changes);
      await Promise.all([...records.values()].map(({ machine }) => machine.remove()));
    },
  };

  function requireRoom(): void {
    const started = [...records.values()].filter(({ desiredState }) => desiredState === 'started').length;
    if (started >= shop.limit) throw new ApiError(400, `Total CPU limit exceeded. Maximum allowed: ${shop.limit}.`);
  }

  const transitions = {
    start: (sandbox: SandboxRecord) => {
      if (sandbox.state === 'started' && sandbox.desiredState === 'started') return;
      const fromArchive = sandbox.state === 'archiving' || sandbox.state === 'archived';
      if (sandbox.state !== sandbox.desiredState && sandbox.state !== 'archiving') throw inProgress();
      if (!fromArchive && sandbox.state !== 'stopped') throw new ApiError(400, 'Sandbox is not in valid state');
      requireRoom();
      sandbox.desiredState = 'started';
      sandbox.state = fromArchive ? 'restoring' : 'starting';
      background(sandbox, async () => {
        await sleep(fromArchive ? shop.delays.restore : shop.delays.start);
        await sandbox.machine.start();
        sandbox.state = 'started';
      });
    },
    stop: (sandbox: SandboxRecord) => {
      if (sandbox.state !== sandbox.desiredState) throw inProgress();
      if (sandbox.state !== 'started') throw new ApiError(400, 'Sandbox is not in a stoppable state');
      sandbox.desiredState = 'stopped';
      sandbox.state = 'stopping';
      background(sandbox, async () => {
        await sandbox.machine.stop();
        await sleep(shop.delays.stop);
        sandbox.state = 'stopped';
      });
    },
    archive: (sandbox: SandboxRecord) => {
      if (sandbox.state !== sandbox.desiredState) throw inProgress();
      if (sandbox.state !== 'stopped') throw new ApiError(400, 'Sandbox is not stopped');
      sandbox.desiredState = 'archived';
      sandbox.state = 'archiving';
      background(sandbox, async () => {
        await sleep(shop.delays.archive);
        if (sandbox.desiredState !== 'archived') return;
        await sandbox.machine.archive();
        sandbox.state = 'archived';
      });
    },
  };

  return shop;
}

function inProgress(): ApiError {
  return new ApiError(409, 'Sandbox state change in progress');
}

import { randomUUID } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp, lstat, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend, ChangeOptions, EnvironmentHandle } from '../../src/backends/backend.ts';
import { createLocalBackend } from '../../src/backends/local.ts';
import type { FailureType } from '../../src/contracts/failure-types.ts';
import { PortError } from '../../src/lib/port-error.ts';

/** Moments of a change at which a test can hold the process that makes it. */
export const heldPoints = [
  'create:before',
  'create:made',
  'create:committed',
  'wake:before',
  'wake:copied',
  'wake:done',
  'hibernate:before',
  'hibernate:snapshot',
  'hibernate:committed',
  'hibernate:done',
] as const;
export type HeldPoint = (typeof heldPoints)[number];

type Op = 'create' | 'resume' | 'hibernate' | 'destroy' | 'connect';

/**
 * What a scripted backend has on disk, seen from the test: environments that are awake are folders in `live`, sleeping
 * ones are copies in `snapshots`. All processes share it, and a test may hold them, fail them and count what they did.
 */
export class ScriptedPlace {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
    for (const name of ['live', 'snapshots', 'tmp', 'hold', 'reached', 'fail']) {
      mkdirSync(join(root, name), { recursive: true });
    }
  }

  hold(point: HeldPoint): void {
    writeFileSync(join(this.root, 'hold', point), '');
  }
  letGo(point: HeldPoint): void {
    rmSync(join(this.root, 'hold', point), { force: true });
  }
  isReached(point: HeldPoint): boolean {
    return existsSync(join(this.root, 'reached', point));
  }
  /** The next `times` calls of `op` fail. */
  fail(op: Op, code: FailureType, times: number, details: Readonly<Record<string, string>> = {}): void {
    writeFileSync(join(this.root, 'fail', op), JSON.stringify({ code, times, details }));
  }
  work(environmentId: string): string {
    return join(this.live(environmentId), 'work');
  }
  isAwake(environmentId: string): boolean {
    return existsSync(this.live(environmentId));
  }
  /** As by hand, behind everybody's back. */
  removeLive(environmentId: string): void {
    rmSync(this.live(environmentId), { recursive: true, force: true });
  }
  /** How often something happened: `made anna.scripted`. */
  count(event: string): number {
    return this.journal().filter((line) => line === event).length;
  }
  journal(): readonly string[] {
    const file = join(this.root, 'journal');
    return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
  }
  environments(): readonly string[] {
    return readdirSync(join(this.root, 'live'));
  }
  snapshots(): readonly string[] {
    return readdirSync(join(this.root, 'snapshots'));
  }
  snapshotWork(id: string): string {
    return join(this.root, 'snapshots', id, 'work');
  }

  live(environmentId: string): string {
    return join(this.root, 'live', environmentId);
  }
  note(line: string): void {
    appendFileSync(join(this.root, 'journal'), `${line}\n`);
  }
  async pass(point: HeldPoint): Promise<void> {
    const held = join(this.root, 'hold', point);
    if (!existsSync(held)) return;
    writeFileSync(join(this.root, 'reached', point), '');
    while (existsSync(held)) await sleep(10);
  }
  failIfAsked(op: Op): void {
    const file = join(this.root, 'fail', op);
    if (!existsSync(file)) return;
    const { code, times, details } = JSON.parse(readFileSync(file, 'utf8')) as {
      code: FailureType;
      times: number;
      details: Record<string, string>;
    };
    if (times <= 0) return;
    writeFileSync(file, JSON.stringify({ code, times: times - 1, details }));
    this.note(`failed ${op}`);
    throw new PortError(code, `${op} was told to fail`, { details });
  }
}

/** A backend whose environments are folders; commands in them are real ones of this machine. */
export function createScriptedBackend(place: ScriptedPlace, id = 'scripted'): Backend {
  const { root } = place;
  const commands = (environmentId: string) =>
    createLocalBackend({
      runsDir: join(place.live(environmentId), 'runs'),
      cwd: place.work(environmentId),
      baseEnv: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: place.work(environmentId) },
    });
  const snapshotFolder = (name: string): string => join(root, 'snapshots', name);
  const handleOf = (environmentId: string, state: Readonly<Record<string, string>>): EnvironmentHandle => ({
    environmentId,
    backend: id,
    state,
  });
  /** @returns false when another process was faster. */
  const appear = async (made: string, as: string): Promise<boolean> => {
    try {
      await rename(made, as);
      return true;
    } catch (error) {
      if (!existsSync(as)) throw error;
      await rm(made, { recursive: true, force: true });
      return false;
    }
  };

  const create = async (environmentId: string, options: ChangeOptions = {}): Promise<EnvironmentHandle> => {
    place.failIfAsked('create');
    await place.pass('create:before');
    const handle = handleOf(environmentId, {});
    const made = join(root, 'tmp', randomUUID());
    if (!place.isAwake(environmentId)) {
      await mkdir(join(made, 'work'), { recursive: true });
      if (await appear(made, place.live(environmentId))) place.note(`made ${environmentId}`);
    }
    options.progress?.('made');
    await place.pass('create:made');
    await options.commit?.(handle);
    await place.pass('create:committed');
    return handle;
  };

  const resume = async (handle: EnvironmentHandle): Promise<EnvironmentHandle> => {
    const { environmentId, state } = handle;
    place.failIfAsked('resume');
    await place.pass('wake:before');
    if (place.isAwake(environmentId)) return handle;
    const from = state['snapshot'] === undefined ? null : snapshotFolder(state['snapshot']);
    if (from === null || !existsSync(from)) throw new PortError('Terminal.SessionLost', 'There is nothing to wake.');
    const copy = join(root, 'tmp', randomUUID());
    await copyFolder(from, copy);
    await place.pass('wake:copied');
    if (await appear(copy, place.live(environmentId))) place.note(`woken ${environmentId}`);
    await place.pass('wake:done');
    return handle;
  };

  const hibernate = async (handle: EnvironmentHandle, options: ChangeOptions = {}): Promise<EnvironmentHandle> => {
    const { environmentId } = handle;
    place.failIfAsked('hibernate');
    await place.pass('hibernate:before');
    if (!place.isAwake(environmentId)) return handle;
    const snapshot = `${environmentId}~${randomUUID()}`;
    const copy = join(root, 'tmp', randomUUID());
    await copyFolder(place.live(environmentId), copy);
    await rename(copy, snapshotFolder(snapshot));
    place.note(`snapshot ${environmentId}`);
    await place.pass('hibernate:snapshot');
    const next = handleOf(environmentId, { snapshot });
    await options.commit?.(next);
    await place.pass('hibernate:committed');
    await rm(place.live(environmentId), { recursive: true, force: true });
    for (const other of place.snapshots()) {
      if (other.startsWith(`${environmentId}~`) && other !== snapshot) {
        await rm(snapshotFolder(other), { recursive: true, force: true });
      }
    }
    place.note(`slept ${environmentId}`);
    await place.pass('hibernate:done');
    return next;
  };

  return {
    id,
    hibernates: true,
    check: () => Promise.resolve({ usable: true, detail: root }),
    create,
    resume,
    hibernate,
    destroy: async ({ environmentId }) => {
      place.failIfAsked('destroy');
      place.removeLive(environmentId);
      for (const name of place.snapshots()) {
        if (name.startsWith(`${environmentId}~`)) await rm(snapshotFolder(name), { recursive: true, force: true });
      }
      place.note(`destroyed ${environmentId}`);
    },
    describe: ({ environmentId }) =>
      Promise.resolve({ state: place.isAwake(environmentId) ? 'awake' : 'hibernated', detail: root }),
    connect: async ({ environmentId, state }) => {
      place.failIfAsked('connect');
      if (!place.isAwake(environmentId)) {
        const asleep = state['snapshot'] !== undefined;
        throw new PortError(asleep ? 'Terminal.Asleep' : 'Terminal.SessionLost', 'It is not awake.');
      }
      const local = commands(environmentId);
      return local.connect(await local.create('commands'));
    },
    openShell: () => Promise.reject(new PortError('Terminal.Invalid', 'It has no screen.')),
    sweep: () => Promise.resolve(0),
    close: () => Promise.resolve(),
  };
}

/** Named pipes of runs are of no use in a copy, and cannot be copied. */
async function copyFolder(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true, filter: async (path) => !(await lstat(path)).isFIFO() });
}

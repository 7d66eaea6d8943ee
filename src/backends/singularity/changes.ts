import type { Backend, ChangeOptions, EnvironmentHandle } from '../backend.ts';
import { lost, type Connections } from './connections.ts';
import { touchImage } from './images.ts';
import { withLock } from './lock.ts';
import { instanceName, type SingularityBackendOptions } from './options.ts';
import { wake, type WakeParts } from './wake.ts';

/** Others may be starting or stopping the same environment. */
const lockLimitMs = 120_000;

export interface ChangeParts extends WakeParts {
  readonly options: SingularityBackendOptions;
  readonly connections: Connections;
}

export type Changes = Pick<Backend, 'create' | 'resume' | 'hibernate' | 'destroy'>;

/** Handle and instance of an environment; both follow from its id, so whoever asks first makes the same. */
export function nameOf(
  { installationId }: SingularityBackendOptions,
  environmentId: string,
): { handle: EnvironmentHandle; name: string } {
  const name = instanceName(installationId, environmentId);
  return { name, handle: { environmentId, backend: 'singularity', state: { instance: name } } };
}

/**
 * What changes an environment's state, one change after another for each: under a lock that processes share, with the
 * program's own list as the truth. Every change may be interrupted anywhere and is completed by asking for it again.
 */
export function createChanges(parts: ChangeParts): Changes {
  const { options, program, images, instances, folders, connections } = parts;
  const named = (environmentId: string) => nameOf(options, environmentId);
  const stop = async (environmentId: string) => {
    connections.end(environmentId);
    await instances.stop(named(environmentId).name);
  };
  const locked = <T>({ environmentId }: EnvironmentHandle, work: () => Promise<T>, signal?: AbortSignal) =>
    withLock(folders.lockPath(environmentId), work, { timeoutMs: lockLimitMs, signal, env: program.env });

  async function create(environmentId: string, change: ChangeOptions = {}): Promise<EnvironmentHandle> {
    const { image } = options;
    const { handle, name } = named(environmentId);
    // Getting an image takes minutes, so it is done before the lock is taken.
    const early = (await folders.read(environmentId)) ? null : await images.resolve(image, change);
    const make = async () => {
      let folder = await folders.read(environmentId);
      if (!folder) {
        const imagePath = early ?? (await images.resolve(image, change));
        await touchImage(imagePath, options.cacheDir);
        // An instance over files that are gone is of no use to anybody, and what is left of them neither.
        await stop(environmentId);
        await folders.remove(environmentId);
        folder = await folders.write({ environmentId, image, imagePath, home: null, unlimited: [] });
      }
      await change.commit?.(handle);
      await wake(parts, folder, name, change);
    };
    await locked(handle, make, change.signal);
    return handle;
  }

  async function resume({ environmentId }: EnvironmentHandle, change: ChangeOptions = {}): Promise<EnvironmentHandle> {
    const { handle, name } = named(environmentId);
    const rouse = async () => {
      const folder = await folders.read(environmentId);
      if (!folder) {
        await stop(environmentId);
        throw lost(environmentId);
      }
      await wake(parts, folder, name, change);
      await change.commit?.(handle);
    };
    await locked(handle, rouse, change.signal);
    return handle;
  }

  async function hibernate(
    { environmentId }: EnvironmentHandle,
    change: ChangeOptions = {},
  ): Promise<EnvironmentHandle> {
    const { handle } = named(environmentId);
    const rest = async () => {
      await change.commit?.(handle);
      await stop(environmentId);
    };
    await locked(handle, rest, change.signal);
    return handle;
  }

  async function destroy(handle: EnvironmentHandle): Promise<void> {
    await locked(handle, async () => {
      await stop(handle.environmentId);
      await folders.remove(handle.environmentId);
    });
  }
  return { create, resume, hibernate, destroy };
}

import type { Backend, ChangeOptions, EnvironmentHandle } from '../backend.ts';
import type { Inspected } from './containers.ts';
import { absence, type DockerParts } from './parts.ts';
import { findPlace } from './place.ts';
import type { Snapshot } from './snapshots.ts';
import { removeVolumes } from './sweep.ts';

export const backendId = 'docker';

/**
 * How environments come, sleep, wake and go. What is there decides, not what a handle says: a container that runs is
 * awake; one that does not, or a tagged snapshot, is asleep; nothing is lost.
 */
export function createDockerLifecycle(
  parts: DockerParts,
  drop: (environmentId: string) => void,
): Pick<Backend, 'create' | 'resume' | 'hibernate' | 'destroy'> {
  const { settings, client, names, images, containers, snapshots } = parts;

  /** Brings its container up from what there is; from the image where there is nothing and it may be new. */
  async function wake(
    environmentId: string,
    change: ChangeOptions,
    { orNew }: { orNew: boolean },
  ): Promise<EnvironmentHandle> {
    change.signal?.throwIfAborted();
    const base = async () => {
      const sleepsIn = await snapshots.latest(environmentId);
      if (sleepsIn) return sleepsIn;
      if (!orNew) throw await absence(parts, environmentId);
      return { reference: await images.ensure(change), generation: 0 };
    };
    const prove = (container: Inspected) => findPlace(client, container, settings.cwd);
    const place = await containers.ensureRunning(environmentId, { image: base, prove, hear: change.progress });
    const next = { environmentId, backend: backendId, state: { container: names.container(environmentId), ...place } };
    await change.commit?.(next);
    // The container has the files now, and whoever must know it knows.
    await snapshots.forget(environmentId);
    return next;
  }

  async function hibernate(handle: EnvironmentHandle, change: ChangeOptions = {}): Promise<EnvironmentHandle> {
    const { environmentId } = handle;
    change.signal?.throwIfAborted();
    drop(environmentId);
    const found = await containers.find(environmentId);
    if (!found) {
      const sleepsIn = await snapshots.latest(environmentId);
      if (!sleepsIn) throw await absence(parts, environmentId);
      return changed(sleeping(handle, sleepsIn), change);
    }
    const stopped = found.State.Running ? await containers.stop(found) : found;
    if (settings.hibernate === 'stop') return changed(handle, change);
    change.progress?.('keeping an image of the files');
    const snapshot = await snapshots.take(environmentId, stopped);
    const next = await changed(sleeping(handle, snapshot), change);
    await containers.remove(stopped.Id);
    await snapshots.forget(environmentId, snapshot);
    return next;
  }

  async function destroy({ environmentId }: EnvironmentHandle): Promise<void> {
    drop(environmentId);
    const found = await containers.find(environmentId);
    if (found) await containers.remove(found.Id);
    await snapshots.forget(environmentId);
    await removeVolumes(client, settings.installationId, environmentId);
  }

  return {
    create: (environmentId, change = {}) => wake(environmentId, change, { orNew: true }),
    resume: ({ environmentId }, change = {}) => wake(environmentId, change, { orNew: false }),
    hibernate,
    destroy,
  };
}

async function changed(next: EnvironmentHandle, change: ChangeOptions): Promise<EnvironmentHandle> {
  await change.commit?.(next);
  return next;
}

function sleeping(handle: EnvironmentHandle, { reference }: Snapshot): EnvironmentHandle {
  return { ...handle, state: { ...handle.state, snapshot: reference } };
}

import type { Backend } from '../backend.ts';
import { safeName } from '../run-layout.ts';
import type { Connections } from './connections.ts';
import type { EnvironmentFolders } from './folders.ts';
import type { ImageStore } from './images.ts';
import type { Instances } from './instances.ts';
import { instanceName, instancePrefix } from './options.ts';

export interface SweepParts {
  readonly installationId: string;
  readonly images: ImageStore;
  readonly instances: Instances;
  readonly folders: EnvironmentFolders;
  readonly connections: Connections;
  readonly destroy: (environmentId: string) => Promise<void>;
}

/** Backend.sweep: records of ended runs, environments nobody knows, instances without files, images nobody uses. */
export async function sweepAll(
  { installationId, images, instances, folders, connections, destroy }: SweepParts,
  { olderThanMs, known }: Parameters<Backend['sweep']>[0],
): Promise<number> {
  const wanted = new Set(known.map(({ environmentId }) => safeName(environmentId)));
  const running = await instances.running();
  let count = 0;
  for (const { name, record, changedAtMs } of await folders.all()) {
    const { environmentId, home } = record;
    if (!wanted.has(name)) {
      // One that was just made may not have reached the list of those that are known.
      if (Date.now() - changedAtMs < olderThanMs) continue;
      await destroy(environmentId);
      count += 1;
    } else if (home !== null && running.has(instanceName(installationId, environmentId))) {
      count += await (await connections.to(environmentId)).session.protocol.sweep({ olderThanMs });
    }
  }
  // Asked before looking at the folders: a folder is there before its instance is.
  const ours = [...(await instances.running())].filter((name) => name.startsWith(instancePrefix(installationId)));
  const left = await folders.all();
  const named = new Set(left.map(({ record }) => instanceName(installationId, record.environmentId)));
  for (const name of ours) {
    if (named.has(name)) continue;
    await instances.stop(name);
    count += 1;
  }
  count += await folders.clearRemains(olderThanMs);
  return count + (await images.sweep(new Set(left.map(({ record }) => record.imagePath)), olderThanMs));
}

import type Docker from 'dockerode';
import { unless } from './containers.ts';
import type { DockerClient } from './client.ts';
import type { DockerImages } from './images.ts';
import { labels, type DockerNames } from './names.ts';
import type { DockerSettings } from './options.ts';

export interface SweepOptions {
  readonly olderThanMs: number;
  readonly known: ReadonlySet<string>;
}

/**
 * Removes containers, snapshots, built images and volumes that this installation made, whose environment is not known
 * and that are older than the limit; never a container in which a command runs. A label alone proves nothing, since
 * what people make from our images inherits it: the name must be the one we would give. Says how many.
 */
export async function sweepOrphans(
  client: DockerClient,
  { settings, names, images }: { settings: DockerSettings; names: DockerNames; images: DockerImages },
  { olderThanMs, known }: SweepOptions,
): Promise<number> {
  const { docker } = client;
  const limit = Date.now() - olderThanMs;
  const filters = { label: [`${labels.installation}=${settings.installationId}`] };
  const orphaned = (environmentId: string | undefined): environmentId is string =>
    environmentId !== undefined && !known.has(environmentId);
  let count = 0;

  async function remove(removal: (abortSignal: AbortSignal) => Promise<unknown>): Promise<void> {
    // 404: another client was faster. 409: somebody uses it, so it is no orphan.
    const removed = await client.ask('engine', (abortSignal) =>
      unless(
        [404, 409],
        removal(abortSignal).then(() => true),
      ),
    );
    if (removed === true) count++;
  }

  const containers = await client.ask('engine', (abortSignal) =>
    docker.listContainers({ all: true, filters, abortSignal }),
  );
  for (const { Id, Names, Labels, Created, State } of containers) {
    const environmentId = Labels[labels.environment];
    if (!orphaned(environmentId) || !Names.includes(`/${names.container(environmentId)}`)) continue;
    if (Created * 1_000 > limit || (State === 'running' && (await isBusy(client, Id)))) continue;
    await remove((abortSignal) => docker.getContainer(Id).remove({ force: true, v: true, abortSignal }));
  }

  const current = await images.reference();
  const found = await client.ask('engine', (abortSignal) => docker.listImages({ filters, abortSignal }));
  for (const image of found) {
    const tags = (image.RepoTags as string[] | null) ?? [];
    if (image.Created * 1_000 > limit || tags.some((tag) => tag !== '<none>:<none>' && !names.isOurTag(tag))) continue;
    const environmentId = (image.Labels as Record<string, string> | null)?.[labels.environment];
    if (environmentId === undefined ? tags.includes(current) : known.has(environmentId)) continue;
    await remove((abortSignal) => docker.getImage(image.Id).remove({ abortSignal }));
  }

  count += await sweepVolumes(client, filters, { orphaned, names, limit });
  return count;
}

async function sweepVolumes(
  client: DockerClient,
  filters: { label: string[] },
  { orphaned, names, limit }: { orphaned: (id: string | undefined) => id is string; names: DockerNames; limit: number },
): Promise<number> {
  let count = 0;
  for (const volume of await ownVolumes(client, filters)) {
    const environmentId = volume.Labels[labels.environment];
    if (!orphaned(environmentId) || !volume.Name.startsWith(`${names.container(environmentId)}-`)) continue;
    if (Date.parse(volume.CreatedAt ?? '') > limit) continue;
    const gone = await client.ask('engine', (abortSignal) =>
      unless(
        [404, 409],
        docker(client, volume.Name)
          .remove({ abortSignal })
          .then(() => true),
      ),
    );
    if (gone === true) count++;
  }
  return count;
}

/** Volumes of one environment, whoever uses them. */
export async function removeVolumes(
  client: DockerClient,
  installationId: string,
  environmentId: string,
): Promise<void> {
  const label = [`${labels.installation}=${installationId}`, `${labels.environment}=${environmentId}`];
  for (const { Name } of await ownVolumes(client, { label })) {
    await client.ask('engine', (abortSignal) => unless([404, 409], docker(client, Name).remove({ abortSignal })));
  }
}

async function ownVolumes(client: DockerClient, filters: { label: string[] }): Promise<CreatedVolume[]> {
  const { Volumes } = await client.ask('engine', (abortSignal) => client.docker.listVolumes({ filters, abortSignal }));
  return (Volumes as CreatedVolume[] | null) ?? [];
}

type CreatedVolume = Docker.VolumeInspectInfo & { readonly CreatedAt?: string };

function docker(client: DockerClient, volume: string): Docker.Volume {
  return client.docker.getVolume(volume);
}

/** Whether anything but the waiting main process and its init runs there. */
async function isBusy(client: DockerClient, id: string): Promise<boolean> {
  const answer = await client.ask('container', (abortSignal) =>
    unless([404, 409], client.docker.getContainer(id).top({ ps_args: '-eo pid,args', abortSignal })),
  );
  const processes = (answer as { Processes?: string[][] } | null)?.Processes ?? [];
  return processes.length > 2;
}

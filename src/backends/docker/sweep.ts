import type Docker from 'dockerode';
import { labelsOf, listOf, tagsOf, unless } from './answers.ts';
import type { DockerClient } from './client.ts';
import { labels } from './names.ts';
import type { DockerParts } from './parts.ts';

export interface SweepOptions {
  readonly olderThanMs: number;
  /** Ids of environments that somebody may still use. */
  readonly known: ReadonlySet<string>;
}

interface Sweep {
  readonly parts: DockerParts;
  /** What is younger stays: its record may not be written yet. Milliseconds since 1970. */
  readonly limit: number;
  readonly known: ReadonlySet<string>;
  readonly filters: { readonly label: string[] };
}

/**
 * Removes containers, snapshots, built images and volumes that this installation made, whose environment is not known
 * and that are older than the limit; never a container in which a command runs. A label alone proves nothing, since
 * what people make from our images inherits it: the name must be the one we would give. Says how many.
 */
export async function sweepOrphans(parts: DockerParts, { olderThanMs, known }: SweepOptions): Promise<number> {
  const filters = { label: [`${labels.installation}=${parts.settings.installationId}`] };
  const sweep = { parts, known, filters, limit: Date.now() - olderThanMs };
  // In this order: each is in the way of the next.
  return (await sweepContainers(sweep)) + (await sweepImages(sweep)) + (await sweepVolumes(sweep));
}

async function sweepContainers({ parts, limit, known, filters }: Sweep): Promise<number> {
  const { client, names } = parts;
  const found = await client.ask('engine', (abortSignal) =>
    client.docker.listContainers({ all: true, filters, abortSignal }),
  );
  let count = 0;
  for (const { Id, Names, Labels, Created, State } of found) {
    const environmentId = Labels[labels.environment];
    if (environmentId === undefined || known.has(environmentId)) continue;
    if (!Names.includes(`/${names.container(environmentId)}`) || Created * 1_000 > limit) continue;
    if (State === 'running' && (await isBusy(client, Id))) continue;
    count += await removed(client, (abortSignal) =>
      client.docker.getContainer(Id).remove({ force: true, v: true, abortSignal }),
    );
  }
  return count;
}

async function sweepImages({ parts, limit, known, filters }: Sweep): Promise<number> {
  const { client, names, images } = parts;
  const current = await images.reference();
  const found = await client.ask('engine', (abortSignal) => client.docker.listImages({ filters, abortSignal }));
  let count = 0;
  for (const { Id, RepoTags, Labels, Created } of found) {
    const tags = tagsOf(RepoTags);
    if (Created * 1_000 > limit || !tags.every(names.isOurTag)) continue;
    const environmentId = labelsOf(Labels)[labels.environment];
    if (environmentId === undefined ? tags.includes(current) : known.has(environmentId)) continue;
    count += await removed(client, (abortSignal) => client.docker.getImage(Id).remove({ abortSignal }));
  }
  return count;
}

async function sweepVolumes({ parts, limit, known, filters }: Sweep): Promise<number> {
  const { client, names } = parts;
  let count = 0;
  for (const { Name, Labels, CreatedAt } of await ownVolumes(client, filters)) {
    const environmentId = Labels[labels.environment];
    if (environmentId === undefined || known.has(environmentId)) continue;
    if (!Name.startsWith(`${names.container(environmentId)}-`) || Date.parse(CreatedAt ?? '') > limit) continue;
    count += await removed(client, (abortSignal) => client.docker.getVolume(Name).remove({ abortSignal }));
  }
  return count;
}

/** Volumes of one environment. One that a container of somebody else uses stays. */
export async function removeVolumes(
  client: DockerClient,
  installationId: string,
  environmentId: string,
): Promise<void> {
  const label = [`${labels.installation}=${installationId}`, `${labels.environment}=${environmentId}`];
  for (const { Name } of await ownVolumes(client, { label })) {
    await removed(client, (abortSignal) => client.docker.getVolume(Name).remove({ abortSignal }));
  }
}

type CreatedVolume = Docker.VolumeInspectInfo & { readonly CreatedAt?: string };

async function ownVolumes(client: DockerClient, filters: { label: string[] }): Promise<readonly CreatedVolume[]> {
  const { Volumes } = await client.ask('engine', (abortSignal) => client.docker.listVolumes({ filters, abortSignal }));
  return listOf<CreatedVolume>(Volumes);
}

/** 1 when it was removed. 404: another client was faster. 409: somebody uses it, so it is no orphan. */
async function removed(client: DockerClient, removal: (signal: AbortSignal) => Promise<unknown>): Promise<number> {
  const done = await client.ask('engine', (signal) =>
    unless(
      [404, 409],
      removal(signal).then(() => true),
    ),
  );
  return done === true ? 1 : 0;
}

/** Whether anything but the waiting main process and its init runs there. */
async function isBusy(client: DockerClient, id: string): Promise<boolean> {
  const answer: unknown = await client.ask('container', (abortSignal) =>
    unless([404, 409], client.docker.getContainer(id).top({ ps_args: '-eo pid,args', abortSignal })),
  );
  return listOf((answer as { Processes?: string[][] } | null)?.Processes).length > 2;
}

import type Docker from 'dockerode';
import { labelsOf, tagsOf, unless } from './answers.ts';
import type { BaseImage, Inspected } from './containers.ts';
import type { DockerClient } from './client.ts';
import { follow } from './images.ts';
import { labels, type DockerNames } from './names.ts';
import type { DockerSettings } from './options.ts';

/** Writing an image of some gigabytes. */
const commitLimitMs = 20 * 60_000;

export interface Snapshot extends BaseImage {
  /** See `labels.source`. */
  readonly source: string;
  readonly imageId: string;
}

/**
 * Images that environments sleep in, `hermes-snapshot/<installation>-<environment>:<generation>`. One that carries its
 * tag is what its environment sleeps in; the tag goes once a container made from it runs, or a newer one is kept.
 */
export interface DockerSnapshots {
  /** The newest with a tag; null when the environment sleeps in none. */
  latest(environmentId: string): Promise<Snapshot | null>;
  /** Of a container that has stopped. The same stop gives the same snapshot, however often it is asked for. */
  take(environmentId: string, container: Inspected): Promise<Snapshot>;
  /** Lets go of all but `keep`; what others have tagged stays. */
  forget(environmentId: string, keep?: Snapshot): Promise<number>;
}

export function createDockerSnapshots(
  client: DockerClient,
  settings: DockerSettings,
  names: DockerNames,
): DockerSnapshots {
  const { docker } = client;

  async function images(environmentId: string, all: boolean): Promise<Docker.ImageInfo[]> {
    const label = [`${labels.installation}=${settings.installationId}`, `${labels.environment}=${environmentId}`];
    return client.ask('engine', (abortSignal) => docker.listImages({ all, filters: { label }, abortSignal }));
  }

  async function tagged(environmentId: string): Promise<Snapshot[]> {
    const repository = `${names.snapshots(environmentId)}:`;
    const found = (await images(environmentId, false)).flatMap(({ Id, RepoTags, Labels }) =>
      tagsOf(RepoTags)
        .filter((tag) => tag.startsWith(repository))
        .map((reference) => ({
          reference,
          generation: Number(reference.slice(repository.length)),
          source: labelsOf(Labels)[labels.source] ?? '',
          imageId: Id,
        })),
    );
    return found.sort((a, b) => b.generation - a.generation);
  }

  async function take(environmentId: string, container: Inspected): Promise<Snapshot> {
    const source = `${container.Id} ${container.State.FinishedAt}`;
    const known = await tagged(environmentId);
    const done = known.find((snapshot) => snapshot.source === source);
    if (done) return done;
    const from = Number(container.Config.Labels[labels.generation] ?? '0');
    const generation = Math.max(from, known[0]?.generation ?? 0) + 1;
    const repository = names.snapshots(environmentId);
    const target = { repository, tag: String(generation), marks: marksOf(container, { generation, source }) };
    await client.ask(
      'container',
      async (abortSignal) => {
        const base = await docker.getImage(container.Image).inspect();
        const layers = base.RootFS.Layers?.length ?? 0;
        await (layers >= settings.maxLayers ? flatten : commit)(docker, container, { ...target, abortSignal });
      },
      { timeoutMs: commitLimitMs },
    );
    const reference = `${repository}:${generation}`;
    const { Id } = await client.ask('image', () => docker.getImage(reference).inspect());
    return { reference, generation, source, imageId: Id };
  }

  async function forget(environmentId: string, keep?: Snapshot): Promise<number> {
    let count = 0;
    for (const { reference } of await tagged(environmentId)) {
      if (reference === keep?.reference) continue;
      // Forced: a container may be running on it. That only takes the tag; the layers go with the last user.
      await client.ask('image', (abortSignal) =>
        unless([404], docker.getImage(reference).remove({ force: true, abortSignal })),
      );
      count++;
    }
    // What once had a tag and is now nobody's; refused (409) while a container or a newer image is made from it.
    for (const { Id, RepoTags } of await images(environmentId, true)) {
      if (tagsOf(RepoTags).length > 0) continue;
      await client.ask('image', (abortSignal) => unless([404, 409], docker.getImage(Id).remove({ abortSignal })));
    }
    return count;
  }

  return { latest: async (environmentId) => (await tagged(environmentId))[0] ?? null, take, forget };
}

interface Target {
  readonly repository: string;
  readonly tag: string;
  readonly marks: Record<string, string>;
  readonly abortSignal: AbortSignal;
}

async function commit(docker: Docker, container: Inspected, target: Target): Promise<void> {
  const { repository: repo, tag, marks: Labels, abortSignal } = target;
  const request = { _query: { container: container.Id, repo, tag }, _body: { Labels }, abortSignal };
  await docker.getContainer(container.Id).commit(request);
}

/** The same files in one layer: each commit adds one, and engines refuse an image with too many. */
async function flatten(docker: Docker, container: Inspected, target: Target): Promise<void> {
  const { repository: repo, tag, abortSignal } = target;
  const { Env, User, WorkingDir } = container.Config;
  const word = (text: string) => `"${text.replace(/[\\"$]/g, '\\$&')}"`;
  const changes = [
    ...Env.map((variable) => {
      const at = variable.indexOf('=');
      return `ENV ${variable.slice(0, at)}=${word(variable.slice(at + 1))}`;
    }),
    ...(User === '' ? [] : [`USER ${User}`]),
    ...(WorkingDir === '' ? [] : [`WORKDIR ${WorkingDir}`]),
    ...Object.entries(target.marks).map(([name, value]) => `LABEL ${word(name)}=${word(value)}`),
  ];
  const files = await docker.getContainer(container.Id).export({ abortSignal });
  await follow(await docker.importImage(files, { repo, tag, changes, abortSignal }), () => undefined);
}

function marksOf(container: Inspected, { generation, source }: { generation: number; source: string }) {
  return { ...container.Config.Labels, [labels.generation]: String(generation), [labels.source]: source };
}

import { PortError } from '../../lib/port-error.ts';
import { openDockerClient, type DockerClient } from './client.ts';
import { createDockerContainers, type DockerContainers } from './containers.ts';
import { createDockerImages, type DockerImages } from './images.ts';
import { dockerNames, type DockerNames } from './names.ts';
import { dockerSettings, type DockerBackendOptions, type DockerSettings } from './options.ts';
import { createDockerSnapshots, type DockerSnapshots } from './snapshots.ts';

/** What the backend is put together from. */
export interface DockerParts {
  readonly settings: DockerSettings;
  readonly names: DockerNames;
  readonly client: DockerClient;
  readonly images: DockerImages;
  readonly containers: DockerContainers;
  readonly snapshots: DockerSnapshots;
}

export function dockerParts(options: DockerBackendOptions): DockerParts {
  const settings = dockerSettings(options);
  const names = dockerNames(settings.installationId);
  const client = openDockerClient(settings);
  return {
    settings,
    names,
    client,
    images: createDockerImages(client, settings, names),
    containers: createDockerContainers(client, settings, names),
    snapshots: createDockerSnapshots(client, settings, names),
  };
}

/** Why there is no container: it sleeps in a snapshot, or there is nothing. */
export async function absence({ snapshots }: DockerParts, environmentId: string): Promise<PortError> {
  if (await snapshots.latest(environmentId)) return asleep(environmentId);
  const message =
    'The container of the environment does not exist (any more); it was removed from outside or never made.';
  return new PortError('Terminal.SessionLost', message, { details: { environmentId } });
}

export function asleep(environmentId: string): PortError {
  return new PortError('Terminal.Asleep', 'The environment is asleep.', { details: { environmentId } });
}

import { createHash } from 'node:crypto';
import { safeName } from '../run-layout.ts';

/** What marks containers, images and volumes as ours. */
export const labels = {
  installation: 'hermes.installation',
  environment: 'hermes.environment',
  /** Counts the snapshots of an environment; on a container: the one it was made from. */
  generation: 'hermes.generation',
  /** JSON of the settings a container keeps for life. */
  settings: 'hermes.settings',
  /** On a snapshot: container and time it stopped at, so that a second attempt finds the first one's work. */
  source: 'hermes.source',
} as const;

/** Names of everything the backend makes; the same for the same environment, so that making it twice finds the first. */
export interface DockerNames {
  readonly container: (environmentId: string) => string;
  readonly volume: (environmentId: string, path: string) => string;
  /** Repository of an environment's snapshots; the tag is the generation. */
  readonly snapshots: (environmentId: string) => string;
  /** Tag of an image built from a Dockerfile. */
  readonly built: (fingerprint: string) => string;
  /** Whether an image tag is one that only this installation gives. */
  readonly isOurTag: (tag: string) => boolean;
}

export function dockerNames(installationId: string): DockerNames {
  // Repositories are lower case, which ids need not be.
  const snapshots = (environmentId: string) => `hermes-snapshot/${installationId}-${digest(environmentId)}`;
  const built = `hermes-image/${installationId}`;
  const container = (environmentId: string) => `hermes-${installationId}-${safeName(environmentId)}`;
  return {
    container,
    volume: (environmentId, path) => `${container(environmentId)}-${digest(path).slice(0, 12)}`,
    snapshots,
    built: (fingerprint) => `${built}:${fingerprint}`,
    isOurTag: (tag) => tag.startsWith(`hermes-snapshot/${installationId}-`) || tag.startsWith(`${built}:`),
  };
}

export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}

import type { Backend } from '../../../src/backends/backend.ts';
import { createDockerBackend, type DockerBackendOptions } from '../../../src/backends/docker/docker.ts';

/** The docker backend as the conformance suite's client processes open it. */
export function openBackend(config: string): Promise<Backend> {
  return Promise.resolve(createDockerBackend(JSON.parse(config) as DockerBackendOptions));
}

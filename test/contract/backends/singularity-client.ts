import type { Backend } from '../../../src/backends/backend.ts';
import type { SingularityBackendOptions } from '../../../src/backends/singularity/options.ts';
import { createSingularityBackend } from '../../../src/backends/singularity/singularity.ts';

/** The singularity backend as the conformance suite's client processes open it. */
export function openBackend(config: string): Promise<Backend> {
  return Promise.resolve(createSingularityBackend(JSON.parse(config) as SingularityBackendOptions));
}

import type { Backend } from '../../../src/backends/backend.ts';
import { createLocalBackend, type LocalBackendOptions } from '../../../src/backends/local.ts';

/** The local backend as the conformance suite's client processes open it. */
export function openBackend(config: string): Promise<Backend> {
  return Promise.resolve(createLocalBackend(JSON.parse(config) as LocalBackendOptions));
}

import type { Backend } from '../../../src/backends/backend.ts';
import { createModalBackend, type ModalBackendOptions } from '../../../src/backends/modal/modal.ts';

/** The modal backend as the conformance suite's client processes open it. */
export function openBackend(config: string): Promise<Backend> {
  return Promise.resolve(createModalBackend(JSON.parse(config) as ModalBackendOptions));
}

import type { Backend } from '../../../src/backends/backend.ts';
import { createSshBackend, type SshBackendOptions } from '../../../src/backends/ssh/ssh.ts';

/** The ssh backend as the conformance suite's client processes open it. */
export function openBackend(config: string): Promise<Backend> {
  return Promise.resolve(createSshBackend(JSON.parse(config) as SshBackendOptions));
}

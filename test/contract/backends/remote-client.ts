import type { Backend } from '../../../src/backends/backend.ts';
import { createRemotePlace, type RemotePlaceOptions } from '../../support/remote-place/backend.ts';

/** The smallest remote backend as the conformance suite's client processes open it. */
export function openBackend(config: string): Promise<Backend> {
  return Promise.resolve(createRemotePlace(JSON.parse(config) as RemotePlaceOptions));
}

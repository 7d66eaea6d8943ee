import { PortError } from '../lib/port-error.ts';
import type { Backend } from './backend.ts';
import type { LocalBackendOptions } from './local.ts';

/** What each backend is made from. */
export interface BackendOptions {
  readonly local: LocalBackendOptions;
}

export type BackendId = keyof BackendOptions;

/** Id to loader; a backend's code, and the SDK it may need, is loaded only when it is used. */
const backends = {
  local: async (options) => (await import('./local.ts')).createLocalBackend(options.local),
} as const satisfies Record<BackendId, (options: BackendOptions) => Promise<Backend>>;

export const backendIds = Object.keys(backends) as BackendId[];

function isBackendId(value: string): value is BackendId {
  return Object.hasOwn(backends, value);
}

/** Throws Config.Invalid for an id that is not in the table. */
export async function openBackend(id: string, options: BackendOptions): Promise<Backend> {
  if (!isBackendId(id)) {
    throw new PortError('Config.Invalid', `There is no backend named ${id}; known: ${backendIds.join(', ')}.`);
  }
  return backends[id](options);
}

import { PortError } from '../lib/port-error.ts';
import type { Backend } from './backend.ts';
import type { DaytonaBackendOptions } from './daytona/options.ts';
import type { DockerBackendOptions } from './docker/options.ts';
import type { LocalBackendOptions } from './local.ts';
import type { ModalBackendOptions } from './modal/options.ts';
import type { SingularityBackendOptions } from './singularity/options.ts';
import type { SshBackendOptions } from './ssh/ssh.ts';

/** What each backend is made from. */
export interface BackendOptions {
  readonly local: LocalBackendOptions;
  readonly docker: DockerBackendOptions;
  readonly ssh: SshBackendOptions;
  readonly singularity: SingularityBackendOptions;
  readonly modal: ModalBackendOptions;
  readonly daytona: DaytonaBackendOptions;
}

export type BackendId = keyof BackendOptions;

/** Id to loader; a backend's code, and the SDK it may need, is loaded only when it is used. */
const backends = {
  local: async (options) => (await import('./local.ts')).createLocalBackend(options.local),
  docker: async (options) => (await import('./docker/docker.ts')).createDockerBackend(options.docker),
  ssh: async (options) => (await import('./ssh/ssh.ts')).createSshBackend(options.ssh),
  singularity: async (options) =>
    (await import('./singularity/singularity.ts')).createSingularityBackend(options.singularity),
  modal: async (options) => (await import('./modal/modal.ts')).createModalBackend(options.modal),
  daytona: async (options) => (await import('./daytona/daytona.ts')).createDaytonaBackend(options.daytona),
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

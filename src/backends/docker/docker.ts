import type { Backend } from '../backend.ts';
import { checkDocker } from './check.ts';
import { describeDocker } from './describe.ts';
import { backendId, createDockerLifecycle } from './lifecycle.ts';
import type { DockerBackendOptions } from './options.ts';
import { dockerParts } from './parts.ts';
import { createDockerSessions } from './sessions.ts';
import { sweepOrphans } from './sweep.ts';

export type { DockerBackendOptions } from './options.ts';

/**
 * One container per environment, found by a deterministic name, without capabilities or new privileges. Files anywhere
 * in it survive sleep. It sleeps as a stopped container, or as an image with the container removed; which of both is
 * seen from what is there, so the setting may change at any time. Throws Terminal.Invalid for a `host` that is none.
 */
export function createDockerBackend(options: DockerBackendOptions): Backend {
  const parts = dockerParts(options);
  const { client, containers, images } = parts;
  const sessions = createDockerSessions(parts);
  return {
    id: backendId,
    hibernates: true,
    check: () => checkDocker(client, images),
    ...createDockerLifecycle(parts, sessions.drop),
    describe: ({ environmentId }) => describeDocker(parts, environmentId),
    connect: sessions.connect,
    openShell: sessions.openShell,
    async sweep({ olderThanMs, known }) {
      const ours = known.filter(({ backend }) => backend === backendId);
      const ids = new Set(ours.map(({ environmentId }) => environmentId));
      let count = await sweepOrphans(parts, { olderThanMs, known: ids });
      for (const handle of ours) {
        const found = await containers.find(handle.environmentId);
        if (found?.State.Running !== true || found.State.Paused) continue;
        count += await (await sessions.connect(handle)).protocol.sweep({ olderThanMs });
      }
      return count;
    },
    close() {
      sessions.closeAll();
      client.close();
      return Promise.resolve();
    },
  };
}

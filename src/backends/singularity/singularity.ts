import type { Backend, EnvironmentDescription, EnvironmentHandle } from '../backend.ts';
import { interactiveScript } from '../interactive-script.ts';
import { openLocalShell } from '../local-shell.ts';
import { createChanges, nameOf } from './changes.ts';
import { createCheck } from './check.ts';
import { createConnections } from './connections.ts';
import { createEnvironmentFolders } from './folders.ts';
import { createImageStore } from './images.ts';
import { createInstances } from './instances.ts';
import type { SingularityBackendOptions } from './options.ts';
import { createProgram } from './program.ts';
import { sweepAll } from './sweep.ts';
import { insideCommand } from './transport.ts';

/**
 * Environments as instances of apptainer or singularity over a folder of their own, the overlay, which holds every file
 * that differs from the image. Asleep there is only that folder: no process, no mount.
 *
 * Whether an environment is awake is asked of the program each time, so a machine that was switched off needs no repair.
 * Changes of one environment are made one after another, by a lock that processes share.
 */
export function createSingularityBackend(options: SingularityBackendOptions): Backend {
  const program = createProgram(options);
  const images = createImageStore(program, options.cacheDir);
  const instances = createInstances(program, options);
  const folders = createEnvironmentFolders(options.overlayDir);
  const connections = createConnections({ options, program, instances, folders });
  const changes = createChanges({ options, program, images, instances, folders, connections });

  async function describe({ environmentId }: EnvironmentHandle): Promise<EnvironmentDescription> {
    const folder = await folders.read(environmentId);
    if (!folder) return { state: 'absent', detail: 'not created, or its files are gone' };
    const { name } = nameOf(options, environmentId);
    const { image, unlimited } = folder.record;
    if (!(await instances.running()).has(name))
      return { state: 'hibernated', detail: `${image}, in ${folder.overlay}` };
    const without = unlimited.length === 0 ? '' : `; without the limits ${unlimited.join(', ')}`;
    return { state: 'awake', detail: `${image}, instance ${name}${without}` };
  }

  return {
    id: 'singularity',
    hibernates: true,
    check: createCheck({ options, program, images, instances }),
    ...changes,
    describe,
    connect: async ({ environmentId }) => (await connections.to(environmentId)).session,
    openShell: async ({ environmentId }, screen) => {
      const { entry, home, root } = await connections.to(environmentId);
      const { sessionKey } = screen;
      const place = { root, sessionKey, defaultCwd: options.cwd ?? home, shell: options.shell };
      const words = insideCommand(home, 'exec sh -c "$1"', interactiveScript(place));
      return openLocalShell([await program.path(), ...entry, ...words], program.env, screen);
    },
    sweep: (what) => {
      const { installationId } = options;
      const destroy = (environmentId: string) => changes.destroy(nameOf(options, environmentId).handle);
      return sweepAll({ installationId, images, instances, folders, connections, destroy }, what);
    },
    close: () => {
      connections.endAll();
      return Promise.resolve();
    },
  };
}

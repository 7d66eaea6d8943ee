import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PortError } from '../../../src/lib/port-error.ts';
import type { Backend, EnvironmentHandle } from '../../../src/backends/backend.ts';
import { interactiveScript } from '../../../src/backends/interactive-script.ts';
import { openLocalShell } from '../../../src/backends/local-shell.ts';
import { createShellFiles } from '../../../src/backends/remote-files.ts';
import { createRemoteSession, type RemoteSession } from '../../../src/backends/remote-session.ts';
import type { RemoteShell } from '../../../src/backends/remote-shell.ts';
import { createResidentShell } from '../../../src/backends/resident-shell.ts';
import { safeName } from '../../../src/backends/run-layout.ts';
import { createPlaceTransport, type PlaceOptions } from './transport.ts';

export interface RemotePlaceOptions extends PlaceOptions {
  /** One folder per environment in it. */
  readonly folder: string;
  /** Long files go piece by piece through the shell. */
  readonly withoutStreams?: boolean;
}

/**
 * The smallest backend that is reached by scripts only: a folder per environment, a mark in it while it sleeps. What
 * the remote core does for a real engine it does for this one.
 */
export function createRemotePlace(options: RemotePlaceOptions): Backend {
  const transport = createPlaceTransport(options);
  const connections = new Map<string, { shell: RemoteShell; session: RemoteSession }>();
  const folderOf = ({ environmentId }: { environmentId: string }) => join(options.folder, safeName(environmentId));
  const rootOf = (folder: string) => join(folder, 'runs of it');
  const home = options.env['HOME'] ?? '/';
  const isAsleep = (folder: string) => existsSync(join(folder, 'asleep'));
  const requireAwake = (folder: string) => {
    if (!existsSync(folder)) throw new PortError('Terminal.SessionLost', 'There is no such environment.');
    if (isAsleep(folder)) throw new PortError('Terminal.Asleep', 'The environment sleeps.');
  };

  function open(folder: string) {
    const known = connections.get(folder);
    if (known) return known;
    const shell = createResidentShell({ transport });
    const files = createShellFiles(shell, options.withoutStreams === true ? {} : { transport });
    const session = createRemoteSession({ shell, root: rootOf(folder), home, defaultCwd: home, files });
    const opened = { shell, session };
    connections.set(folder, opened);
    return opened;
  }

  function letGo(folder: string): void {
    connections.get(folder)?.shell.close();
    connections.delete(folder);
  }

  async function wake(handle: EnvironmentHandle): Promise<EnvironmentHandle> {
    if (!existsSync(folderOf(handle))) throw new PortError('Terminal.SessionLost', 'There is no such environment.');
    await rm(join(folderOf(handle), 'asleep'), { force: true });
    return handle;
  }

  return {
    id: 'remote-place',
    hibernates: true,
    check: () => Promise.resolve({ usable: true, detail: 'this machine' }),
    create: async (environmentId) => {
      const handle = { environmentId, backend: 'remote-place', state: {} };
      await mkdir(folderOf(handle), { recursive: true });
      return wake(handle);
    },
    resume: wake,
    hibernate: async (handle) => {
      const folder = folderOf(handle);
      if (isAsleep(folder)) return handle;
      await open(folder).session.protocol.killAll();
      await writeFile(join(folder, 'asleep'), '');
      letGo(folder);
      return handle;
    },
    destroy: async (handle) => {
      const folder = folderOf(handle);
      if (!existsSync(folder)) return;
      await open(folder).session.protocol.killAll();
      letGo(folder);
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
    describe: (handle) => {
      const folder = folderOf(handle);
      if (!existsSync(folder)) return Promise.resolve({ state: 'absent', detail: 'not there' });
      return Promise.resolve({ state: isAsleep(folder) ? 'hibernated' : 'awake', detail: folder });
    },
    connect: async (handle) => {
      requireAwake(folderOf(handle));
      return Promise.resolve(open(folderOf(handle)).session);
    },
    openShell: async (handle, screen) => {
      requireAwake(folderOf(handle));
      const { sessionKey } = screen;
      const script = interactiveScript({ root: rootOf(folderOf(handle)), sessionKey, defaultCwd: home });
      const [program, ...args] = [...options.sh, '-c', script];
      return openLocalShell([program, ...args], options.env, screen);
    },
    sweep: async ({ olderThanMs }) => {
      let count = 0;
      for (const name of await readdir(options.folder)) {
        const folder = join(options.folder, name);
        if (!isAsleep(folder)) count += await open(folder).session.protocol.sweep({ olderThanMs });
      }
      return count;
    },
    close: () => {
      for (const folder of connections.keys()) letGo(folder);
      return Promise.resolve();
    },
  };
}

import { PortError } from '../../lib/port-error.ts';
import type { EnvironmentHandle, InteractiveShell, ScreenOptions } from '../backend.ts';
import { interactiveScript } from '../interactive-script.ts';
import { createRemoteSession, type RemoteSession } from '../remote-session.ts';
import type { RemoteShell, ShellTransport } from '../remote-shell.ts';
import { createResidentShell } from '../resident-shell.ts';
import type { Inspected } from './containers.ts';
import { openProcess } from './exec.ts';
import { absence, asleep, type DockerParts } from './parts.ts';
import { placeOf } from './place.ts';
import { openTerminal } from './terminal.ts';

export interface DockerSessions {
  readonly connect: (handle: EnvironmentHandle) => Promise<RemoteSession>;
  readonly openShell: (handle: EnvironmentHandle, screen: ScreenOptions) => Promise<InteractiveShell>;
  /** Closes the connection to an environment, if there is one. */
  readonly drop: (environmentId: string) => void;
  readonly closeAll: () => void;
}

interface Opened {
  readonly containerId: string;
  readonly shell: RemoteShell;
  readonly session: RemoteSession;
}

/** The session side: one resident shell per environment, opened when it is used. */
export function createDockerSessions(parts: DockerParts): DockerSessions {
  const { client, names, containers } = parts;
  const open = new Map<string, Opened>();

  function drop(environmentId: string): void {
    open.get(environmentId)?.shell.close();
    open.delete(environmentId);
  }

  /** The container that runs, or the port's error for why there is none. */
  async function awake({ environmentId }: EnvironmentHandle): Promise<Inspected> {
    const found = await containers.find(environmentId);
    if (found?.State.Running === true && !found.State.Paused) return found;
    drop(environmentId);
    throw found ? asleep(environmentId) : await absence(parts, environmentId);
  }

  const transportTo = (environmentId: string): ShellTransport => ({
    async open(command) {
      try {
        // By name, so that a session goes on working after the container was made again.
        return await openProcess(client, names.container(environmentId), command);
      } catch (error) {
        const gone = PortError.is(error) && error.code === 'Terminal.SessionLost';
        throw gone ? await absence(parts, environmentId) : error;
      }
    },
  });

  return {
    async connect(handle) {
      const { environmentId } = handle;
      const { Id: containerId } = await awake(handle);
      const known = open.get(environmentId);
      if (known?.containerId === containerId) return known.session;
      drop(environmentId);
      const shell = createResidentShell({ transport: transportTo(environmentId) });
      const { root, home, cwd } = placeOf(handle);
      const session = createRemoteSession({ shell, root, home, defaultCwd: cwd });
      open.set(environmentId, { containerId, shell, session });
      return session;
    },
    async openShell(handle, screen) {
      const { Id } = await awake(handle);
      const { root, cwd } = placeOf(handle);
      const script = interactiveScript({ root, sessionKey: screen.sessionKey, defaultCwd: cwd });
      return openTerminal(client, Id, script, screen);
    },
    drop,
    closeAll() {
      for (const environmentId of [...open.keys()]) drop(environmentId);
    },
  };
}

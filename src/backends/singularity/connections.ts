import { PortError } from '../../lib/port-error.ts';
import { createShellFiles } from '../remote-files.ts';
import { createRemoteSession, type RemoteSession } from '../remote-session.ts';
import type { RemoteShell } from '../remote-shell.ts';
import { createResidentShell } from '../resident-shell.ts';
import type { EnvironmentFolders } from './folders.ts';
import type { Instances } from './instances.ts';
import { instanceName, type SingularityBackendOptions } from './options.ts';
import type { Program } from './program.ts';
import { createTransport, type InstanceTransport } from './transport.ts';

export interface Connection {
  readonly session: RemoteSession;
  /** Words of the program for a process inside, up to what is to run. */
  readonly entry: readonly string[];
  /** Home folder inside. */
  readonly home: string;
  /** Folder of the run protocol inside. */
  readonly root: string;
}

/** The session sides of environments that are awake; at most one of each. */
export interface Connections {
  /** Throws SessionLost where there is no environment and Asleep where it does not run. */
  to(environmentId: string): Promise<Connection>;
  /** Lets go of its processes in the instance. Idempotent. */
  end(environmentId: string): void;
  endAll(): void;
}

export interface ConnectionParts {
  readonly options: SingularityBackendOptions;
  readonly program: Program;
  readonly instances: Instances;
  readonly folders: EnvironmentFolders;
}

interface Open extends Connection {
  readonly transport: InstanceTransport;
  readonly shell: RemoteShell;
}

export function createConnections({ options, program, instances, folders }: ConnectionParts): Connections {
  const opened = new Map<string, Open>();

  function end(environmentId: string): void {
    opened.get(environmentId)?.shell.close();
    opened.delete(environmentId);
  }

  function open(environmentId: string, home: string): Open {
    const entry = instances.entry(instanceName(options.installationId, environmentId));
    const transport = createTransport({ program, entry, home });
    const shell = createResidentShell({ transport });
    // Beside the person's files, in the overlay.
    const root = `${home === '/' ? '' : home}/.hermes-runs`;
    const session = createRemoteSession({
      shell,
      root,
      home,
      defaultCwd: options.cwd ?? home,
      files: createShellFiles(shell, { transport }),
      ...(options.shell === undefined ? {} : { shellPath: options.shell }),
    });
    const connection = { transport, shell, session, entry, home, root };
    opened.set(environmentId, connection);
    return connection;
  }

  return {
    async to(environmentId) {
      const folder = await folders.read(environmentId);
      if (!folder) {
        end(environmentId);
        throw lost(environmentId);
      }
      const known = opened.get(environmentId);
      if (known?.transport.connected()) return known;
      const { home } = folder.record;
      if (home === null || !(await instances.running()).has(instanceName(options.installationId, environmentId))) {
        throw new PortError('Terminal.Asleep', 'The environment is asleep.', { details: { environmentId } });
      }
      return opened.get(environmentId) ?? open(environmentId, home);
    },
    end,
    endAll: () => {
      for (const environmentId of [...opened.keys()]) end(environmentId);
    },
  };
}

export function lost(environmentId: string): PortError {
  return new PortError('Terminal.SessionLost', 'The environment does not exist (any more).', {
    details: { environmentId },
  });
}

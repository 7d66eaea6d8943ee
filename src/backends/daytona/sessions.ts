import type { Sandbox } from '@daytona/sdk';
import { PortError } from '../../lib/port-error.ts';
import type { EnvironmentHandle, InteractiveShell, ScreenOptions } from '../backend.ts';
import { interactiveScript } from '../interactive-script.ts';
import { createRemoteSession, type RemoteSession } from '../remote-session.ts';
import type { RemoteShell } from '../remote-shell.ts';
import type { DaytonaClient } from './client.ts';
import { createDaytonaFiles } from './files.ts';
import { describeSandbox, stageOf } from './lifecycle.ts';
import type { DaytonaSettings } from './options.ts';
import { openScreen } from './screen.ts';
import { createDaytonaShell } from './shell.ts';

/** The way from a handle into its sandbox. */
export interface Sessions {
  /** The sandbox in whatever state. Terminal.SessionLost. */
  present(handle: EnvironmentHandle): Promise<Sandbox>;
  /** Terminal.Asleep, SessionLost. */
  awake(handle: EnvironmentHandle): Promise<Sandbox>;
  session(handle: EnvironmentHandle, sandbox: Sandbox): RemoteSession;
  shell(handle: EnvironmentHandle, sandbox: Sandbox, screen: ScreenOptions): Promise<InteractiveShell>;
}

export function createSessions(client: DaytonaClient, settings: DaytonaSettings): Sessions {
  async function present(handle: EnvironmentHandle): Promise<Sandbox> {
    const sandbox = await client.find(sandboxIdOf(handle));
    if (sandbox && stageOf(sandbox) !== 'gone') return sandbox;
    const message = `There is no Daytona sandbox for ${handle.environmentId} any more.`;
    throw new PortError('Terminal.SessionLost', message);
  }

  async function awake(handle: EnvironmentHandle): Promise<Sandbox> {
    const sandbox = await present(handle);
    if (stageOf(sandbox) === 'awake') return sandbox;
    throw new PortError('Terminal.Asleep', `${describeSandbox(sandbox).detail}.`);
  }

  /** A refusal by the proxy may only mean that there is no daemon to pass a request on to. */
  const reasonOf = (handle: EnvironmentHandle) => async (error: PortError) => {
    if (error.code !== 'Terminal.SessionLost' && error.code !== 'Terminal.Invalid') return error;
    try {
      await awake(handle);
    } catch (reason) {
      return PortError.is(reason) ? reason : error;
    }
    return error.code === 'Terminal.Invalid' ? error : new PortError('Terminal.BackendUnavailable', error.message);
  };

  const shellOf = (handle: EnvironmentHandle, sandbox: Sandbox): RemoteShell =>
    createDaytonaShell(client, sandbox, reasonOf(handle));

  return {
    present,
    awake,
    session: (handle, sandbox) => {
      const shell = shellOf(handle, sandbox);
      const { root, home } = placesOf(handle);
      const files = createDaytonaFiles(client, sandbox, shell);
      return createRemoteSession({ shell, root, home, defaultCwd: settings.cwd ?? home, files });
    },
    shell: (handle, sandbox, screen) => {
      const { root, home } = placesOf(handle);
      const script = interactiveScript({ root, sessionKey: screen.sessionKey, defaultCwd: settings.cwd ?? home });
      return openScreen({ client, sandbox, shell: shellOf(handle, sandbox), root }, script, screen);
    },
  };
}

export function sandboxIdOf(handle: EnvironmentHandle): string {
  const sandboxId = handle.state['sandboxId'];
  if (sandboxId !== undefined) return sandboxId;
  throw new PortError('Internal.Invariant', `The handle of ${handle.environmentId} names no Daytona sandbox.`);
}

function placesOf(handle: EnvironmentHandle): { root: string; home: string } {
  const home = handle.state['home'] ?? '/root';
  return { home, root: `${home.replace(/\/$/, '')}/.hermes` };
}

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
  /** The same one for as long as the sandbox is reached at the same address; it holds nothing open. */
  session(handle: EnvironmentHandle, sandbox: Sandbox): RemoteSession;
  /** Drops what is remembered of a sandbox, or of all. */
  forget(sandboxId?: string): void;
  shell(handle: EnvironmentHandle, sandbox: Sandbox, screen: ScreenOptions): Promise<InteractiveShell>;
}

export function createSessions(client: DaytonaClient, settings: DaytonaSettings): Sessions {
  // A session that has seen its scripts in place need not look for them again: two round trips less per command.
  const remembered = new Map<string, { readonly address: string; readonly session: RemoteSession }>();

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

  function openSession(handle: EnvironmentHandle, sandbox: Sandbox): RemoteSession {
    const shell = shellOf(handle, sandbox);
    const { root, home } = placesOf(handle);
    const files = createDaytonaFiles(client, sandbox, shell);
    return createRemoteSession({ shell, root, home, defaultCwd: settings.cwd ?? home, files });
  }

  return {
    present,
    awake,
    session: (handle, sandbox) => {
      const known = remembered.get(sandbox.id);
      if (known?.address === sandbox.toolboxProxyUrl) return known.session;
      const session = openSession(handle, sandbox);
      remembered.set(sandbox.id, { address: sandbox.toolboxProxyUrl, session });
      return session;
    },
    forget: (sandboxId) => {
      if (sandboxId === undefined) remembered.clear();
      else remembered.delete(sandboxId);
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

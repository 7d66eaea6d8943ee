import type { TerminalSession } from './backend.ts';
import { createShellFiles, type RemoteFiles } from './remote-files.ts';
import type { RemoteShell } from './remote-shell.ts';
import { createRunProtocol, type RunProtocol } from './run-protocol.ts';
import { createShellHost } from './shell-host.ts';
import { createTerminalSession } from './terminal-session.ts';

export interface RemoteSessionOptions {
  readonly shell: RemoteShell;
  /** Folder in the environment for scripts, sessions and runs; POSIX, absolute. Made when missing. */
  readonly root: string;
  /** What `~` stands for; absolute. */
  readonly home: string;
  /** Where sessions start; absolute. */
  readonly defaultCwd: string;
  /** Absolute path of the shell for commands; bash, or sh where there is none, by default. */
  readonly shellPath?: string;
  /** `createShellFiles(shell)` by default. Give one with a transport, or the backend's own. */
  readonly files?: RemoteFiles;
}

/** The session side of a remote environment. */
export interface RemoteSession extends TerminalSession {
  readonly protocol: RunProtocol;
}

/** Commands and files of an environment that is reached by running small scripts there. Asks nothing by itself. */
export function createRemoteSession(options: RemoteSessionOptions): RemoteSession {
  const { shell, root, home, defaultCwd, shellPath, files = createShellFiles(shell) } = options;
  const protocol = createRunProtocol(createShellHost({ shell, root }), { defaultCwd, shell: shellPath });
  return { ...createTerminalSession({ protocol, files, home }), protocol };
}

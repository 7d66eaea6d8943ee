import { posix } from 'node:path';
import { PortError } from '../lib/port-error.ts';
import type { TerminalSession } from './backend.ts';
import type { RemoteFiles } from './remote-files.ts';
import type { RunProtocol } from './run-protocol.ts';

export interface TerminalSessionParts {
  readonly protocol: RunProtocol;
  readonly files: Omit<RemoteFiles, 'stat'>;
  /** What `~` stands for; absolute. */
  readonly home: string;
}

/** The session side from runs and files: paths are made absolute by the session's directory. */
export function createTerminalSession({ protocol, files, home }: TerminalSessionParts): TerminalSession {
  const resolve = async (path: string, sessionKey: string): Promise<string> => {
    if (path.includes('\0')) throw new PortError('Terminal.Invalid', 'A path cannot contain a NUL character.');
    const expanded = path === '~' || path.startsWith('~/') ? posix.join(home, path.slice(1)) : path;
    if (posix.isAbsolute(expanded)) return posix.normalize(expanded);
    return posix.join(await protocol.cwd(sessionKey), expanded);
  };
  return {
    ...protocol,
    start: async (spec) =>
      protocol.start(spec.cwd === undefined ? spec : { ...spec, cwd: await resolve(spec.cwd, spec.sessionKey) }),
    resolve: (path, { sessionKey }) => resolve(path, sessionKey),
    realPath: async (path, { sessionKey }) => files.realPath(await resolve(path, sessionKey)),
    readFile: async (path, { sessionKey, ...range }) => files.read(await resolve(path, sessionKey), range),
    writeFile: async (path, bytes, { sessionKey }) => files.write(await resolve(path, sessionKey), bytes),
    listFiles: async (path, { sessionKey }) => files.list(await resolve(path, sessionKey)),
    download: async (path, { sessionKey }) => files.download(await resolve(path, sessionKey)),
    upload: async (path, source, { sessionKey, ...rest }) =>
      files.upload(await resolve(path, sessionKey), source, rest),
  };
}

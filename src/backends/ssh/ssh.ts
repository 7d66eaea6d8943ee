import { PortError } from '../../lib/port-error.ts';
import type { Backend, BackendCheck, ChangeOptions, EnvironmentHandle, ScreenOptions } from '../backend.ts';
import { interactiveScript } from '../interactive-script.ts';
import { trustServer } from './connect.ts';
import { destinationName } from './destination.ts';
import { createEnvironments, type Environments } from './environments.ts';
import { createLink, type Link, type LinkOptions } from './link.ts';
import type { Place } from './places.ts';
import { openTerminal } from './shell.ts';

export interface SshBackendOptions extends LinkOptions {
  /** Folder there for environments, absolute or below `~/`; `~/.hermes-runs` where not given. */
  readonly root?: string;
  /** Where sessions start, absolute or below `~/`; the home folder there where not given. */
  readonly cwd?: string;
  /** Unique per home folder: several may use one account. */
  readonly installationId: string;
}

export interface SshBackend extends Backend {
  /**
   * The person's answer to `Terminal.NeedsDecision` with `ask: 'trust-host-key'`: the server is asked for its key once
   * more, and the key is written down. Idempotent. Terminal.Denied where it shows another key now.
   */
  trustHostKey(accepted: TrustedHostKey): Promise<void>;
}

export interface TrustedHostKey {
  readonly host: string;
  readonly port: number;
  /** `SHA256:…` */
  readonly fingerprint: string;
}

const checkMs = 5_000;

interface Parts {
  readonly link: Link;
  readonly environments: Environments;
}

/**
 * Commands on a machine that is reached by ssh, as the account that logs in. An environment is a folder there with the
 * records of its runs; the person's own files are where they are and are never removed. Hibernating disconnects.
 * The handle's state: `identity` and `place` of the folder, and `asleep` while it hibernates.
 */
export function createSshBackend(options: SshBackendOptions): SshBackend {
  let used: Parts | undefined;
  // Not before it is used: options that name no server are no reason to fail for what does not need one.
  const parts = () => {
    if (used) return used;
    const link = createLink(options);
    const { root, cwd, installationId } = options;
    used = { link, environments: createEnvironments({ link, root, cwd, installationId }) };
    return used;
  };
  const find = (handle: EnvironmentHandle) =>
    parts().environments.find(handle.environmentId, handle.state['identity'] ?? '');
  const existing = async (handle: EnvironmentHandle): Promise<Place> => {
    if (handle.state['asleep'] !== undefined) throw asleepError(handle);
    return (await find(handle)) ?? notThere(handle, parts().link);
  };

  return {
    id: 'ssh',
    hibernates: true,
    check: () => check(parts),
    async create(environmentId) {
      const { link, environments } = parts();
      const { folder, identity } = await environments.make(environmentId);
      return {
        environmentId,
        backend: 'ssh',
        state: { identity, place: `${destinationName(link.destination)} ${folder}` },
      };
    },
    async resume(handle) {
      const awake = wake(handle);
      await existing(awake);
      return awake;
    },
    async hibernate(handle, change: ChangeOptions = {}) {
      const asleep = { ...handle, state: { ...handle.state, asleep: 'yes' } };
      await change.commit?.(asleep);
      parts().environments.letGo(handle.environmentId);
      return asleep;
    },
    async destroy(handle) {
      const place = await find(handle);
      if (place) await parts().environments.remove(handle.environmentId, place);
    },
    async describe(handle) {
      const place = await find(handle);
      const where = destinationName(parts().link.destination);
      if (!place) return { state: 'absent', detail: `not on ${where}` };
      if (handle.state['asleep'] === undefined)
        return { state: 'awake', detail: `${where}, records in ${place.folder}` };
      return { state: 'hibernated', detail: `disconnected from ${where}` };
    },
    connect: async (handle) => parts().environments.session(handle.environmentId, await existing(handle)),
    async openShell(handle, screen: ScreenOptions) {
      const { folder } = await existing(handle);
      const { link, environments } = parts();
      const defaultCwd = await environments.startFolder(handle.environmentId);
      const script = interactiveScript({ root: folder, sessionKey: screen.sessionKey, defaultCwd });
      return openTerminal(link.pool, script, screen);
    },
    sweep: (age) => sweep(parts, age),
    trustHostKey: ({ host, port, fingerprint }) =>
      trustServer(parts().link.route, { host: host.toLowerCase(), port, fingerprint }),
    close() {
      used?.environments.letGoOfAll();
      return Promise.resolve();
    },
  };
}

async function sweep(
  parts: () => Parts,
  { olderThanMs, known }: { olderThanMs: number; known: readonly EnvironmentHandle[] },
): Promise<number> {
  const ours = known.filter(({ backend }) => backend === 'ssh');
  const awake = ours.filter(({ state }) => state['asleep'] === undefined);
  // Nobody is connected to for the sake of tidying up alone.
  if (awake.length === 0) return 0;
  const { environments } = parts();
  let count = 0;
  for (const { environmentId, state } of awake) {
    const place = await environments.find(environmentId, state['identity'] ?? '');
    if (!place) continue;
    const { protocol } = await environments.session(environmentId, place);
    count += await protocol.sweep({ olderThanMs });
  }
  const ids = ours.map(({ environmentId }) => environmentId);
  return count + (await environments.sweepUnknown(ids, olderThanMs));
}

async function check(parts: () => Parts): Promise<BackendCheck> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `The server did not answer within ${checkMs / 1000} s.`;
    timer = setTimeout(() => {
      reject(new PortError('Terminal.BackendUnavailable', message));
    }, checkMs);
  });
  try {
    const { link, environments } = parts();
    const software = await Promise.race([link.pool.software(), late]);
    const { user, system, missing } = await Promise.race([environments.survey(), late]);
    const detail = `${software} on ${destinationName(link.destination)}, as ${user}${system === '' ? '' : `, ${system}`}`;
    if (missing.length === 0) return { usable: true, detail };
    return { usable: false, detail: `${detail}, without ${missing.join(', ')}`, fix: 'Install them there.' };
  } catch (error) {
    if (!PortError.is(error)) return { usable: false, detail: String(error) };
    return { usable: false, detail: error.message, ...fixOf(error) };
  } finally {
    clearTimeout(timer);
  }
}

function fixOf({ code, details }: PortError): { fix?: string } {
  const { fingerprint } = details;
  if (code === 'Terminal.NeedsDecision' && typeof fingerprint === 'string') {
    return { fix: `Accept the key ${fingerprint} when you are asked, if it is the server's.` };
  }
  if (code === 'Terminal.Authentication') return { fix: 'hermes config set terminal.ssh.keyFile PATH' };
  if (code === 'Terminal.Invalid') return { fix: 'hermes config set terminal.ssh.host HOST' };
  return {};
}

function wake(handle: EnvironmentHandle): EnvironmentHandle {
  const state = Object.entries(handle.state).filter(([name]) => name !== 'asleep');
  return { ...handle, state: Object.fromEntries(state) };
}

function asleepError({ environmentId }: EnvironmentHandle): PortError {
  return new PortError('Terminal.Asleep', 'The environment hibernates; it must be woken first.', {
    details: { environmentId },
  });
}

function notThere({ environmentId, state }: EnvironmentHandle, link: Link): never {
  const place = state['place'] ?? 'another machine';
  const message = `The environment is not on ${destinationName(link.destination)} (any more); it was made on ${place}.`;
  throw new PortError('Terminal.SessionLost', message, { details: { environmentId } });
}

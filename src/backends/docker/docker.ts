import { PortError } from '../../lib/port-error.ts';
import type { Backend, ChangeOptions, EnvironmentDescription, EnvironmentHandle, ScreenOptions } from '../backend.ts';
import { interactiveScript } from '../interactive-script.ts';
import { createRemoteSession, type RemoteSession } from '../remote-session.ts';
import type { RemoteShell } from '../remote-shell.ts';
import { createResidentShell } from '../resident-shell.ts';
import { checkDocker } from './check.ts';
import { openDockerClient } from './client.ts';
import { createDockerContainers, type Inspected } from './containers.ts';
import { openProcess, openTerminal, runOnce } from './exec.ts';
import { createDockerImages } from './images.ts';
import { dockerNames } from './names.ts';
import { dockerSettings, type DockerBackendOptions } from './options.ts';
import { driftOf } from './settings.ts';
import { createDockerSnapshots, type Snapshot } from './snapshots.ts';
import { removeVolumes, sweepOrphans } from './sweep.ts';

export type { DockerBackendOptions } from './options.ts';

const backendId = 'docker';

interface Opened {
  readonly containerId: string;
  readonly shell: RemoteShell;
  readonly session: RemoteSession;
}

/**
 * One container per environment, found by a deterministic name, without capabilities or new privileges. Files anywhere
 * in it survive sleep. It sleeps as a stopped container, or as an image with the container removed; which of both is
 * seen from what is there, so the setting may change at any time.
 */
export function createDockerBackend(options: DockerBackendOptions): Backend {
  const settings = dockerSettings(options);
  const names = dockerNames(settings.installationId);
  const client = openDockerClient(settings);
  const images = createDockerImages(client, settings, names);
  const containers = createDockerContainers(client, settings, names);
  const snapshots = createDockerSnapshots(client, settings, names);
  const open = new Map<string, Opened>();

  function drop(environmentId: string): void {
    open.get(environmentId)?.shell.close();
    open.delete(environmentId);
  }

  async function changed(next: EnvironmentHandle, change: ChangeOptions): Promise<EnvironmentHandle> {
    await change.commit?.(next);
    return next;
  }

  async function absence(environmentId: string): Promise<PortError> {
    if (await snapshots.latest(environmentId)) {
      return new PortError('Terminal.Asleep', 'The environment is asleep.', { details: { environmentId } });
    }
    const message =
      'The container of the environment does not exist (any more); it was removed from outside or never made.';
    return new PortError('Terminal.SessionLost', message, { details: { environmentId } });
  }

  /** Brings its container up from what there is; without anything from the image, or it is lost. */
  async function wake(environmentId: string, change: ChangeOptions, orNew: boolean): Promise<EnvironmentHandle> {
    change.signal?.throwIfAborted();
    const base = async () => {
      const asleep = await snapshots.latest(environmentId);
      if (asleep) return asleep;
      if (!orNew) throw await absence(environmentId);
      return { reference: await images.ensure(change), generation: 0 };
    };
    const container = await containers.ensureRunning(environmentId, base, change.progress);
    const next = await changed(await handleOf(environmentId, container), change);
    // The container has the files now, and whoever must know it knows.
    await snapshots.forget(environmentId);
    return next;
  }

  async function handleOf(environmentId: string, container: Inspected): Promise<EnvironmentHandle> {
    const { exitCode, stdout, stderr } = await runOnce(client, container.Id, placeScript);
    const [home = '', cwd = '', root = ''] = stdout.split('\n');
    if (exitCode !== 0 || root === '') {
      throw new PortError(
        'Terminal.Invalid',
        `No command can run in ${container.Config.Image}: ${(stderr || stdout).trim().slice(0, 300)}. It needs a shell and a folder to write to; check terminal.docker.image and terminal.docker.user.`,
      );
    }
    return {
      environmentId,
      backend: backendId,
      state: { container: names.container(environmentId), home, cwd: cwd === '/' ? home : cwd, root },
    };
  }

  async function hibernate(handle: EnvironmentHandle, change: ChangeOptions = {}): Promise<EnvironmentHandle> {
    const { environmentId } = handle;
    change.signal?.throwIfAborted();
    drop(environmentId);
    const found = await containers.find(environmentId);
    if (!found) {
      const asleep = await snapshots.latest(environmentId);
      if (!asleep) throw await absence(environmentId);
      return changed(sleeping(handle, asleep), change);
    }
    const stopped = found.State.Running ? await containers.stop(found) : found;
    if (settings.hibernate === 'stop') return changed(handle, change);
    change.progress?.('keeping an image of the files');
    const snapshot = await snapshots.take(environmentId, stopped);
    const next = await changed(sleeping(handle, snapshot), change);
    await containers.remove(stopped.Id);
    await snapshots.forget(environmentId, snapshot);
    return next;
  }

  /** The container that runs, or the port's error for why there is none. */
  async function awake({ environmentId }: EnvironmentHandle): Promise<Inspected> {
    const found = await containers.find(environmentId);
    if (found?.State.Running === true && !found.State.Paused) return found;
    drop(environmentId);
    if (!found) throw await absence(environmentId);
    throw new PortError('Terminal.Asleep', 'The environment is asleep.', { details: { environmentId } });
  }

  async function connect(handle: EnvironmentHandle): Promise<RemoteSession> {
    const { Id } = await awake(handle);
    const { environmentId } = handle;
    const known = open.get(environmentId);
    if (known?.containerId === Id) return known.session;
    drop(environmentId);
    const shell = createResidentShell({
      transport: {
        open: async (command) => {
          try {
            // By name, so that a session goes on working after the container was made again.
            return await openProcess(client, names.container(environmentId), command);
          } catch (error) {
            const gone = PortError.is(error) && error.code === 'Terminal.SessionLost';
            throw gone ? await absence(environmentId) : error;
          }
        },
      },
    });
    const { root, home, cwd } = placeOf(handle);
    const session = createRemoteSession({ shell, root, home, defaultCwd: cwd });
    open.set(environmentId, { containerId: Id, shell, session });
    return session;
  }

  async function describe(handle: EnvironmentHandle): Promise<EnvironmentDescription> {
    const { environmentId } = handle;
    const found = await containers.find(environmentId);
    if (found) return descriptionOf(found);
    const asleep = await snapshots.latest(environmentId);
    if (!asleep) return { state: 'absent', detail: `no container ${names.container(environmentId)}` };
    return { state: 'hibernated', detail: `image ${asleep.reference}` };
  }

  function descriptionOf(container: Inspected): EnvironmentDescription {
    const { State: its } = container;
    const { limits, lasting } = driftOf(settings, container);
    const detail = [
      `container ${container.Name.slice(1)} from ${container.Config.Image}`,
      limitsOf(container),
      its.OOMKilled ? 'ran out of memory since it was started: some command was killed' : '',
      limits.length > 0 ? `${limits.join(' and ')} not as configured before it is woken the next time` : '',
      lasting.length > 0
        ? `made with other settings: ${lasting.join(', ')}; \`hermes backend reset\` makes a new one`
        : '',
    ];
    const broken = its.Dead || its.Status === 'removing';
    const state = broken ? 'failed' : its.Running && !its.Paused ? 'awake' : 'hibernated';
    return { state, detail: detail.filter((part) => part !== '').join('; ') };
  }

  return {
    id: backendId,
    hibernates: true,
    check: () => checkDocker(client, images),
    create: (environmentId, change = {}) => wake(environmentId, change, true),
    resume: (handle, change = {}) => wake(handle.environmentId, change, false),
    hibernate,
    async destroy({ environmentId }) {
      drop(environmentId);
      const found = await containers.find(environmentId);
      if (found) await containers.remove(found.Id);
      await snapshots.forget(environmentId);
      await removeVolumes(client, settings.installationId, environmentId);
    },
    describe,
    connect,
    async openShell(handle, screen: ScreenOptions) {
      const { Id } = await awake(handle);
      const { root, cwd } = placeOf(handle);
      const script = interactiveScript({ root, sessionKey: screen.sessionKey, defaultCwd: cwd });
      return openTerminal(client, Id, script, screen);
    },
    async sweep({ olderThanMs, known }) {
      const ours = known.filter(({ backend }) => backend === backendId);
      const ids = new Set(ours.map(({ environmentId }) => environmentId));
      let count = await sweepOrphans(client, { settings, names, images }, { olderThanMs, known: ids });
      for (const handle of ours) {
        const found = await containers.find(handle.environmentId);
        if (found?.State.Running !== true || found.State.Paused) continue;
        count += await (await connect(handle)).protocol.sweep({ olderThanMs });
      }
      return count;
    },
    close() {
      for (const environmentId of [...open.keys()]) drop(environmentId);
      client.close();
      return Promise.resolve();
    },
  };
}

/**
 * Prints home, the image's directory and a folder of ours, which the user of the container may be allowed to make only
 * in some places.
 */
const placeScript = `umask 077
home=\${HOME:-/}
for root in /var/lib/hermes "\${home%/}/.hermes-runs" "/tmp/.hermes-$(id -u)"; do
  if mkdir -p "$root" 2>/dev/null && [ -w "$root" ]; then
    printf '%s\\n%s\\n%s\\n' "$home" "$PWD" "$root"
    exit 0
  fi
done
echo 'no folder to write to' >&2
exit 1`;

function sleeping(handle: EnvironmentHandle, { reference }: Snapshot): EnvironmentHandle {
  return { ...handle, state: { ...handle.state, snapshot: reference } };
}

function placeOf({ state }: EnvironmentHandle): { root: string; home: string; cwd: string } {
  const { root, home, cwd } = state as Partial<Record<'root' | 'home' | 'cwd', string>>;
  if (root !== undefined && home !== undefined && cwd !== undefined) return { root, home, cwd };
  throw new PortError('Terminal.Invalid', 'The record of this environment is incomplete; create it again.');
}

function limitsOf({ HostConfig: its }: Inspected): string {
  const memory = its.Memory ? `${Math.round(its.Memory / 1024 / 1024)} MB` : 'all memory';
  const cpus = its.NanoCpus ? `${its.NanoCpus / 1e9} cpus` : 'all cpus';
  const added = its.CapAdd?.length
    ? `all capabilities but ${its.CapAdd.join(', ')} dropped`
    : 'all capabilities dropped';
  return `${cpus}, ${memory}, ${its.PidsLimit ?? 'any'} processes, network ${its.NetworkMode ?? ''}, ${added}`;
}

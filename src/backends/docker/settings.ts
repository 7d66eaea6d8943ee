import type Docker from 'dockerode';
import { PortError } from '../../lib/port-error.ts';
import type { BaseImage, Inspected } from './containers.ts';
import { labels, type DockerNames } from './names.ts';
import type { DockerSettings } from './options.ts';

/** Written out, since old small images know no `sleep infinity`. */
const forEver = '2147483647';

/** The settings a container keeps for life, in the words of the configuration. */
function lasting(settings: DockerSettings): Record<string, string> {
  return {
    image: settings.buildFolder ?? settings.image,
    network: settings.network,
    mounts: settings.mounts.join(' '),
    user: settings.user ?? '',
    capabilities: [...settings.capabilities].sort().join(' '),
  };
}

export interface ContainerPlan {
  readonly settings: DockerSettings;
  readonly names: DockerNames;
  readonly environmentId: string;
  readonly base: BaseImage;
  /** Paths the image declares as volumes. */
  readonly volumes: readonly string[];
}

/** The request that makes an environment's container. Throws Terminal.Invalid for a mount that is none. */
export function containerBody(plan: ContainerPlan): Docker.ContainerCreateOptions {
  const { settings, names, environmentId, base } = plan;
  const marks = { [labels.installation]: settings.installationId, [labels.environment]: environmentId };
  const mounts = settings.mounts.map(parseMount);
  // A volume an image declares would be new and empty after the container was made again from a snapshot; a named one
  // is found again.
  const declared = plan.volumes.filter((path) => !mounts.some(({ Target }) => Target === path));
  const volumes = declared.map((path) => volumeMount(names.volume(environmentId, path), path, marks));
  return {
    name: names.container(environmentId),
    Image: base.reference,
    Hostname: 'hermes',
    ...(settings.user === undefined ? {} : { User: settings.user }),
    // Whatever the image would start, this one only waits; it dies at once when it is asked to.
    Entrypoint: ['/bin/sh', '-c', `exec sleep ${forEver}`],
    Cmd: [],
    StopSignal: 'SIGTERM',
    Healthcheck: { Test: ['NONE'] },
    Labels: {
      ...marks,
      [labels.generation]: String(base.generation),
      [labels.settings]: JSON.stringify(lasting(settings)),
    },
    HostConfig: {
      ...liveLimits(settings),
      // Reaps what commands leave behind, and passes signals on.
      Init: true,
      CapDrop: ['ALL'],
      CapAdd: [...settings.capabilities],
      SecurityOpt: ['no-new-privileges:true'],
      NetworkMode: settings.network === 'on' ? 'bridge' : 'none',
      Mounts: [...mounts, ...volumes],
      RestartPolicy: { Name: 'no' },
      IpcMode: 'private',
      LogConfig: { Type: 'none', Config: {} },
    },
  };
}

export interface LiveLimits {
  readonly PidsLimit: number;
  readonly Memory?: number;
  readonly MemorySwap?: number;
  readonly NanoCpus?: number;
}

/** Limits that can be changed while the container runs. */
export function liveLimits({ memoryMb, pids, cpus }: DockerSettings): LiveLimits {
  const memory = Math.round((memoryMb ?? 0) * 1024 * 1024);
  return {
    PidsLimit: pids,
    ...(memoryMb === undefined ? {} : { Memory: memory, MemorySwap: memory }),
    ...(cpus === undefined ? {} : { NanoCpus: Math.round(cpus * 1e9) }),
  };
}

/** Where a container differs from the settings: limits by name, and one line per setting that only a new one can have. */
export function driftOf(settings: DockerSettings, container: Inspected): { limits: string[]; lasting: string[] } {
  const host = container.HostConfig;
  const wanted = liveLimits(settings);
  const limits: string[] = [];
  if ((host.Memory ?? 0) !== (wanted.Memory ?? 0)) limits.push('memoryMb');
  if (host.PidsLimit !== wanted.PidsLimit) limits.push('pids');
  if ((host.NanoCpus ?? 0) !== (wanted.NanoCpus ?? 0)) limits.push('cpus');
  const was = parseSettings(container.Config.Labels[labels.settings]);
  const now = Object.entries(lasting(settings)).filter(([name, value]) => (was[name] ?? '') !== value);
  const word = (value: string | undefined) => (value === undefined || value === '' ? 'none' : value);
  return { limits, lasting: now.map(([name, value]) => `${name} ${word(was[name])} instead of ${word(value)}`) };
}

function parseSettings(label: string | undefined): Record<string, string | undefined> {
  try {
    return JSON.parse(label ?? '{}') as Record<string, string>;
  } catch {
    // Not written by us as it is: then nothing is known, and every setting counts as another one.
    return {};
  }
}

/** `/there:/inside[:ro]`; what is before the last two colons may hold more of them. */
export function parseMount(text: string): Docker.MountSettings {
  const [, source = '', target = '', mode = 'rw'] = /^(.+?):(\/[^:]*)(?::(ro|rw))?$/.exec(text) ?? [];
  if (source === '' || target === '/') {
    throw new PortError(
      'Terminal.Invalid',
      `terminal.docker.mounts: ${text} is not \`/there:/inside\` or \`/there:/inside:ro\`.`,
    );
  }
  return { Type: 'bind', Source: source, Target: target, ReadOnly: mode === 'ro' };
}

function volumeMount(name: string, path: string, marks: Record<string, string>): Docker.MountSettings {
  return {
    Type: 'volume',
    Source: name,
    Target: path,
    VolumeOptions: { NoCopy: false, Labels: marks, DriverConfig: {} as never },
  };
}

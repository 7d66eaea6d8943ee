import type { EnvironmentDescription } from '../backend.ts';
import type { Inspected } from './containers.ts';
import type { DockerParts } from './parts.ts';
import { driftOf } from './settings.ts';

/** What is there of an environment, in words for people; also where it differs from the settings. */
export async function describeDocker(parts: DockerParts, environmentId: string): Promise<EnvironmentDescription> {
  const { containers, snapshots, names, settings } = parts;
  const found = await containers.find(environmentId);
  if (!found) {
    const sleepsIn = await snapshots.latest(environmentId);
    if (!sleepsIn) return { state: 'absent', detail: `no container ${names.container(environmentId)}` };
    return { state: 'hibernated', detail: `image ${sleepsIn.reference}` };
  }
  const { limits, lasting } = driftOf(settings, found);
  const detail = [
    `container ${found.Name.slice(1)} from ${found.Config.Image}`,
    limitsOf(found),
    found.State.OOMKilled ? 'ran out of memory since it was started: some command was killed' : '',
    limits.length > 0 ? `${limits.join(' and ')} not as configured` : '',
    lasting.length > 0 ? `made with other settings (${lasting.join(', ')})` : '',
    limits.length + lasting.length > 0 ? '`hermes backend reset` makes a new one as configured' : '',
  ];
  return { state: stateOf(found), detail: detail.filter((part) => part !== '').join('; ') };
}

function stateOf({ State: its }: Inspected): EnvironmentDescription['state'] {
  if (its.Dead || its.Status === 'removing') return 'failed';
  return its.Running && !its.Paused ? 'awake' : 'hibernated';
}

function limitsOf({ HostConfig: its }: Inspected): string {
  const memory = its.Memory === undefined || its.Memory === 0 ? 'all memory' : `${Math.round(its.Memory / 2 ** 20)} MB`;
  const cpus = its.NanoCpus === undefined || its.NanoCpus === 0 ? 'all cpus' : `${its.NanoCpus / 1e9} cpus`;
  const kept = (its.CapAdd as string[] | null | undefined) ?? [];
  const dropped = kept.length > 0 ? `all capabilities but ${kept.join(', ')} dropped` : 'all capabilities dropped';
  const network = its.NetworkMode === 'none' ? 'no network' : 'network on';
  return `${cpus}, ${memory}, ${its.PidsLimit ?? 'any number of'} processes, ${network}, ${dropped}`;
}

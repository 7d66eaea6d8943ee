import type { EnvironmentDescription } from '../backend.ts';
import type { DockerClient } from './client.ts';
import type { Inspected } from './containers.ts';
import { reasonOf } from './errors.ts';
import { runOnce } from './exec.ts';
import type { DockerParts } from './parts.ts';
import { driftOf } from './settings.ts';

/** What is there of an environment, in words for people; also where it differs from the settings. */
export async function describeDocker(parts: DockerParts, environmentId: string): Promise<EnvironmentDescription> {
  const { client, containers, snapshots, names, settings } = parts;
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
    await memoryKills(client, found),
    limits.length > 0 ? `${limits.join(' and ')} not as configured` : '',
    lasting.length > 0 ? `made with other settings (${lasting.join(', ')})` : '',
    limits.length + lasting.length > 0 ? '`hermes backend reset` makes a new one as configured' : '',
  ];
  return { state: stateOf(found), detail: detail.filter((part) => part !== '').join('; ') };
}

/** Kills since it was started, from the kernel: the daemon's own flag is set by some versions only, and late. */
async function memoryKills(client: DockerClient, { Id, State, HostConfig }: Inspected): Promise<string> {
  if (!State.Running || State.Paused || HostConfig.Memory === undefined || HostConfig.Memory === 0) return '';
  const counters = '/sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control';
  let counted: string;
  try {
    counted = (await runOnce(client, Id, `cat ${counters} 2>/dev/null`)).stdout;
  } catch (error) {
    // It may end, or have no room for another process, just now; the rest of the description is still true.
    return `memory not looked at: ${reasonOf(error)}`;
  }
  const kills = Number(/^oom_kill (\d+)$/m.exec(counted)?.[1] ?? 0);
  return kills === 0 ? '' : `ran out of memory ${kills} times since it was woken: commands were ended, or lost`;
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

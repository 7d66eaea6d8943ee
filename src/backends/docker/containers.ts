import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { PortError } from '../../lib/port-error.ts';
import { keysOf, unless } from './answers.ts';
import type { DockerClient } from './client.ts';
import { reasonOf } from './errors.ts';
import { labels, type DockerNames } from './names.ts';
import type { DockerSettings } from './options.ts';
import { containerBody, driftOf, liveLimits } from './settings.ts';

export type Inspected = Docker.ContainerInspectInfo;

/** Tries at something another client undoes meanwhile, such as a container that is being removed. */
const attempts = 40;
const pauseMs = 250;
const stopGraceSeconds = 2;
/** Somebody else may stop it meanwhile; more often than this it ends by itself. */
const mostStarts = 3;
const changeLimitMs = 60_000;

/** The containers of this installation, one per environment. Methods reject with a PortError and are idempotent. */
export interface DockerContainers {
  /** Null when there is none. Terminal.Invalid: the name is taken by a container that is not ours. */
  find(environmentId: string): Promise<Inspected | null>;
  /** Makes it where there is none, starts it where it does not run, updates its limits, and looks whether it works. */
  ensureRunning<T>(environmentId: string, wanted: Wanted<T>): Promise<T>;
  /** Resolves with what it is once it has stopped. */
  stop(container: Inspected): Promise<Inspected>;
  /** Removes it with its unnamed volumes, whatever it does. */
  remove(id: string): Promise<void>;
}

export interface Wanted<T> {
  /** What to make it from. */
  readonly image: () => Promise<BaseImage>;
  /** Asked of the container once it runs; what it rejects with is final, unless it is that nothing runs. */
  readonly prove: (container: Inspected) => Promise<T>;
  readonly hear?: ((line: string) => void) | undefined;
}

/** What a container is made from; the generation is that of a snapshot, 0 for the image of the settings. */
export interface BaseImage {
  readonly reference: string;
  readonly generation: number;
}

export function createDockerContainers(
  client: DockerClient,
  settings: DockerSettings,
  names: DockerNames,
): DockerContainers {
  const { docker } = client;
  const ask = <T>(action: (abortSignal: AbortSignal) => Promise<T>) =>
    client.ask('container', action, { timeoutMs: changeLimitMs });

  async function find(environmentId: string): Promise<Inspected | null> {
    const name = names.container(environmentId);
    const found = await ask((abortSignal) => unless([404], docker.getContainer(name).inspect({ abortSignal })));
    if (!found) return null;
    const its = found.Config.Labels;
    if (its[labels.installation] === settings.installationId && its[labels.environment] === environmentId) return found;
    throw new PortError('Terminal.Invalid', `A container named ${name} is there and is not ours; rename or remove it.`);
  }

  /** False when another client was faster, or the image has gone meanwhile: look again. */
  async function make(environmentId: string, base: BaseImage): Promise<boolean> {
    const image = await client.ask('image', () => unless([404], docker.getImage(base.reference).inspect()));
    if (!image) return false;
    const { Config } = image;
    const volumes = keysOf(Config.Volumes);
    const body = containerBody({ settings, names, environmentId, base, volumes });
    return (await ask((abortSignal) => unless([404, 409], docker.createContainer({ ...body, abortSignal })))) !== null;
  }

  async function start(container: Inspected): Promise<void> {
    const target = docker.getContainer(container.Id);
    if (container.State.Paused) await ask((abortSignal) => target.unpause({ abortSignal }));
    else await ask((abortSignal) => unless([304, 404, 409], target.start({ abortSignal })));
  }

  async function updateLimits(container: Inspected, hear?: (line: string) => void): Promise<void> {
    if (driftOf(settings, container).limits.length === 0) return;
    try {
      const limits = liveLimits(settings);
      await ask((abortSignal) => docker.getContainer(container.Id).update({ ...limits, abortSignal }));
    } catch (error) {
      // Such as less memory than is in use: it goes on with the old limits, which `describe` tells.
      hear?.(`the limits stay as they were: ${reasonOf(error)}`);
    }
  }

  return {
    find,
    async ensureRunning(environmentId, { image, prove, hear }) {
      let starts = 0;
      let fresh = false;
      for (let attempt = 0; attempt < attempts; attempt++) {
        const found = await find(environmentId);
        if (!found) {
          fresh = await make(environmentId, await image());
          if (fresh) continue;
        } else if (!found.State.Dead && found.State.Status !== 'removing') {
          await updateLimits(found, hear);
          try {
            const running = found.State.Running && !found.State.Paused;
            if (running) return await prove(found);
            if (starts++ === mostStarts) throw endsAtOnce(found);
            await start(found);
            continue;
          } catch (error) {
            // It ended or went meanwhile.
            const passing = PortError.is(error) && ['Terminal.Asleep', 'Terminal.SessionLost'].includes(error.code);
            // One that was just made holds nothing, and would stand in the way of better settings.
            if (!passing && fresh) await remove(client, found.Id);
            if (!passing) throw error;
          }
        }
        await sleep(pauseMs);
      }
      throw new PortError('Terminal.BackendUnavailable', `The container of ${environmentId} does not start.`);
    },
    async stop(container) {
      const target = docker.getContainer(container.Id);
      if (container.State.Paused) await ask((abortSignal) => unless([404, 409], target.unpause({ abortSignal })));
      await ask((abortSignal) => unless([304], target.stop({ t: stopGraceSeconds, abortSignal })));
      return ask((abortSignal) => target.inspect({ abortSignal }));
    },
    remove: (id) => remove(client, id),
  };
}

function endsAtOnce({ Config, State }: Inspected): PortError {
  const why = State.Error || `exit code ${State.ExitCode}`;
  const message = `A container from ${Config.Image} ends as soon as it is started (${why}). Check terminal.docker.image; \`hermes backend reset\` makes a new one.`;
  return new PortError('Terminal.Invalid', message);
}

async function remove(client: DockerClient, id: string): Promise<void> {
  const target = client.docker.getContainer(id);
  for (let attempt = 0; attempt < attempts; attempt++) {
    // 409: another client is removing it.
    const removal = (abortSignal: AbortSignal) =>
      unless([404, 409], target.remove({ force: true, v: true, abortSignal }));
    await client.ask('container', removal, { timeoutMs: changeLimitMs });
    if ((await client.ask('container', (abortSignal) => unless([404], target.inspect({ abortSignal })))) === null)
      return;
    await sleep(pauseMs);
  }
  throw new PortError('Terminal.BackendUnavailable', 'Docker does not remove the container.', { details: { id } });
}

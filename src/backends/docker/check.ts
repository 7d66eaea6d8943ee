import { PortError } from '../../lib/port-error.ts';
import type { BackendCheck } from '../backend.ts';
import type { DockerClient } from './client.ts';
import type { DockerImages } from './images.ts';

/** Together less than 5 s. */
const limits = { answerMs: 2_000, imageMs: 2_800 };

/** Asks the daemon for its version and looks for the image. Never throws; within 5 s. */
export async function checkDocker(client: DockerClient, images: DockerImages): Promise<BackendCheck> {
  try {
    const version = await client.ask('engine', () => client.docker.version(), {
      timeoutMs: limits.answerMs,
    });
    const engine = `Docker ${version.Version} at ${client.place}`;
    const image = await client.ask('image', () => images.availability(), { timeoutMs: limits.imageMs });
    if (image.usable) return { usable: true, detail: `${engine}, image ${image.detail}` };
    return {
      usable: false,
      detail: `${engine}: ${image.detail}`,
      ...(image.fix === undefined ? {} : { fix: image.fix }),
    };
  } catch (error) {
    if (!PortError.is(error)) return { usable: false, detail: String(error) };
    return { usable: false, detail: error.message, ...fixOf(error, client.place) };
  }
}

function fixOf(error: PortError, place: string): { fix?: string } {
  switch (error.code) {
    case 'Terminal.Denied':
      return { fix: 'sudo usermod -aG docker "$USER", then log in again' };
    case 'Terminal.BackendUnavailable':
      return place.startsWith('/')
        ? {
            fix: 'sudo systemctl start docker (apt-get install docker.io where it is missing), or set terminal.docker.host',
          }
        : { fix: 'check terminal.docker.host' };
    case 'Terminal.NotFound':
      return { fix: 'set terminal.docker.buildFolder to a folder with a Dockerfile' };
    default:
      return {};
  }
}

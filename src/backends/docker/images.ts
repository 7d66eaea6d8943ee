import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PortError } from '../../lib/port-error.ts';
import type { ChangeOptions } from '../backend.ts';
import type { DockerClient } from './client.ts';
import { reasonOf, statusOf } from './errors.ts';
import { labels, type DockerNames } from './names.ts';
import type { DockerSettings } from './options.ts';

/** A first pull of a large image over a slow line. */
const pullLimitMs = 30 * 60_000;
const registryLimitMs = 2_500;

/** The image new environments are made from. */
export interface DockerImages {
  /** Its reference; for one that is built, a tag that follows the Dockerfile's text. Rejects with Terminal.NotFound. */
  reference(): Promise<string>;
  /** Pulls or builds it where it is absent; resolves with its reference. */
  ensure(options: ChangeOptions): Promise<string>;
  /** Whether `ensure` can be expected to work; asks the registry where the image is absent. */
  availability(): Promise<{ usable: boolean; detail: string; fix?: string }>;
}

export function createDockerImages(client: DockerClient, settings: DockerSettings, names: DockerNames): DockerImages {
  const reference = async () =>
    settings.buildFolder === undefined ? settings.image : names.built(await fingerprint(settings.buildFolder));

  async function ensure(options: ChangeOptions): Promise<string> {
    const image = await reference();
    if (await exists(client, image)) return image;
    const { buildFolder: folder, installationId } = settings;
    await (folder === undefined
      ? pull(client, image, options)
      : build(client, { image, folder, installationId }, options));
    return image;
  }

  async function availability() {
    const image = await reference();
    if (await exists(client, image)) return { usable: true, detail: image };
    if (settings.buildFolder === undefined) return pullable(client, image);
    return { usable: true, detail: `${join(settings.buildFolder, 'Dockerfile')}, to be built at first use` };
  }

  return { reference, ensure, availability };
}

export async function exists(client: DockerClient, image: string): Promise<boolean> {
  return client.ask('image', async () => {
    try {
      await client.docker.getImage(image).inspect();
      return true;
    } catch (error) {
      if (statusOf(error) === 404) return false;
      throw error;
    }
  });
}

async function fingerprint(folder: string): Promise<string> {
  try {
    const text = await readFile(join(folder, 'Dockerfile'));
    return createHash('sha256').update(folder).update('\0').update(text).digest('hex').slice(0, 16);
  } catch (error) {
    const message = `There is no Dockerfile in ${folder}. Check terminal.docker.buildFolder.`;
    throw new PortError('Terminal.NotFound', message, { cause: error });
  }
}

async function pullable(client: DockerClient, image: string) {
  try {
    await client.docker.getImage(image).distribution({ abortSignal: AbortSignal.timeout(registryLimitMs) });
    return { usable: true, detail: `${image}, to be pulled at first use` };
  } catch (error) {
    const why = statusOf(error) === undefined ? 'the registry did not answer in time' : reasonOf(error);
    return {
      usable: false,
      detail: `the image ${image} is not here and cannot be pulled: ${why.slice(0, 300)}`,
      fix: pullFix(image),
    };
  }
}

function pullFix(image: string): string {
  return `docker pull ${image}, or set terminal.docker.image to one that \`docker images\` lists`;
}

async function pull(client: DockerClient, image: string, { progress, signal }: ChangeOptions): Promise<void> {
  progress?.(`pulling ${image}`);
  try {
    await client.ask(
      'image',
      async (abortSignal) => {
        const answer = await client.docker.pull(image, { abortSignal });
        await follow(answer, pullProgress(image, progress));
      },
      { timeoutMs: pullLimitMs, signal },
    );
  } catch (error) {
    if (!PortError.is(error) || error.code === 'Terminal.Full') throw error;
    const why = error.cause === undefined ? error.message : reasonOf(error.cause);
    const message = `The image ${image} cannot be pulled: ${why.slice(0, 300)}. Try \`${pullFix(image)}\`.`;
    const absent = /not found|does not exist|denied|unauthorized|manifest unknown/i.test(why);
    throw new PortError(absent ? 'Terminal.NotFound' : 'Terminal.BackendUnavailable', message, { cause: error });
  }
}

async function build(
  client: DockerClient,
  what: { image: string; folder: string; installationId: string },
  { progress, signal }: ChangeOptions,
): Promise<void> {
  const { image, folder: context } = what;
  progress?.(`building an image from ${join(context, 'Dockerfile')}`);
  const src = await readdir(context);
  const options = { t: image, rm: true, labels: { [labels.installation]: what.installationId } };
  let said = '';
  const hear = (line: ProgressLine) => {
    const text = (line.stream ?? '').trim();
    if (text === '') return;
    said = `${said}\n${text}`.slice(-600);
    progress?.(`building: ${text.slice(0, 200)}`);
  };
  try {
    await client.ask(
      'image',
      async (abortSignal) => {
        await follow(await client.docker.buildImage({ context, src }, { ...options, abortSignal }), hear);
      },
      { timeoutMs: pullLimitMs, signal },
    );
  } catch (error) {
    if (!PortError.is(error) || error.code === 'Terminal.Full' || statusOf(error.cause) === undefined) throw error;
    throw new PortError('Terminal.Invalid', `The image cannot be built: ${reasonOf(error.cause)}${said}`, {
      cause: error,
    });
  }
}

interface ProgressLine {
  readonly id?: string;
  readonly status?: string;
  readonly stream?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly error?: string;
}

/** Reads a progress answer to its end; what it reports as failed is thrown like an answer with status 500. */
export async function follow(answer: NodeJS.ReadableStream, hear: (line: ProgressLine) => void): Promise<void> {
  for await (const text of createInterface({ input: answer })) {
    if (text === '') continue;
    const line = JSON.parse(text) as ProgressLine;
    if (line.error !== undefined) throw Object.assign(new Error(line.error), { statusCode: 500 });
    hear(line);
  }
}

function pullProgress(image: string, progress: ChangeOptions['progress']): (line: ProgressLine) => void {
  const layers = new Map<string, { current: number; total: number }>();
  let told = -1;
  return ({ id, status, progressDetail }) => {
    if (id === undefined || status !== 'Downloading' || !progressDetail?.total) return;
    layers.set(id, { current: progressDetail.current ?? 0, total: progressDetail.total });
    const sum = (of: 'current' | 'total') => [...layers.values()].reduce((bytes, layer) => bytes + layer[of], 0);
    const percent = Math.floor((100 * sum('current')) / sum('total'));
    // Totals of layers come in one after the other, so the share may fall; people are only told when it grows.
    if (percent > told) progress?.(`pulling ${image}, ${percent} %`);
    told = Math.max(told, percent);
  };
}

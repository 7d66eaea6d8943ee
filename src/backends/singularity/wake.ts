import { existsSync } from 'node:fs';
import { PortError } from '../../lib/port-error.ts';
import type { ChangeOptions } from '../backend.ts';
import type { EnvironmentFolder, EnvironmentFolders } from './folders.ts';
import type { ImageStore } from './images.ts';
import type { Instances } from './instances.ts';
import type { Program } from './program.ts';

const probeLimitMs = 30_000;

export interface WakeParts {
  readonly program: Program;
  readonly images: ImageStore;
  readonly instances: Instances;
  readonly folders: EnvironmentFolders;
}

/**
 * Starts the instance over an environment's files, unless it runs, and writes down how. To be called under the lock of
 * the environment. A start that was interrupted anywhere is completed by the next one.
 */
export async function wake(
  { program, images, instances, folders }: WakeParts,
  folder: EnvironmentFolder,
  name: string,
  change: ChangeOptions,
): Promise<void> {
  let { record } = folder;
  if (!(await instances.running()).has(name)) {
    const imagePath = await imageOf(images, folder, change);
    const unlimited = await instances.start({ name, imagePath, overlay: folder.overlay });
    for (const limit of unlimited) change.progress?.(`without the limit ${limit}`);
    record = { ...record, imagePath, unlimited };
  } else if (record.home !== null) return;
  await folders.write({ ...record, home: record.home ?? (await findHome(program, instances.entry(name))) });
}

/** The image below an overlay; got again where the cache has lost it. */
async function imageOf(images: ImageStore, { record }: EnvironmentFolder, change: ChangeOptions): Promise<string> {
  if (existsSync(record.imagePath)) return record.imagePath;
  if (record.image !== record.imagePath) return images.resolve(record.image, change);
  throw new PortError(
    'Terminal.NotFound',
    `The image of this environment is gone: ${record.imagePath}. Put it back, or make the environment new with \`hermes backend reset\`.`,
  );
}

/** A folder inside that can be written to; the usual one where possible. */
async function findHome(program: Program, entry: readonly string[]): Promise<string> {
  const script = `for d in "$HOME" /root /home/hermes /tmp/hermes; do
  mkdir -p "$d" && [ -w "$d" ] && printf %s "$d" && exit
done 2>/dev/null`;
  const { stdout } = await program.expect([...entry, 'sh', '-c', script], { timeoutMs: probeLimitMs });
  if (stdout.startsWith('/')) return stdout;
  throw new PortError('Terminal.Invalid', 'The image has no folder that this account can write to.');
}

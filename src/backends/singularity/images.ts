import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { PortError } from '../../lib/port-error.ts';
import { codeOf, fileError } from '../file-errors.ts';
import { withLock } from './lock.ts';
import type { Program } from './program.ts';

export interface ImageOptions {
  readonly progress?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Where environments get what is below their overlay. */
export interface ImageStore {
  /**
   * Path of a .sif file or folder for an image as people name it. Archives and images of a registry become a .sif of the
   * cache folder, once, however many ask. Throws NotFound, Invalid, Authentication, Full, BackendUnavailable.
   */
  resolve(image: string, options?: ImageOptions): Promise<string>;
  /** The path where it can be used without making anything, else null. Throws as `resolve`. */
  present(image: string): Promise<string | null>;
  /** Removes images of the cache that are not in `used`. Says how many. */
  sweep(used: ReadonlySet<string>, olderThanMs: number): Promise<number>;
}

/** Large images over slow lines; whoever waits is told what goes on meanwhile. */
const buildLimitMs = 60 * 60_000;
const schemes = /^(docker-archive|oci-archive|oci|docker|docker-daemon|oras|library|shub|https?):/;

export function createImageStore(program: Program, cacheDir: string): ImageStore {
  async function resolve(image: string, { progress, signal }: ImageOptions = {}): Promise<string> {
    const place = await cachePlace(image);
    if (place === null) return image;
    const target = join(cacheDir, place);
    if (await exists(target)) return target;
    progress?.(`getting the image ${image}`);
    await mkdir(cacheDir, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
      throw fileError(error, cacheDir);
    });
    const build = async () => {
      if (await exists(target)) return;
      const draft = `${target}.new`;
      const args = ['build', '--force', draft, image];
      try {
        await program.expect(args, { timeoutMs: buildLimitMs, signal, fetches: true, onLine: told(image, progress) });
        await rename(draft, target);
      } finally {
        await rm(draft, { recursive: true, force: true });
      }
    };
    await withLock(`${target}.lock`, build, { timeoutMs: buildLimitMs, signal, env: program.env });
    return target;
  }

  return {
    resolve,
    present: async (image) => {
      const place = await cachePlace(image);
      if (place === null) return image;
      return (await exists(join(cacheDir, place))) ? join(cacheDir, place) : null;
    },
    sweep: async (used, olderThanMs) => {
      let count = 0;
      for (const name of await namesOf(cacheDir)) {
        const path = join(cacheDir, name);
        if (!name.endsWith('.sif') || used.has(path)) continue;
        const before = await stat(path);
        if (Date.now() - before.mtimeMs < olderThanMs) continue;
        await rm(path, { force: true });
        count += 1;
      }
      return count;
    },
  };
}

/** Marks an image of the cache as just used, so that no sweep takes it before its environment is written down. */
export async function touchImage(path: string, cacheDir: string): Promise<void> {
  if (dirname(path) !== cacheDir) return;
  try {
    await utimes(path, new Date(), new Date());
  } catch (error) {
    throw fileError(error, path);
  }
}

/**
 * Name in the cache of what has to be made from an image; null for one that can be used as it is. An archive or folder
 * that was replaced is another image.
 */
async function cachePlace(image: string): Promise<string | null> {
  let version = '';
  const [, archive] = /^(?:docker|oci)-archive:([^:]+)/.exec(image) ?? [];
  if (archive !== undefined || !schemes.test(image)) {
    const found = await statOf(archive ?? image);
    // A folder of the program's own making can be used; any other tree lacks what it adds.
    if (archive === undefined && (!found.isDirectory() || (await exists(join(image, '.singularity.d'))))) return null;
    version = `${found.mtimeMs} ${found.size}`;
  }
  const readable = image.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, 60);
  return `${readable}_${createHash('sha256').update(`${image}\n${version}`).digest('hex').slice(0, 16)}.sif`;
}

async function statOf(path: string): Promise<Stats> {
  if (!isAbsolute(path)) {
    throw new PortError(
      'Terminal.Invalid',
      `terminal.singularity.image is neither an absolute path nor docker-archive:/…, docker://… or oras://…: ${path}`,
    );
  }
  try {
    return await stat(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw fileError(error, path);
    throw new PortError('Terminal.NotFound', `There is no image at ${path}; check terminal.singularity.image.`);
  }
}

function told(image: string, progress: ImageOptions['progress']): ((line: string) => void) | undefined {
  if (!progress) return undefined;
  return (line) => {
    const said = line.replace(/^(INFO|WARNING)\s*:\s*/, '');
    // Its bars are drawn for a terminal.
    if (!/[█▓▒░]|^\d+s ago/.test(said)) progress(`image ${image}: ${said.slice(0, 160)}`);
  };
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return false;
    throw fileError(error, path);
  }
}

async function namesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw fileError(error, folder);
  }
}

import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, fileError } from '../file-errors.ts';
import { safeName } from '../run-layout.ts';

/**
 * What is kept of an environment on this machine:
 *
 *   <overlayDir>/<name>/environment.json   EnvironmentRecord; its time is that of the last change of state
 *   <overlayDir>/<name>/overlay/           every file that differs from the image
 *   <overlayDir>/gone-…/                   on its way to be removed
 *   <overlayDir>/locks/                    sixteen lock files at most
 */
export interface EnvironmentRecord {
  readonly environmentId: string;
  /** As it was asked for. */
  readonly image: string;
  /** The file or folder that is mounted below the overlay; must not change any more. */
  readonly imagePath: string;
  /** Home folder inside; null until the first start. */
  readonly home: string | null;
  /** Limits that were asked for and could not be set at the last start, with the reason. */
  readonly unlimited: readonly string[];
}

export interface EnvironmentFolder {
  readonly name: string;
  readonly record: EnvironmentRecord;
  readonly overlay: string;
  readonly changedAtMs: number;
}

export interface EnvironmentFolders {
  /** Null where there is none, or its overlay is gone. */
  read(environmentId: string): Promise<EnvironmentFolder | null>;
  /** Makes it, or changes its record. */
  write(record: EnvironmentRecord): Promise<EnvironmentFolder>;
  /** Idempotent; also for what is only partly there. */
  remove(environmentId: string): Promise<void>;
  all(): Promise<readonly EnvironmentFolder[]>;
  /** Removes what an interrupted `remove` or `write` left. Says how many. */
  clearRemains(olderThanMs: number): Promise<number>;
  lockPath(environmentId: string): string;
}

const goneName = /^gone-/;

export function createEnvironmentFolders(overlayDir: string): EnvironmentFolders {
  const folderOf = (environmentId: string) => join(overlayDir, safeName(environmentId));

  async function at(name: string): Promise<EnvironmentFolder | null> {
    const file = join(overlayDir, name, 'environment.json');
    const overlay = join(overlayDir, name, 'overlay');
    try {
      const [text, { mtimeMs }] = await Promise.all([readFile(file, 'utf8'), stat(file), stat(overlay)]);
      return { name, record: JSON.parse(text) as EnvironmentRecord, overlay, changedAtMs: mtimeMs };
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null;
      throw fileError(error, file);
    }
  }

  async function write(record: EnvironmentRecord): Promise<EnvironmentFolder> {
    const folder = folderOf(record.environmentId);
    const file = join(folder, 'environment.json');
    const draft = `${file}.${randomBytes(4).toString('hex')}`;
    try {
      // Open to others from the root down: inside, they may be somebody.
      await mkdir(overlayDir, { recursive: true, mode: 0o700 });
      await mkdir(join(folder, 'overlay'), { recursive: true, mode: 0o755 });
      await writeFile(draft, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
      await rename(draft, file);
    } catch (error) {
      throw fileError(error, folder);
    }
    const written = await at(safeName(record.environmentId));
    if (!written) throw fileError(Object.assign(new Error('gone'), { code: 'ENOENT' }), folder);
    return written;
  }

  async function remove(environmentId: string): Promise<void> {
    const gone = join(overlayDir, `gone-${randomBytes(8).toString('hex')}`);
    try {
      await rename(folderOf(environmentId), gone);
      // A rename keeps the time, and `clearRemains` goes by it.
      await utimes(gone, new Date(), new Date());
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return;
      throw fileError(error, folderOf(environmentId));
    }
    await removeTree(gone);
  }

  async function names(): Promise<string[]> {
    try {
      return await readdir(overlayDir);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return [];
      throw fileError(error, overlayDir);
    }
  }

  return {
    read: (environmentId) => at(safeName(environmentId)),
    write,
    remove,
    async all() {
      const found = await Promise.all((await names()).filter((name) => !goneName.test(name)).map(at));
      return found.filter((folder) => folder !== null);
    },
    async clearRemains(olderThanMs) {
      let count = 0;
      for (const name of await names()) {
        if (name === 'locks' || (!goneName.test(name) && (await at(name)) !== null)) continue;
        const path = join(overlayDir, name);
        if (Date.now() - (await changedAt(path)) < olderThanMs) continue;
        await removeTree(path);
        count += 1;
      }
      return count;
    },
    // By the hash at the end of the name, so that their number stays bounded.
    lockPath: (environmentId) => join(overlayDir, 'locks', safeName(environmentId).slice(-1)),
  };
}

async function changedAt(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return Date.now();
    throw fileError(error, path);
  }
}

async function removeTree(path: string): Promise<void> {
  const remove = () => rm(path, { recursive: true, force: true, maxRetries: 3 });
  try {
    await remove();
  } catch (error) {
    if (codeOf(error) !== 'EACCES' && codeOf(error) !== 'EPERM') throw fileError(error, path);
    // Folders their owner may not enter: overlayfs makes one, and so may any command.
    try {
      await openUp(path);
      await remove();
    } catch (again) {
      throw fileError(again, path);
    }
  }
}

async function openUp(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await openUp(join(folder, entry.name));
  }
}

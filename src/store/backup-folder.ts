import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { join } from 'node:path';
import { PortError } from '../lib/port-error.ts';
import { toPortError } from './errors.ts';
import { backupDatabase } from './online-backup.ts';

/** What a backup may hold, by its name in the home folder and in the backup. */
export const backupParts = [
  // Temporal's file first: what it does not know yet of a younger store is told to it again, the other way round its
  // workflows would ask for messages that are not there.
  { name: 'temporal.db.version', kind: 'plain' },
  { name: 'temporal.db', kind: 'sqlite' },
  { name: 'config.yaml', kind: 'plain' },
  { name: 'secrets.yaml', kind: 'plain' },
  { name: 'hermes.db', kind: 'sqlite' },
] as const;

export type BackupPartName = (typeof backupParts)[number]['name'];

/** `manifest.json` of a backup folder. */
export interface BackupManifest {
  readonly format: 1;
  readonly createdAt: string;
  readonly files: readonly { readonly name: BackupPartName; readonly sizeBytes: number; readonly sha256: string }[];
}

const manifestName = 'manifest.json';

/**
 * Copies what a home folder holds into a new folder while everything runs; the folder appears under its name only when
 * it is whole.
 *
 * @param options.to The folder to make; must not exist.
 * @param options.withSecrets Keys and tokens are copied only when asked for.
 * @throws PortError `Storage.*`; `Storage.Conflict` when `to` exists
 */
export async function createBackup(options: {
  home: string;
  to: string;
  withSecrets: boolean;
}): Promise<{ folder: string; manifest: BackupManifest }> {
  const { home, to, withSecrets } = options;
  if (existsSync(to)) throw new PortError('Storage.Conflict', `${to} exists already.`, { retryable: false });
  if (!existsSync(join(home, 'hermes.db'))) {
    throw new PortError('Storage.Unavailable', `There is no database in ${home}.`, { retryable: false });
  }
  const unfinished = `${to}.unfinished`;
  try {
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true, mode: 0o700 });
    const files: BackupManifest['files'][number][] = [];
    for (const part of backupParts) {
      const from = join(home, part.name);
      if (!existsSync(from) || (part.name === 'secrets.yaml' && !withSecrets)) continue;
      const copy = join(unfinished, part.name);
      if (part.kind === 'sqlite') await backupDatabase(from, copy);
      else copyFileSync(from, copy);
      chmodSync(copy, 0o600);
      files.push({ name: part.name, sizeBytes: statSync(copy).size, sha256: await sha256(copy) });
    }
    const manifest: BackupManifest = { format: 1, createdAt: new Date().toISOString(), files };
    writeFileSync(join(unfinished, manifestName), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 });
    renameSync(unfinished, to);
    return { folder: to, manifest };
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    throw toPortError(error);
  }
}

/**
 * Reads a backup folder's manifest and compares every file with it.
 *
 * @throws PortError `Storage.Damaged` for a missing or changed file or no readable manifest, `Storage.TooNew` for the
 *   format of a later version
 */
export async function verifyBackup(folder: string): Promise<BackupManifest> {
  const manifest = readManifest(folder);
  for (const file of manifest.files) {
    const path = join(folder, file.name);
    if (!existsSync(path)) throw spoiled(folder, `${file.name} is missing`);
    if (statSync(path).size !== file.sizeBytes || (await sha256(path)) !== file.sha256) {
      throw spoiled(folder, `${file.name} has changed since`);
    }
  }
  return manifest;
}

function readManifest(folder: string): BackupManifest {
  let manifest: BackupManifest;
  try {
    manifest = JSON.parse(readFileSync(join(folder, manifestName), 'utf8')) as BackupManifest;
  } catch (error) {
    throw spoiled(folder, `${manifestName} is missing or unreadable`, error);
  }
  if ((manifest.format as number) !== 1) {
    throw new PortError('Storage.TooNew', `${folder} was made by a later version of Hermes: update Hermes first.`);
  }
  const names = new Set<string>(backupParts.map((part) => part.name));
  const files: readonly { readonly name: string }[] = Array.isArray(manifest.files) ? manifest.files : [];
  // Names are joined to paths: nothing but the known ones may get through.
  if (files.length === 0 || files.some((file) => !names.has(file.name))) {
    throw spoiled(folder, `${manifestName} names files no backup has`);
  }
  return manifest;
}

function spoiled(folder: string, why: string, cause?: unknown): PortError {
  return new PortError('Storage.Damaged', `${folder} is no whole backup (${why}). Use another one.`, { cause });
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

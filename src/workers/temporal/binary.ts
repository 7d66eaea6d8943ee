import { existsSync, readFileSync, statSync } from 'node:fs';
import { chmod, link, mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { writeFileAtomic } from '../../config/atomic-file.ts';
import { messageOf, StartProblem, type Report } from '../problem.ts';
import { runCommand } from './command.ts';
import { artifactFor, isNewEnough, parseTemporalVersion, temporalPin, type TemporalVersion } from './pin.ts';
import { binarySources, sha256Of, type BinarySource } from './sources.ts';

/** A `temporal` program that is there and of a version that may open our database file. */
export interface TemporalBinary {
  readonly path: string;
  readonly cli: string;
  readonly server: string;
  /** Where it comes from, for a person. */
  readonly from: string;
}

export interface FindBinaryOptions {
  /** Folders that may hold a cached binary, in order. */
  readonly cacheDirs: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

export interface FetchBinaryOptions extends FindBinaryOptions {
  readonly report: Report;
  /** Differs only in tests. */
  readonly sources?: readonly BinarySource[];
}

const fileName = `temporal-${temporalPin.cli}`;

/**
 * The binary to use without any download: the one on the PATH when it is new enough, else a cached one. Undefined when
 * there is none. Costs a few milliseconds; a program on the PATH is asked for its version once and then remembered.
 */
export async function findTemporalBinary(options: FindBinaryOptions): Promise<TemporalBinary | undefined> {
  return (await findOnPath(options)) ?? options.cacheDirs.map(readCached).find((binary) => binary !== undefined);
}

/**
 * Finds the binary or fetches it into the first cache folder (and links it into the others, so that a second home or
 * the tests need no download). Safe to run twice at once. Throws StartProblem when every way failed.
 */
export async function ensureTemporalBinary(options: FetchBinaryOptions): Promise<TemporalBinary> {
  const found = await findTemporalBinary(options);
  if (found !== undefined) return found;
  const artifact = artifactFor(process.platform, process.arch);
  if (artifact === undefined) {
    throw new StartProblem(
      `no Temporal server is published for ${process.platform} ${process.arch}`,
      'Run a Temporal server yourself and set TEMPORAL_ADDRESS to its address.',
    );
  }
  const [cacheDir = ''] = options.cacheDirs;
  await mkdir(cacheDir, { recursive: true });
  const reasons: string[] = [];
  for (const source of options.sources ?? binarySources) {
    // Beside its final place, so that the last step is a rename within one file system.
    const workDir = await mkdtemp(join(cacheDir, '.fetch-'));
    try {
      options.report(`getting Temporal ${temporalPin.cli}: ${source.name}`);
      const target = join(workDir, 'temporal');
      await source.fetch({ workDir, target, artifact, report: options.report, env: options.env });
      return await install(target, { source: source.name, sha256: artifact.binarySha256 }, options);
    } catch (error) {
      const reason = `${source.name}: ${messageOf(error)}`;
      reasons.push(reason);
      options.report(`did not work: ${reason}`);
    } finally {
      await rm(workDir, { recursive: true, force: true });
    }
  }
  throw new StartProblem(
    `the Temporal server could not be fetched (${reasons.join('; ')})`,
    `Put a temporal ${temporalPin.cli} on the PATH (https://docs.temporal.io/cli), or set TEMPORAL_ADDRESS to a running server.`,
  );
}

interface Stamp {
  readonly cli: string;
  readonly server: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly from: string;
}

async function install(
  downloaded: string,
  expected: { readonly source: string; readonly sha256: string },
  options: FetchBinaryOptions,
): Promise<TemporalBinary> {
  await chmod(downloaded, 0o755);
  const version = await askVersion(downloaded, options.env);
  if (version?.cli !== temporalPin.cli || version.server !== temporalPin.server) {
    throw new Error(`it is ${version === undefined ? 'no Temporal program' : `Temporal ${version.cli}`}`);
  }
  const sha256 = await sha256Of(downloaded);
  if (sha256 !== expected.sha256) {
    // A build of one's own differs byte by byte, and the release may be signed anew; the wheel was checked before.
    options.report(`note: this build differs from the pinned one (SHA-256 ${sha256})`);
  }
  const [first = '', ...others] = options.cacheDirs;
  await rename(downloaded, join(first, fileName));
  // Of what lies there now: another process may have put its own, equal one there since.
  const { size, mtimeMs } = await stat(join(first, fileName));
  const stamp: Stamp = { ...version, sha256, sizeBytes: size, mtimeMs, from: expected.source };
  writeStamp(first, stamp);
  for (const other of others) await shareWith(other, join(first, fileName), stamp, options.report);
  return { path: join(first, fileName), cli: version.cli, server: version.server, from: expected.source };
}

/** A second cache is a convenience: when it cannot be written the first one still serves. */
async function shareWith(folder: string, binary: string, stamp: Stamp, report: Report): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await rm(join(folder, fileName), { force: true });
    await link(binary, join(folder, fileName));
    writeStamp(folder, stamp);
  } catch (error) {
    report(`note: no copy is kept in ${folder} (${messageOf(error)})`);
  }
}

function writeStamp(folder: string, stamp: Stamp): void {
  writeFileAtomic(join(folder, `${fileName}.json`), JSON.stringify(stamp));
}

/** The cached binary, when it is still the file that was checked after its download. */
function readCached(folder: string): TemporalBinary | undefined {
  const path = join(folder, fileName);
  const stampPath = `${path}.json`;
  if (!existsSync(path) || !existsSync(stampPath)) return undefined;
  const stamp = JSON.parse(readFileSync(stampPath, 'utf8')) as Stamp;
  const { size, mtimeMs } = statSync(path);
  if (stamp.sizeBytes !== size || Math.abs(stamp.mtimeMs - mtimeMs) > 1) return undefined;
  return { path, cli: stamp.cli, server: stamp.server, from: `${stamp.from}, kept in ${folder}` };
}

/** True when the cached file still has the hash it had after its download. Reads the whole file. */
export async function isCacheIntact(folder: string): Promise<boolean> {
  const cached = readCached(folder);
  if (cached === undefined) return false;
  const stamp = JSON.parse(readFileSync(join(folder, `${fileName}.json`), 'utf8')) as Stamp;
  return (await sha256Of(cached.path)) === stamp.sha256;
}

async function findOnPath({ env, cacheDirs }: FindBinaryOptions): Promise<TemporalBinary | undefined> {
  const path = (env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder.startsWith('/'))
    .map((folder) => join(folder, 'temporal'))
    .find((candidate) => existsSync(candidate) && (statSync(candidate).mode & 0o111) !== 0);
  if (path === undefined) return undefined;
  const { size, mtimeMs } = statSync(path);
  const key = `${path}:${size}:${mtimeMs}`;
  const memo = join(cacheDirs[0] ?? '', 'temporal-on-path.json');
  let known = existsSync(memo) ? (JSON.parse(readFileSync(memo, 'utf8')) as { key: string; text: string }) : undefined;
  if (known?.key !== key) {
    const asked = await askVersionText(path, env);
    known = { key, text: asked };
    await mkdir(dirname(memo), { recursive: true });
    await writeFile(memo, JSON.stringify(known));
  }
  const version = parseTemporalVersion(known.text);
  return version !== undefined && isNewEnough(version) ? { path, ...version, from: 'the PATH' } : undefined;
}

async function askVersion(path: string, env: NodeJS.ProcessEnv): Promise<TemporalVersion | undefined> {
  return parseTemporalVersion(await askVersionText(path, env));
}

async function askVersionText(path: string, env: NodeJS.ProcessEnv): Promise<string> {
  return (await runCommand(path, ['--version'], { limitMs: 20_000, env })).output;
}

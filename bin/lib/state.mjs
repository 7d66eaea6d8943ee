// What is up to date and what is not. Only looks at names, sizes and times, so that asking costs a few milliseconds.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Everything set-up remembers lies here; git ignores it and `npm ci` leaves it alone. */
export const cacheDir = (root) => join(root, '.cache');
const generated = join('store', 'generated');
/** Editors and tools leave other files about, which change nothing. */
const sourceFile = /\.(ts|json|sql)$/;
const stampFile = (root) => join(cacheDir(root), 'set-up.json');

/** What each step depends on, as one short text that changes when any of it changes. */
export function fingerprints(root) {
  const look = (...paths) => paths.flatMap((path) => filesBelow(join(root, path)));
  const sources = look('src');
  const below = (...folders) => {
    const prefixes = folders.map((folder) => join(root, folder));
    return sources.filter((line) => prefixes.some((prefix) => line.startsWith(prefix)));
  };
  return {
    // A native module is built for one Node line; another one needs its own.
    packages: `${digest(look('package-lock.json'))} node-abi-${process.versions.modules} ${process.platform} ${process.arch}`,
    client: digest(look('prisma/schema.prisma', 'prisma.config.ts')),
    program: digest([...sources, ...look('tsconfig.json', 'tsconfig.build.json')]),
    bundle: digest(below('src/workflows/', 'src/domain/', 'src/contracts/', 'src/workers/bundle.ts')),
  };
}

/** The stamps of finished steps; empty when there are none or they are unreadable. */
export function readStamps(root) {
  try {
    return JSON.parse(readFileSync(stampFile(root), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return {};
    throw error;
  }
}

/** Notes that a step is finished; atomic, so that a kill leaves the old stamp. */
export function writeStamp(root, step, value) {
  mkdirSync(cacheDir(root), { recursive: true });
  const temporary = `${stampFile(root)}.${process.pid}`;
  writeFileSync(temporary, JSON.stringify({ ...readStamps(root), [step]: value }));
  renameSync(temporary, stampFile(root));
}

/** Whether each step's result is there and made from what is there now. */
export function stepsDone(root) {
  const stamps = readStamps(root);
  const now = fingerprints(root);
  const there = (...path) => existsSync(join(root, ...path));
  const packages = stamps.packages === now.packages && there('node_modules', '.package-lock.json');
  const client = packages && stamps.client === `${now.client} ${now.packages}` && there('src', 'store', 'generated');
  const program = client && stamps.program === now.program && there('dist', 'cli', 'main.js');
  const bundle = program && stamps.bundle === `${now.bundle} ${now.packages}` && there('dist', 'workflow-bundle.js');
  return { packages, client, program, bundle };
}

/** True when the command can run as it is. */
export function isUpToDate(root) {
  return Object.values(stepsDone(root)).every(Boolean);
}

const digest = (lines) => createHash('sha1').update(lines.join('\n')).digest('hex').slice(0, 16);

/** One line per file: path, size and time of change. */
function filesBelow(path) {
  // The generated client is an output of set-up, made anew with times of its own.
  if (path.endsWith(generated)) return [];
  const info = statSync(path, { throwIfNoEntry: false });
  if (info === undefined) return [`${path} absent`];
  if (!info.isDirectory()) return [`${path} ${info.size} ${info.mtimeMs}`];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() || sourceFile.test(entry.name))
    .flatMap((entry) => filesBelow(join(path, entry.name)));
}

import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { runTool, SetUpFailure } from './run-step.mjs';
import { cacheDir } from './state.mjs';

const lastSoundNode = '24.18.1';

/** Brings node_modules to what the lockfile says, with native parts that this Node can load. */
export async function installPackages(root, tell) {
  if (!matchesLockfile(root)) {
    tell('installing packages (npm ci)');
    await npm(root, ['ci']);
  }
  if ((await nativeProblem(root)) === null) return;
  tell(`building better-sqlite3 for Node ${process.versions.node}`);
  await npm(root, ['rebuild', 'better-sqlite3'], isAffectedNode() ? await soundHeaders(root, tell) : {});
  const still = await nativeProblem(root);
  if (still !== null) {
    throw new SetUpFailure(
      `better-sqlite3 cannot be loaded: ${still}`,
      'It needs a prebuilt file for this platform (network) or a C++ compiler: on Debian `apt-get install python3 make g++`, on macOS `xcode-select --install`. Then start again.',
    );
  }
}

/** Whether what is installed is what the lockfile names: npm writes the hidden lockfile when it is done. */
function matchesLockfile(root) {
  const hidden = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(hidden)) return false;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(hidden, 'utf8')).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '' || entry.link) return true;
    // Optional ones are left out where they do not fit the platform.
    if (installed[path] === undefined)
      return entry.optional === true || entry.devOptional === true || entry.peer === true;
    return installed[path].version === entry.version && existsSync(join(root, path));
  });
}

async function npm(root, args, extra = {}) {
  const cache = join(cacheDir(root), 'npm');
  // Inside npm the same npm is used; from the bare command the one beside this node, else the PATH's.
  const cli = [
    process.env.npm_execpath,
    join(process.execPath, '..', '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
  ].find((path) => path && path.endsWith('npm-cli.js') && existsSync(path));
  const [program, leading] = cli ? [process.execPath, [cli]] : ['npm', []];
  const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--loglevel', 'error', '--cache', cache];
  // The headers that came with this very Node, where they did: nothing to fetch, and surely the right ones.
  const prefix = join(dirname(process.execPath), '..');
  const headers = existsSync(join(prefix, 'include', 'node', 'node.h')) ? { npm_config_nodedir: prefix } : {};
  const env = {
    ...process.env,
    ...headers,
    ...extra,
    // Nothing outside this folder is written: neither npm's cache nor the headers of a native build.
    npm_config_cache: cache,
    npm_config_devdir: join(cacheDir(root), 'node-gyp'),
    npm_config_logs_max: '0',
    // A person's NODE_ENV=production would leave out what builds the program.
    NODE_ENV: 'development',
  };
  const result = await runTool(program, [...leading, ...args, ...quiet], { cwd: root, env });
  if (result.code !== 0) throw explain(result.output);
  // Kept until here so that a killed install does not start from nothing; no use afterwards.
  await rm(cache, { recursive: true, force: true });
}

function explain(output) {
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|network/i.test(output)) {
    return new SetUpFailure(
      'the packages could not be fetched',
      'Check the network (and npm config get registry), then start again; it goes on where it stopped.',
      output,
    );
  }
  if (/gyp ERR|node-gyp|prebuild-install|make: /i.test(output)) {
    return new SetUpFailure(
      'a native package could not be built',
      'There was no prebuilt file for this platform and no C++ compiler: on Debian `apt-get install python3 make g++`, on macOS `xcode-select --install`. Then start again.',
      output,
    );
  }
  if (/ENOSPC/.test(output))
    return new SetUpFailure('the disk is full', 'Make room (about 1 GB), then start again.', output);
  return new SetUpFailure('npm ci failed', 'Its words are above; then start again.', output);
}

/** Null when the native module works in this Node; asked in another process, because a failed load stays failed. */
async function nativeProblem(root) {
  const require = createRequire(join(root, 'package.json'));
  const script = `const Database = require(${JSON.stringify(require.resolve('better-sqlite3'))}); new Database(':memory:').close();`;
  const result = await runTool(process.execPath, ['-e', script], { cwd: root });
  if (result.code !== 0) {
    return (
      result.output
        .split('\n')
        .find((line) => /Error/.test(line))
        ?.trim() ?? result.output.trim()
    );
  }
  const file = join(root, 'node_modules', 'better-sqlite3', 'build', 'Release', 'better_sqlite3.node');
  const faulty = isAffectedNode() && readFileSync(file).includes('RemoveEnvironmentCleanupHook');
  return faulty ? 'it was built with headers that make it abort' : null;
}

/**
 * From 24.19 on, the headers of Node 24 make an addon that wraps objects the old way, as this one does, abort the
 * process at the next garbage collection (nodejs/node#65446). The fault is in what was compiled, not in what runs it.
 */
function isAffectedNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major === 24 && minor >= 19;
}

/** Headers of the last sound release, from the registry, where the packages themselves come from. */
async function soundHeaders(root, tell) {
  tell(`getting the headers of Node ${lastSoundNode}`);
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const prefix = join(cacheDir(root), 'node-headers');
  await npm(root, ['install', '--prefix', prefix, '--no-save', '--ignore-scripts', `${name}@${lastSoundNode}`]);
  return { npm_config_nodedir: join(prefix, 'node_modules', name) };
}

import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { withLock } from './lock.mjs';
import { installPackages } from './packages.mjs';
import { runTool, SetUpFailure } from './run-step.mjs';
import { cacheDir, fingerprints, isUpToDate, stepsDone, writeStamp } from './state.mjs';

const oldestNode = [20, 19];

/**
 * Brings the installation up to date: packages, database client, program, workflow bundle; with `temporal` a Temporal
 * server too (`'home'`: into HERMES_HOME, `'project'`: only into this folder). Each step is skipped when its stamp says
 * that nothing changed; a killed run goes on with the step it was in. `check: true` also checks types. Tells
 * whether anything was built.
 */
export async function setUp(root, { temporal = 'none', check = false } = {}) {
  checkNode();
  let rebuilt = false;
  if (!isUpToDate(root) || check) {
    const wait = (pid) => say(`waiting for another set-up (process ${pid})`);
    await withLock(join(cacheDir(root), 'set-up.lock'), wait, () => build(root, check));
    rebuilt = true;
  }
  if (temporal !== 'none') await fetchTemporal(root, temporal);
  return { rebuilt };
}

async function build(root, check) {
  const began = Date.now();
  const tool = (path, args, options) =>
    runTool(process.execPath, [join(root, path), ...args], { cwd: root, ...options });
  const must = async (running, message, hint) => {
    const result = await running;
    if (result.code !== 0) throw new SetUpFailure(message, hint, result.output);
  };
  if (!stepsDone(root).packages) {
    const { packages } = fingerprints(root);
    await installPackages(root, say);
    writeStamp(root, 'packages', packages);
  }
  if (!stepsDone(root).client) {
    say('generating the database client');
    const { client, packages } = fingerprints(root);
    // Generating needs no engine, but would fetch one unless it is told where one is.
    const env = {
      ...process.env,
      PRISMA_SCHEMA_ENGINE_BINARY: process.env.PRISMA_SCHEMA_ENGINE_BINARY ?? process.execPath,
      CHECKPOINT_DISABLE: '1',
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
    };
    await must(
      tool('node_modules/prisma/build/index.js', ['generate'], { env }),
      'the database client could not be generated',
      'This is a fault of the installation; `npm ci` and start again.',
    );
    writeStamp(root, 'client', `${client} ${packages}`);
  }
  if (!stepsDone(root).program || check) {
    say('compiling');
    const { program } = fingerprints(root);
    // Types are checked by `npm run build` and `npm run check`; a start only needs the program.
    const args = [
      '-p',
      'tsconfig.build.json',
      ...(check ? [] : ['--noCheck']),
      '--incremental',
      '--tsBuildInfoFile',
      join('.cache', check ? 'checked.tsbuildinfo' : 'built.tsbuildinfo'),
    ];
    await must(compile(root, tool, args), 'the program could not be compiled', 'The lines above say where.');
    writeStamp(root, 'program', program);
  }
  if (!stepsDone(root).bundle) {
    say('bundling the workflows');
    const { bundle, packages } = fingerprints(root);
    await must(tool('dist/workers/bundle.js', []), 'the workflows could not be bundled', 'The lines above say why.');
    writeStamp(root, 'bundle', `${bundle} ${packages}`);
  }
  say(`built in ${((Date.now() - began) / 1_000).toFixed(1)} s`);
}

/** A build info that outlived its output would make the compiler leave files out. */
async function compile(root, tool, args) {
  const { rm } = await import('node:fs/promises');
  if (!existsSync(join(root, 'dist', 'cli', 'main.js'))) await rm(join(root, args.at(-1)), { force: true });
  return tool('node_modules/typescript/bin/tsc', args);
}

/** As HERMES_HOME is read everywhere: absolute, `~` for the person's home folder. */
export function homeFolder(env = process.env) {
  const named = env.HERMES_HOME?.trim() ?? '';
  if (named === '') return join(env.HOME || homedir(), '.hermes');
  return resolve(named.replace(/^~(?=\/|$)/, env.HOME || homedir()));
}

async function fetchTemporal(root, where) {
  const load = (path) => import(pathToFileURL(join(root, 'dist', 'workers', path)).href);
  const { binaryCaches, projectCache } = await load('temporal/resolve.js');
  const { ensureTemporalBinary } = await load('temporal/binary.js');
  if (where === 'home' && (await namesServer(load))) return;
  const cacheDirs = where === 'home' ? binaryCaches(homeFolder()) : [projectCache()];
  await ensureTemporalBinary({ cacheDirs, env: process.env, report: say });
}

/** A person who named a server of their own needs none of ours. A faulty configuration is told by the start itself. */
async function namesServer(load) {
  if (process.env.TEMPORAL_ADDRESS) return true;
  const { loadConfig } = await load('../config/load.js');
  return loadConfig({ home: homeFolder(), env: process.env }).config.temporal.address !== null;
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return;
  throw new SetUpFailure(
    `Node ${process.versions.node} is too old`,
    `Install Node ${oldestNode.join('.')} or newer from https://nodejs.org, then start again.`,
  );
}

function say(line) {
  process.stderr.write(`hermes: ${line}\n`);
}

/** Tells what went wrong and what to do; returns the exit code. */
export function tellFailure(error) {
  if (error.output) process.stderr.write(`${error.output.trimEnd()}\n`);
  process.stderr.write(`hermes: ${error.message}\n`);
  if (error.hint) process.stderr.write(`  ${error.hint}\n`);
  if (!error.hint) process.stderr.write(`${error.stack}\n`);
  return 1;
}

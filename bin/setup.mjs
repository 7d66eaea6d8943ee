// Entry of the npm scripts; node's own modules only, because a bare clone has nothing else.
//   start                set up, start the service, chat (without a terminal: answer the lines of standard input)
//   test [vitest args]   set up, then run the suite
//   build                set up and check types
//   bench [part] [args]  set up, then measure the whole, or a part: backends, platforms
//   soak [args]          set up, then let many people write on every platform for long
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { startFast } from './lib/hand-over.mjs';
import { homeFolder, setUp, tellFailure } from './lib/set-up.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const tasks = {
  async start(args) {
    const { rebuilt } = await setUp(root, { temporal: 'home' });
    startFast(root);
    const load = (path) => import(pathToFileURL(join(root, 'dist', 'cli', path)).href);
    const report = (line) => process.stderr.write(`hermes: ${line}\n`);
    const home = homeFolder();
    if (rebuilt) {
      const { stopService } = await load('service/stop-service.js');
      // One that runs is of the program as it was before.
      if (await stopService({ home, report, limitMs: 120_000 }))
        report('the program is new: starting the service again');
    }
    const { ensureService } = await load('service/ensure-service.js');
    await ensureService({ home, report });
    const { run } = await load('main.js');
    return run(args);
  },
  async test(args) {
    await setUp(root, { temporal: 'project' });
    return runNode(['node_modules/vitest/vitest.mjs', 'run', ...args], testEnvironment());
  },
  async build() {
    await setUp(root, { check: true });
    return 0;
  },
  async bench(args) {
    await setUp(root, { temporal: 'project' });
    const isPart = ['backends', 'platforms'].includes(args[0]);
    const [program, rest] = isPart ? [`bench/${args[0]}/main.ts`, args.slice(1)] : ['bench/main.ts', args];
    return runNode(['--import', 'tsx', program, ...rest], process.env);
  },
  async soak(args) {
    await setUp(root, { temporal: 'project' });
    return runNode(['--import', 'tsx', 'scripts/soak.ts', ...args], testEnvironment());
  },
};

/** Settings and servers of the person who runs the tests must not decide how they end. */
function testEnvironment() {
  const own = Object.entries(process.env).filter(([name]) => !/^(HERMES|TEMPORAL)_/.test(name));
  return { ...Object.fromEntries(own), TEMPORAL_CONFIG_FILE: join(root, '.cache', 'no-temporal.toml') };
}

function runNode(args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit', env });
    // The terminal sends Ctrl-C to both; the child ends first and its exit code is told.
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => signal === 'SIGTERM' && child.kill(signal));
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

const [name = 'start', ...args] = process.argv.slice(2);
const task = Object.hasOwn(tasks, name) ? tasks[name] : undefined;
if (task === undefined) {
  process.stderr.write(`hermes: there is no task ${name}; there are ${Object.keys(tasks).join(', ')}\n`);
  process.exitCode = 2;
} else {
  process.exitCode = await task(args).catch(tellFailure);
}

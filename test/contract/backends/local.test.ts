import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { baseEnvironment } from '../../../src/backends/base-environment.ts';
import { createLocalBackend } from '../../../src/backends/local.ts';
import { describeBackend, type BackendUnderTest } from './conformance.ts';

const mounted: string[] = [];

/** A file system of 1 MB; only root may mount one. */
function smallFolderIn(folder: string): Pick<BackendUnderTest, 'smallFolder'> {
  if (process.getuid?.() !== 0) return {};
  return {
    smallFolder: () => {
      const path = join(folder, 'small');
      mkdirSync(path);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path]);
      mounted.push(path);
      return Promise.resolve(path);
    },
  };
}

function unmount(): void {
  for (const path of mounted.splice(0)) execFileSync('umount', [path]);
}

for (const shell of [undefined, '/bin/sh']) {
  const home = mkdtempSync(join(tmpdir(), 'hermes-local-'));
  const options = {
    runsDir: join(home, 'runs with space'),
    cwd: home,
    baseEnv: baseEnvironment({ ...process.env, HOME: home }),
    ...(shell === undefined ? {} : { shell }),
  };
  describeBackend({
    name: `local (${shell ?? 'bash'})`,
    open: () => createLocalBackend(options),
    client: {
      modulePath: fileURLToPath(new URL('local-client.ts', import.meta.url)),
      config: JSON.stringify(options),
    },
    lacks: ['hibernation'],
    leftovers: (environmentId) => {
      const names = readdirSync(options.runsDir).filter((name) => name.startsWith(`${environmentId}_`));
      return Promise.resolve(names);
    },
    outOfReach: [
      {
        why: 'the folder for runs cannot be made',
        open: () => createLocalBackend({ ...options, runsDir: '/dev/null/runs' }),
        code: 'Terminal.NotFound',
      },
    ],
    ...smallFolderIn(home),
    ...(shell === undefined ? {} : { only: ['results', 'sessions', 'kill'] as const }),
    close: () => {
      unmount();
      rmSync(home, { recursive: true, force: true });
      return Promise.resolve();
    },
  });
}

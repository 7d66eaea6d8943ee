import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
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

/** First in the PATH: a `script` that is not the one we know, as on other systems. */
function otherScript(folder: string): string {
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'bin', 'script'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  return `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`;
}

const variants: readonly (Pick<BackendUnderTest, 'name' | 'only'> & {
  readonly shell?: string;
  readonly path?: (home: string) => string;
})[] = [
  { name: 'bash' },
  { name: '/bin/sh', shell: '/bin/sh', only: ['results', 'sessions', 'kill'] },
  { name: 'terminals by python3', path: otherScript, only: ['pty'] },
];

for (const { name, shell, path, only } of variants) {
  const home = mkdtempSync(join(tmpdir(), 'hermes-local-'));
  const baseEnv = baseEnvironment({ ...process.env, HOME: home });
  const options = {
    runsDir: join(home, 'runs with space'),
    cwd: home,
    baseEnv: path === undefined ? baseEnv : { ...baseEnv, PATH: path(home) },
    ...(shell === undefined ? {} : { shell }),
  };
  describeBackend({
    name: `local (${name})`,
    open: () => createLocalBackend(options),
    client: {
      modulePath: fileURLToPath(new URL('local-client.ts', import.meta.url)),
      config: JSON.stringify(options),
    },
    lacks: ['hibernation'],
    leftovers: (environmentId) => {
      const folders = readdirSync(options.runsDir).filter((folder) => folder.startsWith(`${environmentId}_`));
      return Promise.resolve(folders);
    },
    outOfReach: [
      {
        why: 'the folder for runs cannot be made',
        open: () => createLocalBackend({ ...options, runsDir: '/dev/null/runs' }),
        code: 'Terminal.NotFound',
      },
    ],
    ...smallFolderIn(home),
    ...(only === undefined ? {} : { only }),
    close: () => {
      unmount();
      rmSync(home, { recursive: true, force: true });
      return Promise.resolve();
    },
  });
}

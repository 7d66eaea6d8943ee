import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { baseEnvironment } from '../../../src/backends/base-environment.ts';
import { createLocalBackend } from '../../../src/backends/local.ts';
import { describeBackend } from './conformance.ts';

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
    ...(shell === undefined ? {} : { only: ['results', 'sessions', 'kill'] as const }),
    close: () => {
      rmSync(home, { recursive: true, force: true });
      return Promise.resolve();
    },
  });
}

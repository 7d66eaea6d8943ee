import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'vitest';
import { baseEnvironment } from '../../../src/backends/base-environment.ts';
import type { SingularityBackendOptions } from '../../../src/backends/singularity/options.ts';
import { createSingularityBackend } from '../../../src/backends/singularity/singularity.ts';
import { engineMissing, startApptainer } from '../../support/apptainer/engine.ts';
import { describeBackend } from './conformance.ts';

const missing = engineMissing();
if (missing === null) {
  const engine = await startApptainer();
  const options: SingularityBackendOptions = {
    installationId: '0123456789ab',
    bin: engine.bin,
    image: engine.image,
    overlayDir: join(engine.folder, 'overlays with space'),
    cacheDir: join(engine.folder, 'images'),
    memoryMb: 1024,
    cpus: 2,
    pidsLimit: 512,
    baseEnv: baseEnvironment(process.env),
  };
  describeBackend({
    name: 'singularity',
    open: () => createSingularityBackend(options),
    client: {
      modulePath: fileURLToPath(new URL('singularity-client.ts', import.meta.url)),
      config: JSON.stringify(options),
    },
    // Root without capabilities; the suite looks for the refusals of /sys, which is not shown to root here.
    lacks: ['denied-paths'],
    close: () => engine.close(),
  });
} else {
  describe('backend singularity', () => {
    it.skip(missing, () => undefined);
  });
}

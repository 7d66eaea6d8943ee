import { createModalBackend, type ModalBackendOptions } from '../../../src/backends/modal/modal.ts';
import type { EnvironmentHandle } from '../../../src/backends/backend.ts';

/**
 * A process that puts an environment to sleep and says so on standard output: `snapshot` when the handle is about to be
 * committed, then, where its third argument is `commit`, the committed handle. It is killed somewhere in between.
 */
const [config = '', handle = '', until = ''] = process.argv.slice(2);
const backend = createModalBackend(JSON.parse(config) as ModalBackendOptions);
await backend.hibernate(JSON.parse(handle) as EnvironmentHandle, {
  commit: async (next) => {
    process.stdout.write('snapshot\n');
    if (until !== 'commit') await new Promise(() => setInterval(() => undefined, 1_000));
    process.stdout.write(`${JSON.stringify(next)}\n`);
  },
});

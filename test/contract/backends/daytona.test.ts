import { fileURLToPath } from 'node:url';
import { describe } from 'vitest';
import { createDaytonaBackend } from '../../../src/backends/daytona/daytona.ts';
import { missingForDaytona, startDaytonaServer } from '../../support/daytona/server.ts';
import { describeBackend } from './conformance.ts';

const missing = missingForDaytona();

if (missing === null) {
  const server = await startDaytonaServer();
  const options = { installationId: '0123456789ab', apiKey: 'test-key', apiUrl: server.apiUrl };
  describeBackend({
    name: 'daytona',
    open: () => createDaytonaBackend(options),
    client: {
      modulePath: fileURLToPath(new URL('daytona-client.ts', import.meta.url)),
      config: JSON.stringify(options),
    },
    smallFolder: () => Promise.resolve('/mnt/small'),
    leftovers: (environmentId) => server.sandboxes.leftovers(environmentId),
    outOfReach: [
      {
        why: 'nobody listens',
        code: 'Terminal.BackendUnavailable',
        open: () => createDaytonaBackend({ ...options, apiUrl: 'http://127.0.0.1:9/api' }),
      },
      {
        why: 'a wrong key',
        code: 'Terminal.Authentication',
        open: () => createDaytonaBackend({ ...options, apiKey: 'wrong-key' }),
      },
      {
        why: 'no key',
        code: 'Terminal.Authentication',
        open: () => createDaytonaBackend({ installationId: options.installationId, apiUrl: server.apiUrl }),
      },
    ],
    close: () => server.close(),
  });
} else {
  describe.skip(`backend daytona: ${missing}`, () => undefined);
}

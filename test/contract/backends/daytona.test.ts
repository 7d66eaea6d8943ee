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
    // Neither `script` of util-linux nor python3 is in the tree its sandboxes start from.
    close: () => server.close(),
  });
} else {
  describe.skip(`backend daytona: ${missing}`, () => undefined);
}

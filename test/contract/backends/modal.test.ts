import { fileURLToPath } from 'node:url';
import { createModalBackend } from '../../../src/backends/modal/modal.ts';
import { startModalServer } from '../../support/modal/server.ts';
import { withModalServer } from '../../support/modal/tree.ts';
import { describeBackend } from './conformance.ts';

const server = await startModalServer();
const options = {
  installationId: '0123456789ab',
  serverUrl: server.url,
  tokenId: server.tokenId,
  tokenSecret: server.tokenSecret,
};

withModalServer(() => {
  describeBackend({
    name: 'modal',
    open: () => createModalBackend(options),
    client: {
      modulePath: fileURLToPath(new URL('modal-client.ts', import.meta.url)),
      config: JSON.stringify(options),
    },
    close: () => server.close(),
  });
});

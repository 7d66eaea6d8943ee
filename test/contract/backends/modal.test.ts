import { fileURLToPath } from 'node:url';
import { createModalBackend } from '../../../src/backends/modal/modal.ts';
import { sandboxName } from '../../../src/backends/modal/state.ts';
import { startModalServer } from '../../support/modal/server.ts';
import { smallFolder, withModalServer } from '../../support/modal/tree.ts';
import { describeBackend } from './conformance.ts';

const server = await startModalServer();
const options = {
  installationId: '0123456789ab',
  serverUrl: server.url,
  tokenId: server.tokenId,
  tokenSecret: server.tokenSecret,
};
// Port 9 of this machine: nothing listens there.
const nowhere = 'http://127.0.0.1:9';

withModalServer(() => {
  describeBackend({
    name: 'modal',
    open: () => createModalBackend(options),
    client: {
      modulePath: fileURLToPath(new URL('modal-client.ts', import.meta.url)),
      config: JSON.stringify(options),
    },
    smallFolder: () => Promise.resolve(smallFolder),
    leftovers: (environmentId) =>
      Promise.resolve(server.world.leftovers(sandboxName(options.installationId, environmentId))),
    outOfReach: [
      {
        why: 'nothing listens',
        code: 'Terminal.BackendUnavailable',
        open: () => createModalBackend({ ...options, serverUrl: nowhere }),
      },
      {
        why: 'the token is wrong',
        code: 'Terminal.Authentication',
        open: () => createModalBackend({ ...options, tokenSecret: 'as-other' }),
      },
      {
        why: 'there is no token',
        code: 'Terminal.Authentication',
        open: () => createModalBackend({ installationId: options.installationId, serverUrl: server.url }),
      },
      {
        why: 'the address is none',
        code: 'Terminal.Invalid',
        open: () => createModalBackend({ ...options, serverUrl: 'modal' }),
      },
    ],
    close: () => server.close(),
  });
});

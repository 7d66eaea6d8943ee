import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRemotePlace, type RemotePlaceOptions } from '../../support/remote-place/backend.ts';
import { describeBackend } from './conformance.ts';

const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The remote core with the given sh and tools. */
function describePlace(name: string, sh: readonly string[], under: Partial<RemotePlaceOptions> & { path?: string }) {
  const home = mkdtempSync(join(tmpdir(), 'hermes-remote-'));
  const { path = usualPath, ...rest } = under;
  const options: RemotePlaceOptions = {
    folder: join(home, 'environments'),
    sh,
    env: { PATH: path, HOME: home },
    ...rest,
  };
  mkdirSync(options.folder);
  describeBackend({
    name: `remote (${name})`,
    open: () => createRemotePlace(options),
    client: {
      modulePath: fileURLToPath(new URL('remote-client.ts', import.meta.url)),
      config: JSON.stringify(options),
    },
    close: () => {
      rmSync(home, { recursive: true, force: true });
      return Promise.resolve();
    },
  });
}

describePlace('sh', ['/bin/sh'], {});

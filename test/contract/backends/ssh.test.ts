import { existsSync, readdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSshBackend, type SshBackend, type SshBackendOptions } from '../../../src/backends/ssh/ssh.ts';
import { me, mountSmallDisk, optionsFor } from '../../support/ssh/account.ts';
import { isRoot, startSshd, testUser, withSshd } from '../../support/ssh/sshd.ts';
import { describeBackend, type BackendUnderTest } from './conformance.ts';

const installationId = '0123456789ab';
const modulePath = fileURLToPath(new URL('ssh-client.ts', import.meta.url));

interface Variant extends Pick<BackendUnderTest, 'only'> {
  readonly name: string;
  readonly user: string;
  /** Through another server. */
  readonly jumps?: boolean;
}

function describeSsh({ name, user, jumps, only }: Variant): void {
  const opened: SshBackend[] = [];
  const closing: (() => Promise<void> | void)[] = [];
  let options: SshBackendOptions | undefined;

  // By the first fact, so that nothing is started for facts that are left out.
  async function start(): Promise<SshBackendOptions> {
    const sshd = await startSshd();
    closing.push(() => sshd.close());
    const changes = { user, installationId };
    if (jumps !== true) return optionsFor(sshd, changes);
    const jump = await startSshd();
    closing.push(() => jump.close());
    jump.introduce(sshd.knownHostsFile);
    jump.authorize(`${sshd.keyFile}.pub`);
    return optionsFor(sshd, { ...changes, jump: `${user}@127.0.0.1:${jump.port}` });
  }

  describeBackend({
    name: `ssh (${name})`,
    async open() {
      options ??= await start();
      const backend = createSshBackend(options);
      opened.push(backend);
      return backend;
    },
    client: {
      modulePath,
      get config() {
        return JSON.stringify(options);
      },
    },
    ...(only ? { only } : {}),
    leftovers: (environmentId) => {
      const root = join(user === me ? userInfo().homedir : `/home/${user}`, '.hermes-runs');
      const ours = (folder: string) => folder.startsWith(`hermes-${installationId}-${environmentId}_`);
      return Promise.resolve(existsSync(root) ? readdirSync(root).filter(ours) : []);
    },
    // Only root may mount.
    ...(isRoot
      ? {
          smallFolder: () => {
            const { folder, unmount } = mountSmallDisk(4_096);
            closing.push(unmount);
            return Promise.resolve(folder);
          },
        }
      : {}),
    async close() {
      for (const backend of opened) await backend.close();
      for (const close of closing) await close();
    },
  });
}

await withSshd(() => {
  describeSsh({ name: me, user: me });
  if (isRoot) {
    const only = ['results', 'sessions', 'kill', 'files', 'transfer', 'lifecycle'] as const;
    describeSsh({ name: 'a normal account', user: testUser(), only });
  }
  describeSsh({
    name: 'through a jump host',
    user: me,
    jumps: true,
    only: ['results', 'files', 'transfer', 'lifecycle'],
  });
});

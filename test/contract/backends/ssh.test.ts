import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSshBackend, type SshBackend, type SshBackendOptions } from '../../../src/backends/ssh/ssh.ts';
import { me, mountSmallDisk } from '../../support/ssh/account.ts';
import { isRoot, startSshd, testUser, withSshd, type Sshd } from '../../support/ssh/sshd.ts';
import { describeBackend, type BackendUnderTest } from './conformance.ts';

const modulePath = fileURLToPath(new URL('ssh-client.ts', import.meta.url));

function describeSsh(
  name: string,
  servers: readonly [Sshd, ...Sshd[]],
  { only, ...settings }: { readonly user: string; readonly jump?: string } & Pick<BackendUnderTest, 'only'>,
): void {
  const [{ host, port, keyFile, knownHostsFile }] = servers;
  const options: SshBackendOptions = {
    host,
    port,
    keyFile,
    knownHostsFile,
    installationId: '0123456789ab',
    ...settings,
  };
  const opened: SshBackend[] = [];
  const unmounts: (() => void)[] = [];
  const disk = () => {
    const { folder, unmount } = mountSmallDisk(4_096);
    unmounts.push(unmount);
    return folder;
  };
  describeBackend({
    name: `ssh (${name})`,
    open() {
      const backend = createSshBackend(options);
      opened.push(backend);
      return backend;
    },
    client: { modulePath, config: JSON.stringify(options) },
    ...(only ? { only } : {}),
    leftovers: (environmentId) => {
      const root = join(options.user === me ? homedir() : `/home/${options.user}`, '.hermes-runs');
      const ours = (name: string) => name.startsWith(`hermes-${options.installationId}-${environmentId}_`);
      return Promise.resolve(existsSync(root) ? readdirSync(root).filter(ours) : []);
    },
    // Only root may mount.
    ...(isRoot ? { smallFolder: () => Promise.resolve(disk()) } : {}),
    async close() {
      for (const unmount of unmounts) unmount();
      for (const backend of opened) await backend.close();
      for (const server of servers) await server.close();
    },
  });
}

await withSshd(async () => {
  describeSsh(me, [await startSshd()], { user: me });

  if (isRoot) {
    const only = ['results', 'sessions', 'kill', 'files', 'lifecycle'] as const;
    describeSsh('a normal account', [await startSshd()], { user: testUser(), only });
  }

  const [behind, jump] = [await startSshd(), await startSshd()];
  jump.introduce(behind.knownHostsFile);
  jump.authorize(`${behind.keyFile}.pub`);
  describeSsh('through a jump host', [behind, jump], {
    user: me,
    jump: `${me}@127.0.0.1:${jump.port}`,
    only: ['results', 'files', 'lifecycle'],
  });
});

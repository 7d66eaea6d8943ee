import { userInfo } from 'node:os';
import { fileURLToPath } from 'node:url';
import { createSshBackend, type SshBackendOptions } from '../../../src/backends/ssh/ssh.ts';
import { isRoot, startSshd, testUser, withSshd, type Sshd } from '../../support/ssh/sshd.ts';
import { describeBackend, type BackendUnderTest } from './conformance.ts';

const modulePath = fileURLToPath(new URL('ssh-client.ts', import.meta.url));

function describeSsh(
  name: string,
  servers: readonly [Sshd, ...Sshd[]],
  { only, ...settings }: { user: string; jump?: string } & Pick<BackendUnderTest, 'only'>,
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
  const opened: ReturnType<typeof createSshBackend>[] = [];
  describeBackend({
    name: `ssh (${name})`,
    open() {
      const backend = createSshBackend(options);
      opened.push(backend);
      return backend;
    },
    client: { modulePath, config: JSON.stringify(options) },
    ...(only ? { only } : {}),
    async close() {
      for (const backend of opened) await backend.close();
      for (const server of servers) await server.close();
    },
  });
}

await withSshd(async () => {
  const me = userInfo().username;
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

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLink } from '../../../src/backends/ssh/link.ts';
import { createSshBackend, type SshBackendOptions } from '../../../src/backends/ssh/ssh.ts';
import { closeAccount, me, openAccount, optionsFor, withFolder } from '../../support/ssh/account.ts';
import { isRoot, makeKey, startSshd, testUser, withSshd, type Sshd } from '../../support/ssh/sshd.ts';

await withSshd(() => {
  let sshd: Sshd;
  beforeAll(async () => {
    sshd = await startSshd();
  });
  afterAll(() => sshd.close());

  /** Resolves with what was printed by a command that was run there. */
  async function use(options: SshBackendOptions): Promise<string> {
    const account = await openAccount(options);
    const { text } = await account.run('echo in');
    await closeAccount(account);
    return text;
  }
  async function refusal(options: SshBackendOptions): Promise<unknown> {
    const backend = createSshBackend(options);
    try {
      return await backend.create('refused').then(
        () => 'it was let in',
        (error: unknown) => error,
      );
    } finally {
      await backend.close();
    }
  }
  function withoutKey(options: SshBackendOptions): SshBackendOptions {
    return Object.fromEntries(
      Object.entries(options).filter(([name]) => name !== 'keyFile'),
    ) as unknown as SshBackendOptions;
  }
  const saying = (text: string | RegExp) =>
    (typeof text === 'string' ? expect.stringContaining(text) : expect.stringMatching(text)) as string;

  describe('ssh host keys', () => {
    it('an unknown server is asked about, and used once its key has been accepted', async () => {
      await withFolder(async (folder) => {
        const options = optionsFor(sshd, { knownHostsFile: join(folder, 'new/known_hosts') });
        const question = {
          ask: 'trust-host-key',
          host: sshd.host,
          port: sshd.port,
          keyType: 'ssh-ed25519',
          fingerprint: sshd.fingerprint(),
        };
        expect(await refusal(options)).toMatchObject({ code: 'Terminal.NeedsDecision', details: question });
        const { usable, fix } = await createSshBackend(options).check();
        expect([usable, fix]).toEqual([false, saying('Accept the key SHA256:')]);
        expect(existsSync(options.knownHostsFile)).toBe(false);
        // Answered in another process, long after.
        const backend = createSshBackend(options);
        await backend.trustHostKey(question);
        await backend.trustHostKey(question);
        expect(readFileSync(options.knownHostsFile, 'utf8').split('\n')).toHaveLength(2);
        expect(await use(options)).toBe('in\n');
      });
    });

    it('a key other than the one that was accepted is not written down', async () => {
      await withFolder(async (folder) => {
        const options = optionsFor(sshd, { knownHostsFile: join(folder, 'known_hosts') });
        const { host, port } = sshd;
        const backend = createSshBackend(options);
        const other = backend.trustHostKey({ host, port, fingerprint: `SHA256:${'A'.repeat(43)}` });
        await expect(other).rejects.toMatchObject({ code: 'Terminal.Denied', message: saying(sshd.fingerprint()) });
        expect(existsSync(options.knownHostsFile)).toBe(false);
        const elsewhere = backend.trustHostKey({ host: 'elsewhere', port, fingerprint: sshd.fingerprint() });
        await expect(elsewhere).rejects.toMatchObject({ code: 'Terminal.Invalid' });
      });
    });

    it('a changed key is refused, with both fingerprints and what to do', async () => {
      const changing = await startSshd();
      try {
        const before = changing.fingerprint();
        expect(await use(optionsFor(changing))).toBe('in\n');
        await changing.stop();
        changing.newHostKey();
        await changing.start();
        const after = changing.fingerprint();
        const denied = { code: 'Terminal.Denied', retryable: false, details: { known: [before], presented: after } };
        const error = await refusal(optionsFor(changing));
        expect(error).toMatchObject(denied);
        expect(error).toMatchObject({ message: saying(`ssh-keygen -R '[127.0.0.1]:${changing.port}'`) });
        const { host, port } = changing;
        const backend = createSshBackend(optionsFor(changing));
        await expect(backend.trustHostKey({ host, port, fingerprint: after })).rejects.toMatchObject(denied);
        expect(readFileSync(changing.knownHostsFile, 'utf8').trim().split('\n')).toHaveLength(1);
      } finally {
        await changing.close();
      }
    });

    it("what the person's own known_hosts holds is known, hashed too, and it is not written to", async () => {
      await withFolder(async (folder) => {
        const userSshFolder = join(folder, 'dot-ssh');
        mkdirSync(userSshFolder);
        const own = join(userSshFolder, 'known_hosts');
        copyFileSync(sshd.knownHostsFile, own);
        execFileSync('ssh-keygen', ['-q', '-H', '-f', own], { stdio: 'ignore' });
        const text = readFileSync(own, 'utf8');
        expect(text).toMatch(/^\|1\|/);
        const options = optionsFor(sshd, { knownHostsFile: join(folder, 'ours'), userSshFolder });
        expect(await use(options)).toBe('in\n');
        expect(readFileSync(own, 'utf8')).toBe(text);
      });
    });

    it('of several keys a server has, it is asked for the one that is known', async () => {
      await withFolder(async (folder) => {
        makeKey(join(folder, 'rsa'), { type: 'rsa' });
        const both = await startSshd({ 'HostKey ': join(folder, 'rsa') });
        try {
          const knownHostsFile = join(folder, 'known_hosts');
          writeFileSync(knownHostsFile, `[127.0.0.1]:${both.port} ${readFileSync(join(folder, 'rsa.pub'), 'utf8')}`);
          expect(await use(optionsFor(both, { knownHostsFile }))).toBe('in\n');
        } finally {
          await both.close();
        }
      });
    });

    it('a jump host is asked about before the server behind it', async () => {
      const jump = await startSshd();
      try {
        jump.authorize(`${sshd.keyFile}.pub`);
        const options = optionsFor(sshd, { jump: `${me}@127.0.0.1:${jump.port}` });
        const details = { port: jump.port, fingerprint: jump.fingerprint() };
        expect(await refusal(options)).toMatchObject({ code: 'Terminal.NeedsDecision', details });
        const backend = createSshBackend(options);
        await backend.trustHostKey({ host: '127.0.0.1', ...details });
        expect(await use(options)).toBe('in\n');
      } finally {
        await jump.close();
      }
    });
  });

  describe('ssh logins', () => {
    it('a key the server does not take is refused, naming key, account and setting', async () => {
      await withFolder(async (folder) => {
        const keyFile = join(folder, 'stranger');
        makeKey(keyFile);
        const error = await refusal(optionsFor(sshd, { keyFile }));
        expect(error).toMatchObject({ code: 'Terminal.Authentication', retryable: false });
        expect(error).toMatchObject({
          message: saying(/the key .*SHA256:.*accepts publickey.*terminal\.ssh\.keyFile/),
        });
      });
    });

    it('a missing, unreadable or public key is said to be what it is', async () => {
      const missing = await refusal(optionsFor(sshd, { keyFile: '/no/such/key' }));
      expect(missing).toMatchObject({ code: 'Terminal.NotFound', message: saying('/no/such/key') });
      const publicKey = await refusal(optionsFor(sshd, { keyFile: `${sshd.keyFile}.pub` }));
      expect(publicKey).toMatchObject({ code: 'Terminal.Authentication', message: saying('is a public key') });
      const noKey = await refusal(optionsFor(sshd, { keyFile: sshd.knownHostsFile }));
      expect(noKey).toMatchObject({ code: 'Terminal.Authentication', message: saying('no private key') });
    });

    it('a locked key is opened by its passphrase and by no other', async () => {
      await withFolder(async (folder) => {
        const keyFile = join(folder, 'locked');
        makeKey(keyFile, { passphrase: 'open sesame' });
        sshd.authorize(`${keyFile}.pub`);
        const without = await refusal(optionsFor(sshd, { keyFile }));
        expect(without).toMatchObject({ code: 'Terminal.Authentication', message: saying('is locked') });
        const wrong = await refusal(optionsFor(sshd, { keyFile, passphrase: 'open barley' }));
        expect(wrong).toMatchObject({ message: saying('The passphrase does not open') });
        expect(JSON.stringify(wrong) + String(wrong)).not.toContain('barley');
        expect(await use(optionsFor(sshd, { keyFile, passphrase: 'open sesame' }))).toBe('in\n');
      });
    });

    it("without a key file, the agent and the person's usual keys are tried", async () => {
      await withFolder(async (folder) => {
        const { keyFile } = sshd;
        const options = withoutKey(optionsFor(sshd));
        expect(await refusal(options)).toMatchObject({
          message: saying('set terminal.ssh.keyFile, or start an ssh-agent'),
        });
        const agent = join(folder, 'agent');
        const deaf = await refusal({ ...options, agent });
        expect(deaf).toMatchObject({ code: 'Terminal.Authentication', message: saying('agent did not answer') });
        const running = spawn('ssh-agent', ['-D', '-a', agent], { stdio: 'ignore' });
        try {
          await expect.poll(() => existsSync(agent)).toBe(true);
          const empty = await refusal({ ...options, agent });
          expect(empty).toMatchObject({ code: 'Terminal.Authentication', message: saying('the agent') });
          execFileSync('ssh-add', ['-q', keyFile], { env: { ...process.env, SSH_AUTH_SOCK: agent } });
          expect(await use({ ...options, agent })).toBe('in\n');
        } finally {
          running.kill();
          await once(running, 'exit');
        }
        copyFileSync(keyFile, join(folder, 'id_ed25519'));
        makeKey(join(folder, 'id_rsa'), { passphrase: 'locked' });
        expect(await use({ ...options, userSshFolder: folder })).toBe('in\n');
      });
    });

    it.runIf(isRoot)('a password lets in where the server takes one, and never leaves for a jump host', async () => {
      const user = testUser('hermes-test-password');
      execFileSync('chpasswd', { input: `${user}:correct horse` });
      const server = await startSshd({ PasswordAuthentication: 'yes' });
      try {
        const options = withoutKey(optionsFor(server, { user }));
        expect(await use({ ...options, password: 'correct horse' })).toBe('in\n');
        const wrong = await refusal({ ...options, password: 'battery staple' });
        expect(wrong).toMatchObject({ code: 'Terminal.Authentication', message: saying('with the password') });
        expect(JSON.stringify(wrong) + String(wrong)).not.toContain('staple');
        const jump = `${user}@127.0.0.1:${server.port}`;
        const through = await refusal({ ...options, password: 'correct horse', jump });
        expect(through).toMatchObject({ code: 'Terminal.Authentication', message: saying('Nothing is set to log in') });
      } finally {
        await server.close();
      }
    });

    it.runIf(isRoot)('a locked account is refused, and the message thinks of it', async () => {
      const user = testUser('hermes-test-locked');
      execFileSync('usermod', ['--lock', user]);
      expect(await refusal(optionsFor(sshd, { user }))).toMatchObject({
        code: 'Terminal.Authentication',
        message: saying('account is not locked'),
      });
    });
  });

  describe('ssh accounts', () => {
    it.runIf(isRoot)('any login shell will do, and whatever it prints or however long it thinks', async () => {
      const shells = ['/bin/bash', '/usr/bin/fish', '/usr/bin/tcsh'].filter((path) => existsSync(path));
      // On a person's machine the shells that are there; in CI all of them (Debian: fish, tcsh).
      if (process.env['CI'] !== undefined) expect(shells).toHaveLength(3);
      for (const shell of shells) {
        const name = `hermes-test-${shell.split('/').at(-1) ?? ''}`;
        testUser(name, shell);
        const noise = 'echo Welcome; sh -c "echo careful >&2"; sleep 1\n';
        for (const file of ['.bashrc', '.tcshrc', '.config/fish/config.fish']) {
          const path = `/home/${name}/${file}`;
          mkdirSync(join(path, '..'), { recursive: true });
          writeFileSync(path, noise);
        }
        const account = await openAccount(optionsFor(sshd, { user: name }));
        const { text, state } = await account.run(`printf '%s|' 'a!b' "c\\"d" '\\\\' "$HOME"; exit 3`);
        expect([shell, text, state.exitCode]).toEqual([shell, `a!b|c"d|\\\\|/home/${name}|`, 3]);
        await closeAccount(account);
      }
    });

    it.runIf(isRoot)('an account that runs no commands is refused with what it says', async () => {
      const user = testUser('hermes-test-nologin', '/usr/sbin/nologin');
      expect(await refusal(optionsFor(sshd, { user }))).toMatchObject({
        code: 'Terminal.Denied',
        message: saying('account is currently not available'),
      });
    });

    it('the check tells server, account and system, and what the start folder must be', async () => {
      const backend = createSshBackend(optionsFor(sshd));
      const { usable, detail } = await backend.check();
      expect([usable, detail]).toEqual([true, saying(` on ${me}@127.0.0.1:${sshd.port}, as ${me}, `)]);
      await backend.close();
      expect(await refusal(optionsFor(sshd, { cwd: '/no/such/folder' }))).toMatchObject({
        code: 'Terminal.NotFound',
        message: saying('terminal.cwd'),
      });
      expect(await createSshBackend({ ...optionsFor(sshd), host: '' }).check()).toMatchObject({
        usable: false,
        fix: 'hermes config set terminal.ssh.host HOST',
      });
    });

    it('output that follows the start of a process at once arrives whole and once', async () => {
      const { transport, pool } = createLink(optionsFor(sshd));
      for (const bytes of [5, 70_000, 3_000_000]) {
        for (let round = 0; round < 8; round++) {
          const { output, ended } = await transport.open(`head -c ${bytes} /dev/zero`);
          // Time for more to come in before anybody reads.
          await sleep(round * 5);
          let seen = 0;
          for await (const piece of output) seen += (piece as Buffer).length;
          expect([seen, await ended]).toEqual([bytes, 0]);
        }
      }
      pool.close();
    });

    it('a shell for a person is in the directory of the session, resizes, and ends with its exit code', async () => {
      const account = await openAccount(optionsFor(sshd));
      await account.run('cd /usr; export SHOWN=yes');
      const shell = await account.backend.openShell(account.handle, {
        columns: 71,
        rows: 17,
        term: 'xterm',
        sessionKey: 'main',
      });
      let seen = '';
      shell.output.on('data', (bytes: Buffer) => (seen += bytes.toString()));
      shell.input.write('echo "<$PWD $SHOWN $TERM $(stty size)>"\n');
      await expect.poll(() => seen, { timeout: 20_000 }).toContain('</usr yes xterm 17 71>');
      shell.resize(90, 30);
      shell.input.write('stty size; exit 7\n');
      expect(await shell.ended).toBe(7);
      expect(seen).toContain('30 90');
      const second = await account.backend.openShell(account.handle, {
        columns: 80,
        rows: 24,
        term: 'xterm',
        sessionKey: 'main',
      });
      second.close();
      expect(await second.ended).toBeNull();
      await closeAccount(account);
    });
  });
});

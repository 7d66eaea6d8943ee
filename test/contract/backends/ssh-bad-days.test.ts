import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createSshBackend, type SshBackendOptions } from '../../../src/backends/ssh/ssh.ts';
import {
  closeAccount,
  me,
  openAccount,
  optionsFor,
  withFolder,
  mountSmallDisk,
  type Opened,
} from '../../support/ssh/account.ts';
import { freePort, isRoot, startSshd, withSshd, type Sshd } from '../../support/ssh/sshd.ts';
import { startTcpProxy, type TcpProxy } from '../../support/ssh/tcp-proxy.ts';
import { readToEnd } from './harness.ts';

const retryable = { retryable: true };

async function* piecesOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield await Promise.resolve(bytes.subarray(at, at + 65_536));
}

await withSshd(() => {
  describe('ssh on a bad day', () => {
    let sshd: Sshd;
    let proxy: TcpProxy;
    const opened: Opened[] = [];

    beforeAll(async () => {
      sshd = await startSshd();
      proxy = await startTcpProxy(sshd.port);
      sshd.introduce(sshd.knownHostsFile, proxy.port);
    });
    afterEach(async () => {
      for (const account of opened.splice(0)) await closeAccount(account);
    });
    afterAll(async () => {
      await proxy.close();
      await sshd.close();
    });

    async function open(changes: Partial<SshBackendOptions> = {}): Promise<Opened> {
      const account = await openAccount(optionsFor(sshd, { keepaliveMs: 300, ...changes }));
      opened.push(account);
      return account;
    }
    const openThroughProxy = (changes: Partial<SshBackendOptions> = {}) => open({ port: proxy.port, ...changes });

    it('a command runs on while sshd is gone for 10 s, and its result is collected after', async () => {
      const { session, start } = await open();
      const key = await start('echo first; sleep 6; echo last; exit 5');
      await session.poll(key, { offset: 0, maxBytes: 100, waitMs: 5_000 });
      const waiting = session.poll(key, { offset: 6, maxBytes: 100, waitMs: 30_000 });
      const broken = expect(waiting).rejects.toMatchObject(retryable);
      await sshd.stop();
      await broken;
      await expect(session.poll(key, { offset: 6, maxBytes: 100, waitMs: 0 })).rejects.toMatchObject({
        code: 'Terminal.BackendUnavailable',
        retryable: true,
      });
      await sleep(10_000);
      await sshd.start();
      const { state, text } = await readToEnd(session, key);
      expect([state.exitCode, text]).toEqual([5, 'first\nlast\n']);
    });

    it('a connection that is cut before the answer arrives never causes a second effect', async () => {
      await withFolder(async (folder) => {
        const { session } = await openThroughProxy();
        const rounds = 12;
        for (let round = 0; round < rounds; round++) {
          const spec = {
            key: `cut/${folder}/${round}`,
            command: `echo ${round} >>${folder}/effects`,
            sessionKey: 'main',
          };
          // At another of the answers of a start in each round.
          const cutting = sleep(round * 3).then(() => {
            proxy.cutInsteadOfAnswer();
          });
          for (let tries = 0; ; tries++) {
            try {
              await session.start(spec);
              await readToEnd(session, spec.key);
              break;
            } catch (error) {
              expect(error).toMatchObject(retryable);
              expect(tries).toBeLessThan(5);
            }
          }
          await cutting;
        }
        const { bytes } = await session.readFile(`${folder}/effects`, { sessionKey: 'main' });
        expect(bytes.toString()).toBe([...Array(rounds).keys()].map((round) => `${round}\n`).join(''));
      });
    });

    it('a server that freezes is noticed by its silence, and used again when it is back', async () => {
      const { session, run } = await openThroughProxy({ connectTimeoutMs: 1_000 });
      await run('true');
      proxy.freeze();
      try {
        const before = Date.now();
        await expect(session.cwd('main')).rejects.toMatchObject(retryable);
        // Three unanswered keepalives, and not the half minute that a request may take.
        expect(Date.now() - before).toBeLessThan(10_000);
      } finally {
        proxy.thaw();
      }
      expect((await run('echo back')).text).toBe('back\n');
    });

    it('a slow connection is only slow', async () => {
      proxy.delay(150);
      try {
        const { run } = await openThroughProxy();
        expect((await run('echo slow; exit 4')).state.exitCode).toBe(4);
      } finally {
        proxy.delay(0);
      }
    });

    it('twenty commands at once all run once', async () => {
      const { run } = await open();
      const all = await Promise.all([...Array(20).keys()].map((n) => run(`echo ${n}; exit ${n}`)));
      expect(all.map(({ text, state }) => [text, state.exitCode])).toEqual(
        [...Array(20).keys()].map((n) => [`${n}\n`, n]),
      );
    });

    it('a server that allows two sessions per connection and no sftp does everything, only later', async () => {
      const strict = await startSshd({ MaxSessions: 2, Subsystem: 'sftp /bin/false' });
      try {
        const account = await openAccount(optionsFor(strict));
        const numbers = [...Array(12).keys()];
        const work = numbers.map(async (n) => {
          const path = `/tmp/hermes-sessions-${process.pid}-${n}`;
          const bytes = Buffer.alloc(2_000_000, n);
          await account.session.upload(path, piecesOf(bytes), { sessionKey: 'main' });
          const { stream } = await account.session.download(path, { sessionKey: 'main' });
          const pieces: Buffer[] = [];
          for await (const piece of stream) pieces.push(piece as Buffer);
          await account.run(`rm ${path}`);
          return Buffer.concat(pieces).equals(bytes);
        });
        expect(await Promise.all(work)).toEqual(numbers.map(() => true));
        await closeAccount(account);
      } finally {
        await strict.close();
      }
    });

    it('a server that allows no sessions says so', async () => {
      const strict = await startSshd({ MaxSessions: 0 });
      try {
        const backend = createSshBackend(optionsFor(strict));
        const error = { code: 'Terminal.Denied', message: expect.stringContaining('MaxSessions') as string };
        await expect(backend.create('none')).rejects.toMatchObject(error);
        await backend.close();
      } finally {
        await strict.close();
      }
    });

    it('something that takes connections and says nothing is given up on', async () => {
      const sockets: Socket[] = [];
      const mute = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
      await new Promise((resolve) => mute.once('listening', resolve));
      const { port } = mute.address() as AddressInfo;
      const backend = createSshBackend(optionsFor(sshd, { port, connectTimeoutMs: 700 }));
      await expect(backend.create('mute')).rejects.toMatchObject({
        code: 'Terminal.BackendUnavailable',
        message: expect.stringContaining('did not finish the login within 0.7 s') as string,
      });
      expect((await backend.check()).usable).toBe(false);
      for (const socket of sockets) socket.destroy();
      mute.close();
    });

    it('a port where nobody listens is said to be one, with the settings to look at', async () => {
      const backend = createSshBackend(optionsFor(sshd, { port: await freePort() }));
      const { usable, detail } = await backend.check();
      expect(usable).toBe(false);
      expect(detail).toMatch(/nothing listens there.*terminal\.ssh\.port/);
      const { handle } = await open();
      const ways = [
        () => backend.create('nobody'),
        () => backend.resume(handle),
        () => backend.connect(handle),
        () => backend.describe(handle),
        () => backend.destroy(handle),
        () => backend.openShell(handle, { columns: 80, rows: 24, term: 'xterm', sessionKey: 'main' }),
        () => backend.sweep({ olderThanMs: 0, known: [handle] }),
      ];
      for (const way of ways) {
        await expect(way()).rejects.toMatchObject({ code: 'Terminal.BackendUnavailable', retryable: true });
      }
      // Nobody has to be there for that.
      expect((await backend.hibernate(handle)).state['asleep']).toBe('yes');
    });

    it('an environment that nobody uses holds no connection, and is there at the next use', async () => {
      const { run, backend, handle } = await openThroughProxy({ idleMs: 600 });
      await run('true');
      expect(proxy.open()).toBeGreaterThan(0);
      await expect.poll(() => proxy.open(), { timeout: 5_000 }).toBe(0);
      expect((await run('echo again')).text).toBe('again\n');
      const asleep = await backend.hibernate(handle);
      await expect.poll(() => proxy.open(), { timeout: 5_000 }).toBe(0);
      await expect(backend.connect(asleep)).rejects.toMatchObject({ code: 'Terminal.Asleep' });
    });

    it('an environment whose folder was removed by hand is gone, and creating makes a new one', async () => {
      const { backend, handle, run } = await open();
      await run(`rm -rf '${handle.state['place']?.split(' ')[1] ?? 'missing'}'`).catch((error: unknown) => {
        // The record of that very command is among what it removes.
        expect(error).toMatchObject({ code: expect.stringContaining('Terminal.') as string });
      });
      expect(await backend.describe(handle)).toMatchObject({ state: 'absent' });
      await expect(backend.resume(handle)).rejects.toMatchObject({ code: 'Terminal.SessionLost', retryable: false });
      const again = await backend.create(handle.environmentId);
      expect(again.state['identity']).not.toBe(handle.state['identity']);
      await expect(backend.connect(handle)).rejects.toMatchObject({ code: 'Terminal.SessionLost' });
      await backend.destroy(again);
    });

    it.runIf(isRoot)('a disk that is full is said to be full', async () => {
      const { folder, unmount } = mountSmallDisk(16);
      try {
        const backend = createSshBackend(optionsFor(sshd, { root: `${folder}/environments` }));
        const filler = await open();
        await filler.run(`cat /dev/zero >${folder}/filler 2>/dev/null`);
        await expect(backend.create('full')).rejects.toMatchObject({ code: 'Terminal.Full' });
        await backend.close();
      } finally {
        unmount();
      }
    });

    it('environments that nobody knows any more are swept, those of others and younger ones are not', async () => {
      await withFolder(async (root) => {
        const backend = createSshBackend(optionsFor(sshd, { root }));
        const other = createSshBackend(optionsFor(sshd, { root, installationId: '0ther0ther00' }));
        const [known, young, old] = [
          await backend.create('known'),
          await backend.create('young'),
          await backend.create('old'),
        ];
        const stranger = await other.create('stranger');
        const { start, backend: shell, handle } = await open();
        const ages = [known, old, stranger].map(
          ({ state }) => `touch -d '2 days ago' ${state['place']?.split(' ')[1] ?? ''}/identity`,
        );
        await readToEnd(await shell.connect(handle), await start(ages.join('\n')));
        expect(await backend.sweep({ olderThanMs: 3_600_000, known: [known] })).toBe(1);
        const states = await Promise.all([known, young, old].map((each) => backend.describe(each)));
        expect(states.map(({ state }) => state)).toEqual(['awake', 'awake', 'absent']);
        expect((await other.describe(stranger)).state).toBe('awake');
        await backend.close();
        await other.close();
      });
    });

    it('a jump host that forwards nothing, or reaches nothing, is named', async () => {
      const closed = await startSshd({ AllowTcpForwarding: 'no' });
      try {
        sshd.authorize(`${closed.keyFile}.pub`);
        const jump = `${me}@127.0.0.1:${closed.port}`;
        const backend = createSshBackend({ ...optionsFor(closed), port: sshd.port, jump });
        await expect(backend.create('behind')).rejects.toMatchObject({
          code: 'Terminal.Denied',
          message: expect.stringContaining('AllowTcpForwarding') as string,
        });
        const nowhere = createSshBackend(
          optionsFor(sshd, { port: await freePort(), jump: `${me}@127.0.0.1:${sshd.port}` }),
        );
        await expect(nowhere.create('behind')).rejects.toMatchObject({
          code: 'Terminal.BackendUnavailable',
          message: expect.stringContaining('cannot reach') as string,
        });
      } finally {
        await closed.close();
      }
    });
  });
});

import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend, EnvironmentHandle, RunState, TerminalSession } from '../../../src/backends/backend.ts';
import { createDockerBackend, type DockerBackendOptions } from '../../../src/backends/docker/docker.ts';
import { PortError } from '../../../src/lib/port-error.ts';
import { dockerEngine, withDockerEngine } from '../../support/docker/engine.ts';
import { busyboxImage, loadBusybox } from '../../support/docker/images.ts';
import { readToEnd, spawnClient } from './harness.ts';

const installationId = 'c0ffee000002';
const modulePath = fileURLToPath(new URL('docker-client.ts', import.meta.url));
let runs = 0;

async function run(session: TerminalSession, command: string, key = `run/${runs++}`) {
  await session.start({ key, sessionKey: 'main', command });
  return readToEnd(session, key);
}

/** What a caller does with errors that a retry can help. */
async function persist<T>(work: () => Promise<T>): Promise<T> {
  const limit = Date.now() + 60_000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!PortError.is(error) || !error.retryable || Date.now() > limit) throw error;
      await sleep(100);
    }
  }
}

withDockerEngine(() => {
  describe('docker, on bad days', () => {
    const engine = dockerEngine();
    const options: DockerBackendOptions = { installationId, host: engine.socketPath, image: busyboxImage };
    const backends: Backend[] = [];
    const open = (extra: Partial<DockerBackendOptions> = {}) => {
      const backend = createDockerBackend({ ...options, ...extra });
      backends.push(backend);
      return backend;
    };
    beforeAll(async () => {
      await engine.start();
      await loadBusybox(engine.docker);
    });
    afterAll(async () => {
      for (const backend of backends) await backend.close();
      await engine.stop();
    });

    it('a command goes on while the daemon is killed and started again, and its reader gets all of it', async () => {
      const backend = open();
      const handle = await backend.create('daemon-killed');
      const session = await backend.connect(handle);
      const command = 'for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i; sleep 0.3; done; exit 4';
      await session.start({ key: 'crash', sessionKey: 'main', command });
      let text = '';
      let state: RunState | undefined;
      const read = async () => {
        const current = await backend.connect(handle);
        const answer = await current.poll('crash', { offset: text.length, maxBytes: 1_000, waitMs: 1_000 });
        text += answer.bytes.toString();
        state = answer.state;
      };
      while (!text.includes('line 2')) await read();
      await engine.kill();
      await expect(backend.connect(handle)).rejects.toMatchObject({
        code: 'Terminal.BackendUnavailable',
        retryable: true,
      });
      const started = engine.start();
      do await persist(read);
      while (state?.phase === 'running');
      await started;
      expect(state).toMatchObject({ phase: 'exited', exitCode: 4 });
      expect(text).toBe(Array.from({ length: 10 }, (_, line) => `line ${line + 1}\n`).join(''));
      await backend.destroy(handle);
    });

    it('a container that was removed by hand is lost, and creating makes a new one', async () => {
      const backend = open();
      const handle = await backend.create('removed');
      const session = await backend.connect(handle);
      await run(session, 'echo old >/root/old');
      await engine.docker.getContainer(handle.state['container'] ?? '').remove({ force: true });
      const lost = { code: 'Terminal.SessionLost', retryable: false };
      await expect(backend.connect(handle)).rejects.toMatchObject(lost);
      await expect(backend.resume(handle)).rejects.toMatchObject(lost);
      await expect(backend.hibernate(handle)).rejects.toMatchObject(lost);
      await expect(session.start({ key: 'x', sessionKey: 'main', command: 'true' })).rejects.toMatchObject(lost);
      expect(await backend.describe(handle)).toMatchObject({ state: 'absent' });
      const again = await backend.create('removed');
      expect((await run(await backend.connect(again), 'ls /root/old')).state.exitCode).toBe(1);
      await backend.destroy(again);
    });

    it('a container that was stopped from outside is asleep, and wakes with its files', async () => {
      const backend = open();
      const handle = await backend.create('stopped');
      const session = await backend.connect(handle);
      await run(session, 'echo kept >/root/kept');
      await engine.docker.getContainer(handle.state['container'] ?? '').kill();
      await expect(session.poll('run', { offset: 0, maxBytes: 1, waitMs: 0 })).rejects.toMatchObject({
        code: 'Terminal.Asleep',
      });
      await expect(backend.connect(handle)).rejects.toMatchObject({ code: 'Terminal.Asleep' });
      const awake = await backend.resume(handle);
      expect((await run(await backend.connect(awake), 'cat /root/kept')).text).toBe('kept\n');
      await backend.destroy(awake);
    });

    it.each(['stop', 'commit'] as const)(
      'clients that race to create and to wake meet in one (%s)',
      async (hibernate) => {
        const clients = [open({ hibernate }), open({ hibernate }), open({ hibernate }), open({ hibernate })];
        const [first] = clients;
        if (!first) throw new Error('There is no client.');
        const made = await Promise.all(clients.map((client) => client.create(`race-${hibernate}`)));
        expect(new Set(made.map((handle) => JSON.stringify(handle))).size).toBe(1);
        let handle: EnvironmentHandle = made[0] ?? (await first.create('never'));
        for (let round = 0; round < 3; round++) {
          await run(await first.connect(handle), `echo ${round} >>/root/rounds`);
          const asleep = await first.hibernate(handle);
          expect(await first.describe(asleep)).toMatchObject({ state: 'hibernated' });
          const woken = await Promise.all(clients.map((client) => client.resume(asleep)));
          expect(new Set(woken.map((one) => JSON.stringify(one))).size).toBe(1);
          handle = woken[0] ?? handle;
        }
        expect((await run(await first.connect(handle), 'cat /root/rounds')).text).toBe('0\n1\n2\n');
        const label = [`hermes.environment=race-${hibernate}`];
        expect(await engine.docker.listContainers({ all: true, filters: { label } })).toHaveLength(1);
        await first.destroy(handle);
        expect(await engine.docker.listContainers({ all: true, filters: { label } })).toEqual([]);
        expect(await engine.docker.listImages({ all: true, filters: { label } })).toEqual([]);
      },
    );

    it('a command outlives three generations of clients', async () => {
      const backend = open();
      const handle = await backend.create('generations');
      const client = { modulePath, config: JSON.stringify(options) };
      const command = 'echo x >>/root/effects; sleep 6; echo done; exit 3';
      const spec = { key: 'long', sessionKey: 'main', command };
      for (let generation = 0; generation < 3; generation++) {
        const process = await spawnClient(client, 'generations', spec);
        process.go();
        await process.started();
        await process.kill();
      }
      const session = await backend.connect(handle);
      expect((await session.start(spec)).phase).toBe('running');
      const { state, text } = await readToEnd(session, 'long');
      expect([state.exitCode, text]).toEqual([3, 'done\n']);
      expect((await run(session, 'cat /root/effects')).text).toBe('x\n');
      await backend.destroy(handle);
    });

    it('a command that takes too much memory is killed and its environment lives on', async () => {
      const backend = open({ memoryMb: 32 });
      const handle = await backend.create('memory');
      const session = await backend.connect(handle);
      const eat = 'exec tail -c 1000000000 /dev/zero';
      expect((await run(session, eat)).state).toMatchObject({ exitCode: null, signal: 'SIGKILL', killed: false });
      expect((await run(session, 'echo alive')).text).toBe('alive\n');
      const { state, detail } = await backend.describe(handle);
      expect(state).toBe('awake');
      expect(detail).toContain('32 MB');
      expect(detail).toContain('ran out of memory');
      await backend.destroy(handle);
    });

    it('a run whose supervisor was taken by the memory limit is lost, and says so', async () => {
      const backend = open({ memoryMb: 32 });
      const handle = await backend.create('lost');
      const session = await backend.connect(handle);
      // The kernel takes first what asks to be taken first.
      const command = 'echo 1000 >/proc/$PPID/oom_score_adj; tail -c 1000000000 /dev/zero';
      const { state } = await run(session, command);
      expect(state).toMatchObject({ phase: 'lost', exitCode: null });
      expect((await run(session, 'echo alive')).text).toBe('alive\n');
      expect((await backend.describe(handle)).detail).toContain('ran out of memory');
      await backend.destroy(handle);
    });
  });

  describe('docker, with a full disk', () => {
    const engine = dockerEngine({ diskMb: 48 });
    const backend = createDockerBackend({
      installationId,
      host: engine.socketPath,
      image: busyboxImage,
      hibernate: 'commit',
    });
    beforeAll(async () => {
      await engine.start();
      await loadBusybox(engine.docker);
    });
    afterAll(async () => {
      await backend.close();
      await engine.stop();
    });

    it('a command says that the disk is full, and what is written to it is refused', async () => {
      const handle = await backend.create('full');
      const session = await backend.connect(handle);
      // A little room is left in the end: what the command says is written to the same disk.
      const fill = `dd if=/dev/zero of=/root/reserve bs=1k count=300 2>/dev/null
said=$(dd if=/dev/zero of=/root/fill bs=64k 2>&1); rm /root/reserve; echo "$said"`;
      expect((await run(session, fill, 'fill')).text).toContain('No space left on device');
      const write = session.writeFile('/root/more', Buffer.alloc(1_000_000), { sessionKey: 'main' });
      await expect(write).rejects.toMatchObject({ code: 'Terminal.Full' });
      expect((await session.readFile('/etc/passwd', { sessionKey: 'main' })).bytes.toString()).toContain('root');
    });

    it('a snapshot that is refused leaves the environment as it was', async () => {
      const handle = await backend.create('full');
      const committed: EnvironmentHandle[] = [];
      const commit = (next: EnvironmentHandle) => Promise.resolve(void committed.push(next));
      await expect(backend.hibernate(handle, { commit })).rejects.toMatchObject({ code: 'Terminal.Full' });
      expect(committed).toEqual([]);
      expect(await backend.describe(handle)).toMatchObject({ state: 'hibernated' });
      await engine.docker.getContainer(handle.state['container'] ?? '').inspect();
      const awake = await backend.resume(handle);
      expect((await run(await backend.connect(awake), 'rm /root/fill && echo room')).text).toBe('room\n');
      const asleep = await backend.hibernate(awake);
      expect(asleep.state['snapshot']).toContain('hermes-snapshot/');
      await backend.destroy(await backend.resume(asleep));
    });
  });

  describe('docker, whose handle cannot be written down', () => {
    const engine = dockerEngine();
    const backend = createDockerBackend({
      installationId,
      host: engine.socketPath,
      image: busyboxImage,
      hibernate: 'commit',
    });
    beforeAll(async () => {
      await engine.start();
      await loadBusybox(engine.docker);
    });
    afterAll(async () => {
      await backend.close();
      await engine.stop();
    });
    const refuse = () => Promise.reject(new Error('the store is away'));

    it('falling asleep stops there, keeps the container, and goes on with the same snapshot', async () => {
      const handle = await backend.create('commit-refused');
      await run(await backend.connect(handle), 'echo kept >/root/kept');
      await expect(backend.hibernate(handle, { commit: refuse })).rejects.toThrow('the store is away');
      await engine.docker.getContainer(handle.state['container'] ?? '').inspect();
      const asleep = await backend.hibernate(handle);
      expect(asleep.state['snapshot']).toMatch(/:1$/);
      const awake = await backend.resume(asleep);
      expect((await run(await backend.connect(awake), 'cat /root/kept')).text).toBe('kept\n');
      await backend.destroy(awake);
    });

    it('waking stops there, and the old handle still wakes', async () => {
      const handle = await backend.create('wake-refused');
      await run(await backend.connect(handle), 'echo kept >/root/kept');
      const asleep = await backend.hibernate(handle);
      await expect(backend.resume(asleep, { commit: refuse })).rejects.toThrow('the store is away');
      await engine.docker.getImage(asleep.state['snapshot'] ?? '').inspect();
      const awake = await backend.resume(asleep);
      expect((await run(await backend.connect(awake), 'cat /root/kept')).text).toBe('kept\n');
      await expect(engine.docker.getImage(asleep.state['snapshot'] ?? '').inspect()).rejects.toThrow('no such image');
      await backend.destroy(awake);
    });
  });
});

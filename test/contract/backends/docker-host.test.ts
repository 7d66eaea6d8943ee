import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, connect, type Server, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend, EnvironmentHandle, TerminalSession } from '../../../src/backends/backend.ts';
import { createDockerBackend, type DockerBackendOptions } from '../../../src/backends/docker/docker.ts';
import { dockerEngine, withDockerEngine } from '../../support/docker/engine.ts';
import { busyboxImage, debianImage, loadBusybox, loadDebian } from '../../support/docker/images.ts';
import { readToEnd } from './harness.ts';

const installationId = 'c0ffee000003';
let runs = 0;

async function run(session: TerminalSession, command: string) {
  const key = `run/${runs++}`;
  await session.start({ key, sessionKey: 'main', command });
  return readToEnd(session, key);
}

withDockerEngine(() => {
  describe('docker, the host side', () => {
    const engine = dockerEngine();
    const backends: Backend[] = [];
    const open = (extra: Partial<DockerBackendOptions> = {}) => {
      const backend = createDockerBackend({ installationId, host: engine.socketPath, image: busyboxImage, ...extra });
      backends.push(backend);
      return backend;
    };
    const inspect = (handle: EnvironmentHandle) =>
      engine.docker.getContainer(handle.state['container'] ?? '').inspect();
    beforeAll(async () => {
      await engine.start();
      await loadBusybox(engine.docker, ['VOLUME /data']);
    });
    afterAll(async () => {
      for (const backend of backends) await backend.close();
      await engine.stop();
    });

    it('commands have no capabilities, gain no privileges and stay within their limits', async () => {
      const backend = open({ network: 'off', pids: 40, memoryMb: 64, cpus: 0.5, user: 'person' });
      const handle = await backend.create('limits');
      const session = await backend.connect(handle);
      const status = (await run(session, 'cat /proc/self/status; id -un; pwd; ls /sys/class/net')).text;
      expect(status).toMatch(/CapEff:\s+0{16}\n/);
      expect(status).toMatch(/CapBnd:\s+0{16}\n/);
      expect(status).toMatch(/NoNewPrivs:\s+1\n/);
      expect(status).toMatch(/person\n\/home\/person\nlo\n$/);
      // In either layout of cgroups.
      const limit = 'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null';
      expect((await run(session, limit)).text).toBe('40\n');
      const { HostConfig } = await inspect(handle);
      expect(HostConfig).toMatchObject({ Memory: 64 * 1024 * 1024, NanoCpus: 5e8, PidsLimit: 40, Init: true });
      await backend.destroy(handle);
    });

    it('commands start in the folder of the settings, made where it is missing', async () => {
      for (const [index, [cwd, expected]] of [
        ['/srv/space here', '/srv/space here'],
        ['~/deep/er', '/root/deep/er'],
        ['~', '/root'],
      ].entries()) {
        const backend = open({ cwd: cwd ?? '' });
        const handle = await backend.create(`cwd-${index}`);
        expect((await run(await backend.connect(handle), 'pwd')).text).toBe(`${expected}\n`);
        await backend.destroy(handle);
      }
      const creation = open({ cwd: '/proc/no' }).create('cwd-bad');
      await expect(creation).rejects.toMatchObject({ message: expect.stringContaining('terminal.cwd') as string });
      await open().destroy({ environmentId: 'cwd-bad', backend: 'docker', state: {} });
    });

    it('folders are mounted, for reading only where it says so', async () => {
      const folder = join(engine.folder, 'shared');
      mkdirSync(folder);
      writeFileSync(join(folder, 'note'), 'from outside\n');
      const backend = open({ mounts: [`${folder}:/rw`, `${folder}:/ro:ro`] });
      const handle = await backend.create('mounts');
      const { text } = await run(await backend.connect(handle), 'cat /ro/note; echo 1 >/rw/new; echo 1 >/ro/x');
      expect(text).toMatch(/^from outside\n.*Read-only file system/);
      await backend.destroy(handle);
      await expect(open({ mounts: ['/no/such/folder:/x'] }).create('bad')).rejects.toMatchObject({
        code: 'Terminal.Invalid',
        message: expect.stringContaining('/no/such/folder') as string,
      });
      await expect(open({ mounts: ['nonsense'] }).create('bad')).rejects.toMatchObject({ code: 'Terminal.Invalid' });
      await backend.destroy({ environmentId: 'bad', backend: 'docker', state: {} });
    });

    it.each(['stop', 'commit'] as const)(
      'files, what was installed, and volumes survive sleep (%s)',
      async (hibernate) => {
        const backend = open({ hibernate });
        const first = await backend.create(`kept-${hibernate}`);
        const session = await backend.connect(first);
        const install = `printf '#!/bin/sh\\necho tool runs\\n' >/bin/tool; chmod 755 /bin/tool; echo v >/data/volume`;
        await run(session, `${install}; mkdir /srv; cd /srv; export A=kept; echo t >/tmp/t`);
        const before = (await inspect(first)).Id;
        const asleep = await backend.hibernate(first);
        const awake = await backend.resume(asleep);
        const again = await backend.connect(awake);
        const { text } = await run(again, 'pwd; echo $A; tool; cat /data/volume /tmp/t');
        expect(text).toBe('/srv\nkept\ntool runs\nv\nt\n');
        expect((await inspect(awake)).Id === before).toBe(hibernate === 'stop');
        await backend.destroy(awake);
        const label = [`hermes.environment=kept-${hibernate}`];
        const { Volumes } = await engine.docker.listVolumes({ filters: { label } });
        expect([Volumes].flat().filter(Boolean)).toEqual([]);
      },
    );

    it('a snapshot of many layers becomes one layer with the same files and settings', async () => {
      const backend = open({ hibernate: 'commit', maxLayers: 3 });
      let handle = await backend.create('layers');
      for (let round = 1; round <= 5; round++) {
        const session = await backend.connect(handle);
        await run(session, `echo ${round} >>/root/rounds; cd /root`);
        const asleep = await backend.hibernate(handle);
        expect(asleep.state['snapshot']).toMatch(new RegExp(`:${round}$`));
        const { RootFS } = await engine.docker.getImage(asleep.state['snapshot'] ?? '').inspect();
        expect((RootFS.Layers ?? []).length).toBeLessThanOrEqual(4);
        handle = await backend.resume(asleep);
      }
      const { text } = await run(await backend.connect(handle), 'cat /root/rounds; echo $PATH; pwd');
      expect(text).toBe('1\n2\n3\n4\n5\n/bin\n/root\n');
      await backend.destroy(handle);
      const filters = { label: ['hermes.environment=layers'] };
      expect(await engine.docker.listImages({ all: true, filters })).toEqual([]);
    });

    it('limits that changed are set while it runs; other changes are told', async () => {
      const handle = await open({ memoryMb: 64, pids: 100 }).create('drift');
      const other = open({ memoryMb: 128, pids: 200, cpus: 0.5, network: 'off', image: 'debian:bookworm-slim' });
      expect((await other.describe(handle)).detail).toContain('memoryMb and pids and cpus not as configured');
      await other.resume(handle);
      const { HostConfig } = await inspect(handle);
      expect(HostConfig).toMatchObject({ Memory: 128 * 1024 * 1024, NanoCpus: 5e8, PidsLimit: 200 });
      const { state, detail } = await other.describe(handle);
      expect(state).toBe('awake');
      expect(detail).toContain(`image ${busyboxImage} instead of debian:bookworm-slim, network on instead of off`);
      expect(detail).toContain('hermes backend reset');
      expect(detail).not.toContain('not as configured');
      await other.destroy(handle);
    });

    it('a container of the same name that is not ours is left alone', async () => {
      const backend = open();
      const handle = await backend.create('foreign');
      await backend.destroy(handle);
      const name = handle.state['container'] ?? '';
      await engine.docker.createContainer({ name, Image: busyboxImage, Cmd: ['true'] });
      await expect(backend.create('foreign')).rejects.toMatchObject({ code: 'Terminal.Invalid' });
      await expect(backend.destroy(handle)).rejects.toMatchObject({ code: 'Terminal.Invalid' });
      await engine.docker.getContainer(name).remove();
    });

    it('sweeping removes orphans, and neither what is known, young or busy, nor what others made', async () => {
      const backend = open({ hibernate: 'commit' });
      const known = await backend.create('known');
      const orphan = await backend.create('orphan');
      const busy = await backend.create('busy');
      const sleeper = await backend.create('sleeper');
      await (await backend.connect(busy)).start({ key: 'busy', sessionKey: 'main', command: 'sleep 600' });
      const once = open();
      await run(await once.connect(orphan), 'echo mine >/root/mine');
      await once.close();
      // A copy that a person made carries our labels, under a name of their own.
      await engine.docker.getContainer(orphan.state['container'] ?? '').commit({ repo: 'mine', tag: 'copy' });
      const theirs = await engine.docker.createContainer({ name: 'theirs', Image: 'mine:copy', Cmd: ['true'] });
      const snapshot = (await backend.hibernate(sleeper)).state['snapshot'] ?? '';
      expect(await open({ installationId: 'c0ffee00000f' }).sweep({ olderThanMs: 0, known: [] })).toBe(0);
      expect(await backend.sweep({ olderThanMs: 3_600_000, known: [known] })).toBe(0);
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      // Container and volume of the orphan, snapshot and volume of the sleeper.
      const swept = await backend.sweep({ olderThanMs: 1_000, known: [known] });
      expect(swept).toBe(4);
      expect((await backend.describe(orphan)).state).toBe('absent');
      expect((await backend.describe(sleeper)).state).toBe('absent');
      await expect(engine.docker.getImage(snapshot).inspect()).rejects.toThrow('no such image');
      expect((await backend.describe(known)).state).toBe('awake');
      expect((await backend.describe(busy)).state).toBe('awake');
      await theirs.inspect();
      await theirs.remove();
      await engine.docker.getImage('mine:copy').remove();
      for (const handle of [known, busy]) await backend.destroy(handle);
    });

    it('an image is built from a folder, and again when its Dockerfile changed', async () => {
      const buildFolder = join(engine.folder, 'build');
      mkdirSync(buildFolder);
      writeFileSync(join(buildFolder, 'greeting'), 'built\n');
      const write = (more: string) =>
        writeFileSync(join(buildFolder, 'Dockerfile'), `FROM ${busyboxImage}\nCOPY greeting /greeting\n${more}`);
      write('WORKDIR /work\n');
      const backend = open({ buildFolder });
      expect(await backend.check()).toMatchObject({ usable: true });
      const heard: string[] = [];
      const handle = await backend.create('built', { progress: (line) => heard.push(line) });
      expect(heard.join('\n')).toContain('COPY greeting /greeting');
      expect((await run(await backend.connect(handle), 'cat /greeting; pwd')).text).toBe('built\n/work\n');
      await backend.destroy(handle);
      write('COPY missing /missing\n');
      await expect(backend.create('built')).rejects.toMatchObject({
        code: 'Terminal.Invalid',
        message: expect.stringContaining('missing') as string,
      });
      await expect(open({ buildFolder: '/no/such' }).create('built')).rejects.toMatchObject({
        code: 'Terminal.NotFound',
      });
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      expect(await backend.sweep({ olderThanMs: 1_000, known: [] })).toBe(1);
    });

    it('a person gets a terminal of the right size in the directory of the session', async () => {
      const backend = open();
      const handle = await backend.create('terminal');
      await run(await backend.connect(handle), 'mkdir /work; cd /work; export GREETING=hello');
      const shell = await backend.openShell(handle, { columns: 91, rows: 33, term: 'vt100', sessionKey: 'main' });
      let screen = '';
      shell.output.on('data', (data: Buffer) => (screen += data.toString()));
      shell.input.write('stty size; echo $TERM $GREETING $PWD\n');
      await expect.poll(() => screen, { timeout: 10_000 }).toContain('vt100 hello /work');
      expect(screen).toContain('33 91');
      shell.resize(100, 40);
      await expect
        .poll(() => (shell.input.write('stty size\n'), screen), { timeout: 10_000, interval: 200 })
        .toContain('40 100');
      shell.input.write('exit 7\n');
      expect(await shell.ended).toBe(7);
      const dropped = await backend.openShell(handle, { columns: 80, rows: 24, term: 'vt100', sessionKey: 'main' });
      let said = '';
      dropped.output.on('data', (data: Buffer) => (said += data.toString()));
      dropped.input.write('sleep 1234 & echo ready; sleep 1235\n');
      await expect.poll(() => said, { timeout: 10_000 }).toContain('ready\r\n');
      dropped.close();
      expect(await dropped.ended).toBeNull();
      const container = engine.docker.getContainer(handle.state['container'] ?? '');
      const left = async () => JSON.stringify(await container.top({ ps_args: '-eo pid,args' }));
      await expect.poll(left, { timeout: 10_000 }).not.toMatch(/sleep 123[45]|sh -i/);
      await backend.destroy(handle);
    });

    it('a backend that is closed leaves no process of its own behind', async () => {
      const backend = open();
      const handle = await backend.create('idle');
      await run(await backend.connect(handle), 'true');
      await backend.close();
      const container = engine.docker.getContainer(handle.state['container'] ?? '');
      const processes = async () =>
        ((await container.top({ ps_args: '-eo pid,args' })) as { Processes: string[][] }).Processes.length;
      await expect.poll(processes, { timeout: 10_000 }).toBe(2);
      await open().destroy(handle);
    });

    it('it can be used over tcp and through ssh', async () => {
      const server = await proxy(engine.socketPath);
      const stub = join(engine.folder, 'ssh');
      writeFileSync(
        stub,
        `#!/bin/sh\necho "$@" >>${stub}.log\nexec docker -H unix://${engine.socketPath} system dial-stdio\n`,
        {
          mode: 0o755,
        },
      );
      const hosts = [
        { host: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}` },
        { host: 'ssh://me@far.example:2222', sshProgram: stub },
      ];
      for (const [index, where] of hosts.entries()) {
        const backend = open(where);
        expect(await backend.check()).toMatchObject({ usable: true });
        const handle = await backend.create(`remote-${index}`);
        const { state, text } = await run(await backend.connect(handle), 'echo there; exit 5');
        expect([state.exitCode, text]).toEqual([5, 'there\n']);
        await backend.destroy(handle);
        await backend.close();
      }
      server.close();
    });

    it('packages install with the capabilities they need', async () => {
      await loadDebian(engine.docker);
      const capabilities = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'SETGID', 'SETUID'];
      const backend = open({ image: debianImage, capabilities });
      const handle = await backend.create('packages');
      const control = 'Package: probe\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@x>\\nDescription: x\\n';
      const session = await backend.connect(handle);
      const build = `mkdir -p p/DEBIAN p/usr/bin; printf '${control}' >p/DEBIAN/control
printf '#!/bin/sh\\necho probe runs\\n' >p/usr/bin/probe; chmod 755 p/usr/bin/probe; dpkg-deb -b p p.deb && dpkg -i p.deb`;
      expect((await run(session, build)).state.exitCode).toBe(0);
      const awake = await backend.resume(await backend.hibernate(handle));
      const { text } = await run(await backend.connect(awake), 'probe; dpkg -s probe | grep Status');
      expect(text).toBe('probe runs\nStatus: install ok installed\n');
      await backend.destroy(awake);
    });
  });

  describe('docker, whether it can be used', () => {
    const engine = dockerEngine();
    const open = (options: Partial<DockerBackendOptions>) =>
      createDockerBackend({ installationId, host: engine.socketPath, image: busyboxImage, ...options });
    beforeAll(async () => {
      await engine.start();
      await loadBusybox(engine.docker);
    });
    afterAll(() => engine.stop());

    it('it says which version is where', async () => {
      const { usable, detail } = await open({}).check();
      expect(usable).toBe(true);
      expect(detail).toMatch(new RegExp(`^Docker \\S+ at ${engine.socketPath}, image ${busyboxImage}$`));
    });

    it('no daemon is told from a wrong address', async () => {
      const nobody = open({ host: '/no/such/docker.sock' });
      expect(await nobody.check()).toMatchObject({
        usable: false,
        detail: expect.stringContaining('/no/such/docker.sock') as string,
        fix: expect.stringContaining('terminal.docker.host') as string,
      });
      await expect(nobody.create('x')).rejects.toMatchObject({ code: 'Terminal.BackendUnavailable', retryable: true });
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      server.close();
      expect((await open({ host: `tcp://127.0.0.1:${port}` }).check()).detail).toContain('does not answer');
      expect(() => open({ host: 'gopher://x' })).toThrow('terminal.docker.host');
    });

    it('a daemon that accepts and never answers is given up within five seconds', async () => {
      const server = createServer(() => undefined).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const before = Date.now();
      const { usable, detail } = await open({ host: `tcp://127.0.0.1:${port}` }).check();
      expect(usable).toBe(false);
      expect(detail).toContain('did not answer in time');
      expect(Date.now() - before).toBeLessThan(5_000);
      server.close();
    });

    it('an image that is neither here nor at a registry is named, with what to do', async () => {
      // A registry on loopback that nobody runs.
      const image = '127.0.0.1:9/absent/image:1';
      const backend = open({ image });
      const answer = await backend.check();
      expect(answer.usable).toBe(false);
      expect(answer.detail).toContain(image);
      expect(answer.fix).toContain('terminal.docker.image');
      const heard: string[] = [];
      const creation = backend.create('absent', { progress: (line) => heard.push(line) });
      await expect(creation).rejects.toMatchObject({ message: expect.stringContaining(image) as string });
      expect(heard).toEqual([`pulling ${image}`]);
    });

    it('an image without a shell is said to be unusable, and stands in the way of nothing', async () => {
      const [repo, tag] = ['hermes-test/empty', '1'];
      const empty = Buffer.alloc(1024);
      const { Readable } = await import('node:stream');
      const answer = await engine.docker.importImage(Readable.from([empty]), { repo, tag });
      for await (const line of answer) expect(String(line)).not.toContain('"error"');
      await expect(open({ image: `${repo}:${tag}` }).create('empty')).rejects.toMatchObject({
        code: 'Terminal.Invalid',
      });
      const backend = open({});
      await backend.destroy(await backend.create('empty'));
    });
  });
});

/** A tcp port in front of a unix socket. */
async function proxy(socketPath: string): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const daemon = connect({ path: socketPath, allowHalfOpen: true });
    client.pipe(daemon).pipe(client);
    client.on('error', () => daemon.destroy());
    daemon.on('error', () => client.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend, EnvironmentHandle } from '../../../src/backends/backend.ts';
import { baseEnvironment } from '../../../src/backends/base-environment.ts';
import { instanceName, type SingularityBackendOptions } from '../../../src/backends/singularity/options.ts';
import { createSingularityBackend } from '../../../src/backends/singularity/singularity.ts';
import { engineMissing, startApptainer, type ApptainerEngine } from '../../support/apptainer/engine.ts';
import { openBench, readToEnd, spawnClient } from './harness.ts';

const missing = engineMissing();
const modulePath = fileURLToPath(new URL('singularity-client.ts', import.meta.url));
const installationId = 'badbadbadbad';
const main = { sessionKey: 'main' };
const smallDiskMb = 48;

describe.skipIf(missing !== null)('singularity on bad days', () => {
  let engine: ApptainerEngine;
  let count = 0;
  const backends: Backend[] = [];
  const smallDisk = () => join(engine.folder, 'small');

  beforeAll(async () => {
    engine = await startApptainer({ smallDiskMb });
  });
  afterAll(async () => {
    for (const backend of backends) await backend.close();
    await engine.close();
  });

  const withoutBin = (): SingularityBackendOptions => ({
    installationId,
    image: engine.image,
    overlayDir: join(engine.folder, 'overlays'),
    cacheDir: join(engine.folder, 'images'),
    baseEnv: baseEnvironment(process.env),
  });
  function options(extra: Partial<SingularityBackendOptions> = {}): SingularityBackendOptions {
    return { ...withoutBin(), bin: engine.bin, ...extra };
  }
  function backend(extra: Partial<SingularityBackendOptions> = {}): Backend {
    const opened = createSingularityBackend(options(extra));
    backends.push(opened);
    return opened;
  }
  const newId = () => `bad-day-${count++}`;
  const folderOf = (environmentId: string, overlayDir = join(engine.folder, 'overlays')) =>
    join(overlayDir, readdirSync(overlayDir).find((name) => name.startsWith(`${environmentId}_`)) ?? 'none');
  const instances = () =>
    (
      JSON.parse(engine.run(['apptainer', 'instance', 'list', '--json'])) as {
        instances: { instance: string; pid: number }[];
      }
    ).instances;
  const pidOf = (environmentId: string) =>
    instances().find(({ instance }) => instance === instanceName(installationId, environmentId))?.pid;
  const killInstance = (environmentId: string) => engine.run(['sh', '-c', `kill -9 ${String(pidOf(environmentId))}`]);

  describe('what is missing or wrong is said, with what to do', () => {
    it('no program', async () => {
      for (const bin of ['/nowhere/apptainer', 'no-such-program']) {
        const there = backend({ bin });
        const { usable, detail, fix } = await there.check();
        expect(usable).toBe(false);
        expect(`${detail} ${fix ?? ''}`).toContain('terminal.singularity.bin');
        await expect(there.create(newId())).rejects.toMatchObject({
          code: 'Terminal.BackendUnavailable',
          retryable: false,
        });
      }
    });

    it('neither apptainer nor singularity on the PATH', async () => {
      const there = createSingularityBackend({ ...withoutBin(), baseEnv: { PATH: '/nowhere', HOME: '/root' } });
      expect(await there.check()).toMatchObject({
        usable: false,
        detail: expect.stringContaining('installed') as string,
      });
    });

    it('the program is found on the PATH by either name', async () => {
      const folder = join(engine.folder, 'path');
      mkdirSync(folder);
      cpSync(engine.bin, join(folder, 'singularity'));
      const rest = withoutBin();
      const there = createSingularityBackend({
        ...rest,
        baseEnv: { ...rest.baseEnv, PATH: `/nowhere:${folder}:${rest.baseEnv['PATH'] ?? ''}` },
      });
      const { usable, detail } = await there.check();
      expect(detail).toContain(join(folder, 'singularity'));
      expect(usable).toBe(true);
    });

    it('the image is absent', async () => {
      for (const absent of ['/nowhere/image.sif', 'docker-archive:/nowhere/saved.tar']) {
        const there = backend({ image: absent });
        expect(await there.check()).toMatchObject({
          usable: false,
          fix: expect.stringContaining('terminal.singularity.image') as string,
        });
        const id = newId();
        await expect(there.create(id)).rejects.toMatchObject({ code: 'Terminal.NotFound' });
        expect(await there.describe({ environmentId: id, backend: 'singularity', state: {} })).toMatchObject({
          state: 'absent',
        });
      }
    });

    it('the image is no image', async () => {
      const notes = join(engine.folder, 'notes.sif');
      writeFileSync(notes, 'These are my notes.\n'.repeat(100));
      const there = backend({ image: notes });
      expect(await there.check()).toMatchObject({ usable: false });
      await expect(there.create(newId())).rejects.toMatchObject({ code: 'Terminal.Invalid' });
      const archive = backend({ image: `docker-archive:${notes}` });
      await expect(archive.create(newId())).rejects.toMatchObject({ code: 'Terminal.Invalid' });
      expect(readdirSync(join(engine.folder, 'images')).filter((name) => name.includes('.new'))).toEqual([]);
    });

    it('an image that is neither a path nor an address', async () => {
      await expect(backend({ image: 'debian:bookworm' }).create(newId())).rejects.toMatchObject({
        code: 'Terminal.Invalid',
      });
    });

    it('a registry that does not answer', async () => {
      const there = backend({ image: 'docker://127.0.0.1:9/debian:bookworm' });
      const { usable, detail } = await there.check();
      expect(usable).toBe(true);
      expect(detail).toContain('at first use');
      const lines: string[] = [];
      const created = there.create(newId(), { progress: (line) => lines.push(line) });
      await expect(created).rejects.toMatchObject({ code: 'Terminal.BackendUnavailable', retryable: true });
      expect(lines[0]).toContain('docker://127.0.0.1:9/debian:bookworm');
    });

    it('a mount that is not there', async () => {
      const there = backend({ mounts: ['/nowhere/at/all:/work'] });
      await expect(there.create(newId())).rejects.toMatchObject({ code: 'Terminal.NotFound' });
    });
  });

  it('a plain folder is made into an image once, however many ask', async () => {
    const lines: string[] = [];
    const there = [0, 1].map(() => backend({ image: engine.tinyRootfs, cacheDir: join(engine.folder, 'fresh') }));
    const ids = [newId(), newId()];
    await Promise.all(there.map((one, at) => one.create(ids[at] ?? '', { progress: (line) => lines.push(line) })));
    const made = readdirSync(join(engine.folder, 'fresh')).filter((name) => name.endsWith('.sif'));
    expect(made).toHaveLength(1);
    expect(lines.filter((line) => line.includes('Creating SIF file'))).toHaveLength(1);
    for (const id of ids) await there[0]?.destroy({ environmentId: id, backend: 'singularity', state: {} });
  });

  it('an instance killed in mid-command sleeps, and wakes with its files', async () => {
    const there = backend();
    const id = newId();
    const bench = await openBench(there, id);
    const key = await bench.start(`echo before >~/kept; echo running; sleep 1000`);
    await bench.saw(key, 'running');
    killInstance(id);
    await expect.poll(async () => (await there.describe(bench.handle)).state, { timeout: 10_000 }).toBe('hibernated');
    await expect.poll(async () => codeOf(there.connect(bench.handle)), { timeout: 10_000 }).toBe('Terminal.Asleep');
    const session = await there.connect(await there.resume(bench.handle));
    expect((await session.readFile('~/kept', main)).bytes.toString()).toBe('before\n');
    // Gone with the instance: nobody can know how it would have ended, so it is never said to have.
    expect((await session.poll(key, { offset: 0, maxBytes: 100, waitMs: 0 })).state.phase).toBe('lost');
    await there.destroy(bench.handle);
  });

  it('a machine that lost its power: everything sleeps, and wakes with its files', async () => {
    const there = backend();
    const id = newId();
    const bench = await openBench(there, id);
    await bench.run(`echo before >~/kept; cd /srv; export A=1`);
    await engine.crash();
    expect((await there.describe(bench.handle)).state).toBe('hibernated');
    await expect.poll(async () => codeOf(there.connect(bench.handle)), { timeout: 10_000 }).toBe('Terminal.Asleep');
    const handle = await there.resume(bench.handle);
    expect(handle).toEqual(bench.handle);
    const again = await openBench(there, id);
    expect((await again.run('cat ~/kept; pwd; echo $A')).text).toBe('before\n/srv\n1\n');
    await there.destroy(handle);
  });

  it('files removed by hand are said to be lost, and creating makes the environment new', async () => {
    const there = backend();
    const id = newId();
    const bench = await openBench(there, id);
    await bench.run('echo before >~/kept');
    rmSync(join(folderOf(id), 'overlay'), { recursive: true });
    expect((await there.describe(bench.handle)).state).toBe('absent');
    const gone = { code: 'Terminal.SessionLost', retryable: false };
    await expect(there.connect(bench.handle)).rejects.toMatchObject(gone);
    await expect(there.resume(bench.handle)).rejects.toMatchObject(gone);
    expect(pidOf(id)).toBeUndefined();
    const fresh = await openBench(there, id);
    expect((await fresh.run('cat ~/kept || echo nothing')).text).toContain('nothing');
    await there.destroy(fresh.handle);
  });

  it('clients that race to create, wake and put to sleep leave one instance and all files', async () => {
    const id = newId();
    const clients = [backend(), backend(), backend()];
    const handles = await Promise.all(clients.map((client) => client.create(id)));
    expect(new Set(handles.map((handle) => JSON.stringify(handle))).size).toBe(1);
    const handle = handles[0] as EnvironmentHandle;
    const [first, second, third] = clients as [Backend, Backend, Backend];
    const bench = await openBench(first, id);
    await bench.run('echo before >~/kept');
    for (let round = 0; round < 3; round++) {
      await Promise.all([first.hibernate(handle), second.hibernate(handle)]);
      expect((await third.describe(handle)).state).toBe('hibernated');
      await Promise.all([first.resume(handle), second.resume(handle), third.create(id)]);
      expect(instances().filter(({ instance }) => instance === instanceName(installationId, id))).toHaveLength(1);
    }
    await Promise.allSettled([first.resume(handle), second.hibernate(handle), third.resume(handle)]);
    await first.resume(handle);
    const session = await second.connect(handle);
    expect((await session.readFile('~/kept', main)).bytes.toString()).toBe('before\n');
    await Promise.all([first.destroy(handle), second.destroy(handle)]);
    expect(pidOf(id)).toBeUndefined();
  });

  it('a command outlives three generations of clients', async () => {
    const there = backend();
    const id = newId();
    await there.create(id);
    const key = 'three-generations';
    const command = 'for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.5; done; exit 7';
    for (let generation = 0; generation < 3; generation++) {
      const client = await spawnClient({ modulePath, config: JSON.stringify(options()) }, id, {
        key,
        command,
        ...main,
      });
      client.go();
      await client.started();
      await client.kill();
    }
    const session = await there.connect(await there.create(id));
    const { state, text } = await readToEnd(session, key);
    expect(text).toBe('1\n2\n3\n4\n5\n6\n7\n8\n');
    expect(state).toMatchObject({ phase: 'exited', exitCode: 7 });
    await there.destroy({ environmentId: id, backend: 'singularity', state: {} });
  });

  it('a full disk fails what is written, and the environment lives on', async () => {
    const there = backend({ overlayDir: join(smallDisk(), 'overlays') });
    const bench = await openBench(there, newId());
    const piece = Buffer.alloc(4 * 1024 * 1024);
    const fill = async () => {
      for (let at = 0; at < smallDiskMb; at++) await bench.session.writeFile(`~/filler-${at}`, piece, main);
    };
    await expect(fill()).rejects.toMatchObject({ code: 'Terminal.Full' });
    await bench.session.writeFile('~/filler-0', Buffer.alloc(0), main);
    expect((await bench.run('rm ~/filler-*; echo room')).text).toBe('room\n');
    await bench.session.writeFile('~/more', piece, main);
    const handle = await there.resume(await there.hibernate(bench.handle));
    const session = await there.connect(handle);
    expect((await session.readFile('~/more', main)).sizeBytes).toBe(piece.length);
    await there.destroy(bench.handle);
    expect(readdirSync(join(smallDisk(), 'overlays'))).toEqual(['locks']);
  });

  describe('what is inside', () => {
    it('limits are set: memory, processes', async () => {
      const there = backend({ memoryMb: 128, pidsLimit: 64, cpus: 1 });
      const bench = await openBench(there, newId());
      expect((await there.describe(bench.handle)).detail).not.toContain('without');
      const eaten = await bench.run(`head -c 400M /dev/zero | tail -c 300M | wc -c`);
      expect(eaten.text).not.toContain(String(300 * 1024 * 1024));
      const key = await bench.start(`sleep 1; sh -c 'for i in $(seq 200); do sleep 2 & done; wait'`);
      // While there is no room for another process, nothing can be asked there either.
      const end = async () => (await readToEnd(bench.session, key)).text;
      await expect.poll(() => end().catch(() => ''), { timeout: 30_000 }).toMatch(/cannot fork/i);
      expect((await there.describe(bench.handle)).state).toBe('awake');
      const alive = async () => (await bench.run('echo alive')).text;
      await expect.poll(() => alive().catch(() => ''), { timeout: 30_000 }).toBe('alive\n');
      await there.destroy(bench.handle);
    });

    it('limits that cannot be set are said, and the environment starts without them', async () => {
      const there = backend({ cpus: 100_000, memoryMb: 256 });
      const lines: string[] = [];
      const id = newId();
      const handle = await there.create(id, { progress: (line) => lines.push(line) });
      const { detail } = await there.describe(handle);
      expect(detail).toContain('without the limits cpus');
      expect(detail).not.toContain('memoryMb');
      expect(lines.join()).toContain('without the limit cpus');
      expect((await there.check()).detail).toContain('cpus');
      await there.destroy(handle);
    });

    it('nothing of the service is seen: variables, processes, files, /tmp', async () => {
      const there = backend({
        baseEnv: {
          ...baseEnvironment(process.env),
          SECRET_OF_SERVICE: 'leak',
          APPTAINERENV_ONE: 'leak',
          SINGULARITYENV_TWO: 'leak',
          APPTAINER_BIND: '/etc:/leak',
          https_proxy: 'http://leak:leak@127.0.0.1:1',
        },
      });
      const bench = await openBench(there, newId());
      const { text } = await bench.run('env; cat /proc/1/environ | tr "\\0" "\\n"; ps ax');
      expect(text).not.toContain('leak');
      expect((await bench.run('ls -A /tmp; ls -A ~')).text).toBe(
        `${bench.scratch.slice(5)}\n.bashrc\n.hermes-runs\n.profile\n`,
      );
      await there.destroy(bench.handle);
    });

    it('root inside has no capability and cannot change the machine', async () => {
      const there = backend();
      const bench = await openBench(there, newId());
      const { text } = await bench.run(`grep CapEff /proc/self/status
(echo changed >/proc/sys/kernel/hostname) 2>/dev/null && echo WROTE
for f in $(find /proc/sys/kernel /proc/sys/vm /sys -maxdepth 6 -type f -perm -200 2>/dev/null); do
  (: >>$f) 2>/dev/null && echo "WRITABLE $f"
done; echo done`);
      expect(text).toMatch(/CapEff:\s+0000000000000000\ndone\n/);
      await bench.run(`mkdir ${bench.scratch}/shut; chmod 0 ${bench.scratch}/shut`);
      const refused = bench.session.readFile(`${bench.scratch}/shut/x`, main);
      await expect(refused).rejects.toMatchObject({ code: 'Terminal.Denied' });
      await there.destroy(bench.handle);
    });

    it('without network there is only loopback; mounts are as declared', async () => {
      const shared = join(engine.folder, 'shared');
      mkdirSync(shared);
      writeFileSync(join(shared, 'note'), 'from outside\n');
      const there = backend({ network: 'off', mounts: [`${shared}:/data:ro`, `${shared}:/data-rw`] });
      const bench = await openBench(there, newId());
      expect((await bench.run('grep -c : /proc/net/dev')).text.trim()).toBe('1');
      const { text } = await bench.run('cat /data/note; echo x >/data/y || echo refused; echo inside >/data-rw/z');
      expect(text).toContain('from outside\n');
      expect(text).toContain('refused');
      expect(readFileSync(join(shared, 'z'), 'utf8')).toBe('inside\n');
      await there.destroy(bench.handle);
    });

    it('a person gets a shell on a terminal, in the directory of the session', async () => {
      const there = backend();
      const bench = await openBench(there, newId());
      await bench.run('mkdir -p ~/desk; cd ~/desk; export COLOUR=green');
      const shell = await there.openShell(bench.handle, { columns: 97, rows: 31, term: 'xterm', sessionKey: 'main' });
      let seen = '';
      shell.output.on('data', (piece: Buffer) => (seen += piece.toString()));
      shell.input.write('stty size; pwd; echo "is $COLOUR"; exit 5\r');
      expect(await shell.ended).toBe(5);
      if (!shell.output.readableEnded) await once(shell.output, 'end');
      expect(seen).toContain('31 97');
      expect(seen).toContain('/desk');
      expect(seen).toContain('is green');
      await there.destroy(bench.handle);
      await expect(
        there.openShell(bench.handle, { columns: 80, rows: 24, term: 'xterm', sessionKey: 'main' }),
      ).rejects.toMatchObject({ code: 'Terminal.SessionLost' });
    });
  });

  it('asleep there is no process, and nothing is mounted', async () => {
    const there = backend();
    const id = newId();
    const bench = await openBench(there, id);
    await bench.run('sleep 1000 >/dev/null 2>&1 & exit');
    const processes = () => engine.run(['sh', '-c', 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "']);
    expect(processes()).toContain('sleep 1000');
    await there.hibernate(bench.handle);
    expect(processes()).not.toContain('sleep 1000');
    expect(processes()).not.toContain(instanceName(installationId, id));
    await there.destroy(bench.handle);
  });

  it('a sweep removes what nobody knows and leaves what is young or known', async () => {
    const place = { overlayDir: join(engine.folder, 'swept'), cacheDir: join(engine.folder, 'swept-images') };
    const there = backend({ ...place, image: engine.tinyRootfs, installationId: 'abcdefabcdef' });
    const known = await there.create('known');
    const unknown = await there.create('unknown');
    const session = await there.connect(known);
    await session.start({ key: 'old', command: 'true', ...main });
    await readToEnd(session, 'old');
    expect(await there.sweep({ olderThanMs: 60_000, known: [known] })).toBe(0);
    expect((await there.describe(unknown)).state).toBe('awake');
    // The run and the environment; the image is in use.
    expect(await there.sweep({ olderThanMs: 0, known: [known] })).toBe(2);
    expect((await there.describe(unknown)).state).toBe('absent');
    expect((await there.describe(known)).state).toBe('awake');
    expect((await session.poll('old', { offset: 0, maxBytes: 1, waitMs: 0 })).state.phase).toBe('absent');
    // An instance whose files are gone, then the environment's image.
    rmSync(folderOf('known', place.overlayDir), { recursive: true });
    expect(await there.sweep({ olderThanMs: 0, known: [known] })).toBe(2);
    expect(instances().filter(({ instance }) => instance.includes('abcdefabcdef'))).toEqual([]);
    expect(readdirSync(place.cacheDir).filter((name) => name.endsWith('.sif'))).toEqual([]);
    expect(existsSync(place.overlayDir)).toBe(true);
  });
});

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return 'none';
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

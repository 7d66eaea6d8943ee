import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Backend, EnvironmentHandle, TerminalSession } from '../../../src/backends/backend.ts';
import { createModalBackend, type ModalBackendOptions } from '../../../src/backends/modal/modal.ts';
import { PortError } from '../../../src/lib/port-error.ts';
import { startModalServer, type ModalServer } from '../../support/modal/server.ts';
import { withModalServer } from '../../support/modal/tree.ts';
import { readToEnd, spawnClient } from './harness.ts';

const main = { sessionKey: 'main' };
const clientModule = fileURLToPath(new URL('modal-client.ts', import.meta.url));
const hibernateClient = fileURLToPath(new URL('modal-hibernate-client.ts', import.meta.url));

let server: ModalServer;
let backend: Backend;
let opened: Backend[];

function optionsOf(more: Partial<ModalBackendOptions> = {}): ModalBackendOptions {
  const { url: serverUrl, tokenId, tokenSecret } = server;
  return { installationId: '0123456789ab', serverUrl, tokenId, tokenSecret, ...more };
}

function open(more: Partial<ModalBackendOptions> = {}): Backend {
  const one = createModalBackend(optionsOf(more));
  opened.push(one);
  return one;
}

async function put(handle: EnvironmentHandle, name: string, through = backend): Promise<TerminalSession> {
  const session = await through.connect(handle);
  await session.writeFile(`/root/${name}`, Buffer.from(name), main);
  return session;
}

async function files(handle: EnvironmentHandle, through = backend): Promise<string[]> {
  const entries = await (await through.connect(handle)).listFiles('/root', main);
  return entries.map(({ name }) => name).filter((name) => !name.startsWith('.'));
}

const codeOf = async (work: Promise<unknown>) => {
  const error: unknown = await work.then(
    () => null,
    (failure: unknown) => failure,
  );
  return PortError.is(error) ? error.code : error;
};

/** As an activity does: once more for as long as a retry can help. */
async function persistently<T>(work: () => Promise<T>): Promise<T> {
  for (let left = 30; ; left -= 1) {
    try {
      return await work();
    } catch (error) {
      if (!PortError.is(error) || !error.retryable || left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** A process of its own that puts an environment to sleep. */
function hibernateElsewhere(handle: EnvironmentHandle, until: string): { process: ChildProcess; lines: string[] } {
  const args = ['--import', 'tsx', hibernateClient, JSON.stringify(optionsOf()), JSON.stringify(handle), until];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  createInterface(child.stdout).on('line', (line) => lines.push(line));
  return { process: child, lines };
}

/** The failure of work whose first try may still find the old connection breaking. */
async function settledCode(work: () => Promise<unknown>): Promise<unknown> {
  const code = await codeOf(work());
  return code === 'Terminal.OutcomeUnknown' ? codeOf(work()) : code;
}

withModalServer(() => {
  beforeEach(async () => {
    server = await startModalServer();
    opened = [];
    backend = open();
  });
  afterEach(async () => {
    for (const one of opened) await one.close();
    await server.close();
  });

  describe('modal: what can be told beforehand', () => {
    it('a place that can be used is said to be, and nothing is made to find out', async () => {
      expect(await backend.check()).toEqual({ usable: true, detail: `Modal at ${server.url}, app hermes` });
      expect(server.calls).toEqual(['AuthTokenGet', 'AppGetOrCreate']);
    });

    it('a token that is missing or wrong is told with the settings to change', async () => {
      const wanted = /terminal\.modal\.tokenId.*terminal\.modal\.tokenSecret/;
      const none = createModalBackend({ installationId: '0123456789ab', serverUrl: server.url });
      expect(await none.check()).toMatchObject({ usable: false, detail: expect.stringMatching(wanted) as string });
      expect(await codeOf(none.create('x'))).toBe('Terminal.Authentication');
      for (const wrong of [{ tokenId: 'ak-other' }, { tokenSecret: 'as-other' }]) {
        const check = await open(wrong).check();
        expect(check).toMatchObject({ usable: false, fix: expect.stringMatching(wanted) as string });
        expect(check.detail).not.toContain('as-other');
        expect(await codeOf(open(wrong).create('x'))).toBe('Terminal.Authentication');
      }
    });

    it('a server that does not answer is told within 5 s, and one that is not there at once', async () => {
      server.faults.hanging.add('AppGetOrCreate');
      const before = Date.now();
      expect(await backend.check()).toMatchObject({
        usable: false,
        detail: expect.stringContaining(server.url) as string,
      });
      expect(Date.now() - before).toBeLessThan(5_000);
      const back = await server.goAway();
      const nobody = open();
      expect(await nobody.check()).toMatchObject({
        usable: false,
        fix: expect.stringContaining('serverUrl') as string,
      });
      expect(await codeOf(nobody.create('x'))).toBe('Terminal.BackendUnavailable');
      await back();
    });

    it('an image that cannot be had is told with its setting', async () => {
      const work = open({ image: 'no-such-image:1' }).create('x');
      await expect(work).rejects.toMatchObject({ code: 'Terminal.NotFound', message: /terminal\.modal\.image/ });
    });
  });

  describe('modal: sleeping', () => {
    it('a refused snapshot leaves the environment awake with all its files', async () => {
      const handle = await backend.create('p');
      const session = await put(handle, 'kept');
      server.faults.refused.set('TaskSnapshotFilesystem', 'too many snapshots');
      const committed: EnvironmentHandle[] = [];
      const commit = (next: EnvironmentHandle) => Promise.resolve(void committed.push(next));
      const work = backend.hibernate(handle, { commit });
      await expect(work).rejects.toMatchObject({ message: /stays awake.*too many snapshots/ });
      expect(committed).toEqual([]);
      expect((await backend.describe(handle)).state).toBe('awake');
      expect((await session.readFile('/root/kept', main)).bytes.toString()).toBe('kept');
      server.faults.refused.clear();
      const asleep = await backend.hibernate(handle);
      expect(await files(await backend.resume(asleep))).toEqual(['kept']);
    });

    it('a commit that fails leaves the environment awake', async () => {
      const handle = await backend.create('p');
      await put(handle, 'kept');
      const commit = () => Promise.reject(new PortError('Storage.Unavailable', 'the store is away'));
      expect(await codeOf(backend.hibernate(handle, { commit }))).toBe('Storage.Unavailable');
      expect(await files(handle)).toEqual(['kept']);
      expect(server.running()).toHaveLength(1);
    });

    it('a snapshot is kept until its successor has been woken', async () => {
      const images = () => [...server.world.images.keys()];
      const first = await backend.hibernate(await backend.create('p'));
      const one = first.state['snapshot'] ?? '';
      const awake = await backend.resume(first);
      await put(awake, 'later');
      const second = await backend.hibernate(awake);
      expect(images()).toEqual(expect.arrayContaining([one, second.state['snapshot']]));
      const again = await backend.resume(second);
      expect(images()).not.toContain(one);
      // The base image and the newest snapshot.
      expect(images()).toHaveLength(2);
      expect(again.state['obsolete']).toBeUndefined();
      await backend.destroy(again);
      expect(images()).toHaveLength(1);
      expect(server.running()).toEqual([]);
    });

    it('a snapshot that is gone is replaced by the one before it, and that is said', async () => {
      const awake = await backend.resume(await backend.hibernate(await backend.create('p')));
      await put(awake, 'later');
      const second = await backend.hibernate(awake);
      server.world.images.delete(second.state['snapshot'] ?? '');
      const said: string[] = [];
      const woken = await backend.resume(second, { progress: (line) => said.push(line) });
      expect(said.join('\n')).toContain('falling back');
      expect(await files(woken)).toEqual([]);
      expect((await backend.describe(woken)).detail).toContain('is lost');
    });

    // Whoever retries may have either handle: the one it was called with, or the committed one.
    it.each([
      { until: 'snapshot', given: 'old' },
      { until: 'commit', given: 'old' },
      { until: 'commit', given: 'committed' },
    ])(
      'a process killed after the $until: trying again with the $given handle loses and leaves nothing',
      async (at) => {
        const handle = await backend.create('p');
        await put(handle, 'kept');
        if (at.until === 'commit') server.faults.hanging.add('SandboxTerminateV2');
        const client = hibernateElsewhere(handle, at.until);
        await expect.poll(() => client.lines.length, { timeout: 20_000 }).toBe(at.until === 'commit' ? 2 : 1);
        if (at.until === 'commit') await expect.poll(() => server.calls.includes('SandboxTerminateV2')).toBe(true);
        client.process.kill('SIGKILL');
        await once(client.process, 'exit');
        server.faults.hanging.clear();
        expect(server.running()).toHaveLength(1);
        const given = at.given === 'old' ? handle : (JSON.parse(client.lines[1] ?? '') as EnvironmentHandle);
        const asleep = await backend.hibernate(given);
        expect(server.running()).toEqual([]);
        const woken = await backend.resume(asleep);
        expect(await files(woken)).toEqual(['kept']);
        expect(server.running()).toHaveLength(1);
        // The base image and the newest snapshot.
        expect(server.world.images.size).toBe(2);
      },
    );

    it('a woken environment is the same whether or not its old sandbox was ended', async () => {
      const handle = await backend.create('p');
      await put(handle, 'kept');
      server.faults.hanging.add('SandboxTerminateV2');
      const client = hibernateElsewhere(handle, 'commit');
      await expect.poll(() => server.calls.includes('SandboxTerminateV2'), { timeout: 20_000 }).toBe(true);
      client.process.kill('SIGKILL');
      await once(client.process, 'exit');
      server.faults.hanging.clear();
      const woken = await backend.resume(JSON.parse(client.lines[1] ?? '') as EnvironmentHandle);
      expect(await files(woken)).toEqual(['kept']);
      expect(server.running().map(({ id }) => id)).toEqual([woken.state['sandbox']]);
      expect(woken.state['sandbox']).not.toBe(handle.state['sandbox']);
    });

    it('a process that is done ends, although it has let go of nothing', async () => {
      const client = hibernateElsewhere(await backend.create('p'), 'commit');
      expect(await once(client.process, 'exit')).toEqual([0, null]);
      expect(server.running()).toEqual([]);
    });

    it('clients that wake one environment at the same moment get one sandbox', async () => {
      const handle = await backend.create('p');
      await put(handle, 'kept');
      const asleep = await backend.hibernate(handle);
      const clients = [backend, open(), open(), open()];
      const handles = await Promise.all(clients.map((client) => client.resume(asleep)));
      expect(new Set(handles.map(({ state }) => state['sandbox'])).size).toBe(1);
      expect(server.running()).toHaveLength(1);
      for (const [at, client] of clients.entries())
        expect(await files(handles[at] ?? handle, client)).toEqual(['kept']);
    });

    it('whoever lost the handle finds a sleeping environment by its id', async () => {
      const handle = await backend.create('p');
      await put(handle, 'kept');
      await backend.hibernate(handle);
      expect(await files(await open().create('p'))).toEqual(['kept']);
      expect(server.running()).toHaveLength(1);
    });
  });

  describe('modal: sandboxes that end by themselves', () => {
    it('one without a snapshot is lost, and that is said', async () => {
      const plain = open({ exitSnapshots: false });
      const handle = await plain.create('p');
      const session = await put(handle, 'gone', plain);
      await server.vanish(handle.state['sandbox'] ?? '');
      const lost = 'Terminal.SessionLost';
      expect(await settledCode(() => session.start({ key: 'k', command: 'true', ...main }))).toBe(lost);
      expect(await codeOf(plain.resume(handle))).toBe(lost);
      expect(await codeOf(plain.hibernate(handle))).toBe(lost);
      expect((await plain.describe(handle)).state).toBe('absent');
      expect(await files(await plain.create('p'), plain)).toEqual([]);
    });

    it('one with a snapshot wakes from it, and what is lost is said', async () => {
      const first = await backend.create('p');
      await put(first, 'old');
      const awake = await backend.resume(await backend.hibernate(first));
      const session = await put(awake, 'new');
      await server.vanish(awake.state['sandbox'] ?? '');
      const start = () => session.start({ key: 'k', command: 'true', ...main });
      expect(await settledCode(start)).toBe('Terminal.Asleep');
      const described = await backend.describe(awake);
      expect(described).toMatchObject({ state: 'hibernated', detail: /lost/ });
      const said: string[] = [];
      const woken = await backend.resume(awake, { progress: (line) => said.push(line) });
      expect(said.join('\n')).toContain(`snapshot of ${awake.state['snapshotAt'] ?? '-'} is lost`);
      expect(await files(woken)).toEqual(['old']);
      expect((await backend.describe(woken)).detail).toContain('is lost');
    });

    it('one whose time is over loses nothing, as Modal keeps its files', async () => {
      const handle = await backend.create('p');
      await put(handle, 'kept');
      await server.expire(handle.state['sandbox'] ?? '');
      expect((await backend.describe(handle)).state).toBe('hibernated');
      const woken = await backend.resume(handle);
      expect(await files(woken)).toEqual(['kept']);
      expect((await backend.describe(woken)).detail).not.toContain('lost');
    });

    it('one near its end is exchanged when it is resumed, unless something runs in it', async () => {
      const handle = await backend.create('p');
      const session = await put(handle, 'kept');
      const soon = { ...handle, state: { ...handle.state, expiresAt: new Date(Date.now() + 5_000).toISOString() } };
      await session.start({ key: 'k', command: 'sleep 60', ...main });
      expect((await backend.resume(soon)).state['sandbox']).toBe(handle.state['sandbox']);
      await session.kill('k');
      const renewed = await backend.resume(soon);
      expect(renewed.state['sandbox']).not.toBe(handle.state['sandbox']);
      expect(Date.parse(renewed.state['expiresAt'] ?? '')).toBeGreaterThan(Date.now() + 3_600_000);
      expect((await session.readFile('/root/kept', main)).bytes.toString()).toBe('kept');
      expect(server.running()).toHaveLength(1);
    });
  });

  describe('modal: in mid-command', () => {
    it('a token that expires is told as such, and the command goes on', async () => {
      const handle = await backend.create('p');
      const session = await backend.connect(handle);
      await session.start({ key: 'k', command: 'sleep 2; echo done', ...main });
      server.expireToken();
      const poll = () => session.poll('k', { offset: 0, maxBytes: 100, waitMs: 0 });
      expect(await settledCode(poll)).toBe('Terminal.Authentication');
      expect(await codeOf(backend.resume(handle))).toBe('Terminal.Authentication');
      server.renewToken();
      expect((await readToEnd(session, 'k')).text).toBe('done\n');
    });

    it('a server that is gone for 5 s costs nothing but the wait', async () => {
      const session = await backend.connect(await backend.create('p'));
      const command = 'for i in $(seq 40); do echo $i; sleep 0.2; done';
      await session.start({ key: 'k', command, ...main });
      await session.poll('k', { offset: 0, maxBytes: 100, waitMs: 1_000 });
      const back = await server.goAway();
      const returned = new Promise((resolve) => setTimeout(resolve, 5_000)).then(back);
      const { text, state } = await persistently(() => readToEnd(session, 'k'));
      await returned;
      expect(text).toBe(`${Array.from({ length: 40 }, (_, i) => i + 1).join('\n')}\n`);
      expect(state.exitCode).toBe(0);
    });

    it('a command outlives three clients that were killed', async () => {
      const handle = await backend.create('p');
      const command =
        'echo start >>/root/starts; for i in $(seq 100); do [ -e /root/go ] && break; sleep 0.2; done; wc -l </root/starts';
      const spec = { key: 'k', command, ...main };
      for (let generation = 0; generation < 3; generation += 1) {
        const client = await spawnClient({ modulePath: clientModule, config: JSON.stringify(optionsOf()) }, 'p', spec);
        client.go();
        await client.started();
        await client.kill();
      }
      const session = await put(handle, 'go');
      expect(await readToEnd(session, 'k')).toMatchObject({ text: '1\n', state: { exitCode: 0 } });
      expect(server.running()).toHaveLength(1);
    });
  });

  describe('modal: what is left open', () => {
    it('an idle environment costs no connection, and is reached again', async () => {
      const brief = open({ idleConnectionSeconds: 1 });
      const handle = await brief.create('p');
      await put(handle, 'kept', brief);
      expect(server.connections()).toBeGreaterThan(0);
      await expect.poll(() => server.connections(), { timeout: 15_000 }).toBe(0);
      expect(await files(handle, brief)).toEqual(['kept']);
      await brief.close();
      await expect.poll(() => server.connections(), { timeout: 15_000 }).toBe(0);
      expect(await files(handle, brief)).toEqual(['kept']);
    });

    it('a sweep ends sandboxes that no environment names, but no young ones', async () => {
      const kept = await backend.create('kept');
      await backend.create('forgotten');
      expect(await backend.sweep({ olderThanMs: 60_000, known: [kept] })).toBe(0);
      expect(await backend.sweep({ olderThanMs: 0, known: [kept] })).toBe(1);
      expect(server.running().map(({ id }) => id)).toEqual([kept.state['sandbox']]);
      expect(await open({ installationId: 'ffffffffffff' }).sweep({ olderThanMs: 0, known: [] })).toBe(0);
    });

    it('a person gets a shell of the right size in the session, and it ends with its connection', async () => {
      const handle = await backend.create('p');
      const session = await backend.connect(handle);
      await session.start({ key: 'k', command: 'cd /usr/lib; export COLOUR=green', ...main });
      await readToEnd(session, 'k');
      const shell = await backend.openShell(handle, { columns: 100, rows: 31, term: 'xterm', ...main });
      let seen = '';
      shell.output.on('data', (data: Buffer) => (seen += data.toString()));
      shell.input.write('echo "$PWD $COLOUR $TERM" $(stty size)\n');
      await expect.poll(() => seen, { timeout: 10_000 }).toContain('/usr/lib green xterm 31 100');
      shell.resize(120, 40);
      await expect
        .poll(
          () => {
            shell.input.write('stty size\n');
            return seen;
          },
          { timeout: 10_000, interval: 300 },
        )
        .toContain('40 120');
      shell.input.write('echo "its id: $$."\n');
      await expect.poll(() => seen, { timeout: 10_000 }).toMatch(/its id: \d+\./);
      const id = /its id: (\d+)\./.exec(seen)?.[1] ?? '';
      shell.close();
      await shell.ended;
      let looks = 0;
      const living = async () => {
        const key = `look-${looks++}`;
        await session.start({
          key,
          command: `ps -o args= -p ${id} | grep -v defunct; ls /var/lib/hermes/screens`,
          ...main,
        });
        return (await readToEnd(session, key)).text;
      };
      await expect.poll(living, { timeout: 10_000, interval: 300 }).toBe('');
      const second = await backend.openShell(handle, { columns: 80, rows: 24, term: 'xterm', ...main });
      second.output.resume();
      second.input.write('exit 3\n');
      expect(await second.ended).toBe(3);
    });
  });
});

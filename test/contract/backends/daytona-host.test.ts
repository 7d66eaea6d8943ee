import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend, InteractiveShell } from '../../../src/backends/backend.ts';
import { createDaytonaBackend } from '../../../src/backends/daytona/daytona.ts';
import { sandboxName, type DaytonaBackendOptions } from '../../../src/backends/daytona/options.ts';
import { missingForDaytona, startDaytonaServer, type DaytonaServer } from '../../support/daytona/server.ts';
import { readToEnd } from './harness.ts';

const main = { sessionKey: 'main' };

describe.skipIf(missingForDaytona() !== null)('the host side of daytona', () => {
  let server: DaytonaServer;
  let backend: Backend;
  const open = (options: Partial<DaytonaBackendOptions> = {}) =>
    createDaytonaBackend({ installationId: 'fedcba987654', apiKey: 'test-key', apiUrl: server.apiUrl, ...options });

  beforeAll(async () => {
    server = await startDaytonaServer();
    backend = open();
  });
  afterAll(() => server.close());

  it('the check says whether it can be used, and if not, what to set', async () => {
    expect(await backend.check()).toEqual({ usable: true, detail: `Daytona at ${server.apiUrl} accepts the key` });
    const without = createDaytonaBackend({ installationId: 'fedcba987654', apiUrl: server.apiUrl });
    for (const [client, words] of [
      [open({ apiKey: 'wrong-key' }), 'terminal.daytona.apiKey'],
      [without, 'terminal.daytona.apiKey'],
      [open({ apiUrl: 'http://127.0.0.1:9/api' }), 'terminal.daytona.apiUrl'],
      [open({ snapshot: 'missing-snapshot' }), 'terminal.daytona.snapshot'],
    ] as const) {
      const { usable, detail, fix } = await client.check();
      expect([usable, fix === undefined]).toEqual([false, false]);
      expect(detail).toContain(words);
      expect(detail).not.toContain('wrong-key');
    }
    await expect(without.create('any')).rejects.toMatchObject({ code: 'Terminal.Authentication' });
  });

  it('a Daytona that does not answer fails the check in time', async () => {
    server.faults.add({ on: /GET \/api\/sandbox/, kind: 'hang' });
    const began = Date.now();
    expect((await backend.check()).usable).toBe(false);
    expect(Date.now() - began).toBeLessThan(8_000);
    server.faults.clear();
  });

  it('settings reach the sandbox, and it is never deleted by itself', async () => {
    server.sandboxes.snapshots.add('my-snapshot');
    const sized = { image: 'python:3.12', cpus: 2, memoryGb: 4, diskGb: 8, autoStopMinutes: 30, archiveAfterDays: 2 };
    const asked = async (client: Backend) => {
      const { state } = await client.create(`settings-${randomUUID()}`);
      return server.sandboxes.find(state['sandboxId'] ?? '').asked;
    };
    expect(await asked(open({ ...sized, target: 'eu' }))).toMatchObject({
      ...{ target: 'eu', cpu: 2, memory: 4, disk: 8, autoStopInterval: 30, autoArchiveInterval: 2880 },
      autoDeleteInterval: -1,
      buildInfo: { dockerfileContent: 'FROM python:3.12\n' },
    });
    const ofSnapshot = await asked(open({ snapshot: 'my-snapshot' }));
    expect(ofSnapshot).toMatchObject({ snapshot: 'my-snapshot', autoStopInterval: 60 });
    expect(ofSnapshot['buildInfo']).toBeUndefined();
    expect(() => open({ snapshot: 'my-snapshot', cpus: 2 })).toThrow(/terminal\.daytona\.cpus/);
    const missing = open({ snapshot: 'missing-snapshot' }).create('from-nothing');
    await expect(missing).rejects.toMatchObject({ code: 'Terminal.NotFound' });
  });

  it('names are valid in a host name, and differ where ids differ', () => {
    const ids = ['person/Ärger', 'person/erger', 'a'.repeat(300), `${'a'.repeat(300)}b`, '-', 'x', 'X'];
    const names = ids.map((id) => sandboxName('fedcba987654', id));
    expect(new Set(names).size).toBe(ids.length);
    for (const name of names) expect(name).toMatch(/^hermes-fedcba987654-[a-z0-9-]{1,43}$/);
  });

  it('a sweep removes what nobody knows, of this installation only and beyond the first page', async () => {
    const neighbour = open({ installationId: '000000000000' });
    const foreign = await neighbour.create('foreign');
    const known = await backend.create('known');
    const asleep = await backend.hibernate(await backend.create('known-asleep'));
    const orphans = [];
    for (let count = 0; count < 3; count++) orphans.push(await backend.create(`orphan-${count}`));
    const session = await backend.connect(known);
    await session.start({ key: 'old', command: 'true', ...main });
    await readToEnd(session, 'old');
    await session.start({ key: 'running', command: 'sleep 60', ...main });
    const all = [known, asleep];
    // What is only just being made is in nobody's records yet.
    expect(await backend.sweep({ olderThanMs: 3_600_000, known: all })).toBe(0);
    await sleep(20);
    expect(await backend.sweep({ olderThanMs: 0, known: all })).toBeGreaterThanOrEqual(4);
    for (const orphan of orphans) expect((await backend.describe(orphan)).state).toBe('absent');
    expect((await backend.describe(known)).state).toBe('awake');
    expect((await backend.describe(asleep)).state).toBe('hibernated');
    expect((await neighbour.describe(foreign)).state).toBe('awake');
    expect((await session.listRuns('main')).map(({ key }) => key)).toEqual(['running']);
  });

  it('a shell is a terminal in the directory of the session', async () => {
    const handle = await backend.create('shell');
    const session = await backend.connect(handle);
    await session.start({ key: 'go', command: 'mkdir -p /srv/here; cd /srv/here; export GREETING=hello', ...main });
    await readToEnd(session, 'go');
    const shell = await backend.openShell(handle, { columns: 91, rows: 33, term: 'xterm', ...main });
    const screen = watch(shell);
    shell.input.write('echo "[$PWD $GREETING $TERM]"; stty size\n');
    await screen.shows('[/srv/here hello xterm]');
    await screen.shows('33 91');
    expect(screen.text()).not.toContain('.hermes/hermes-');
    shell.resize(120, 40);
    await sleep(200);
    shell.input.write('stty size\n');
    await screen.shows('40 120');
    shell.input.write('sleep 60\n');
    await sleep(200);
    shell.input.write('\x03');
    shell.input.write('exit 7\n');
    expect(await shell.ended).toBe(7);
    const left = await backend.openShell(handle, { columns: 80, rows: 24, term: 'xterm', ...main });
    left.close();
    expect(await left.ended).toBeNull();
    await backend.hibernate(handle);
    const asleep = backend.openShell(handle, { columns: 80, rows: 24, term: 'xterm', ...main });
    await expect(asleep).rejects.toMatchObject({ code: 'Terminal.Asleep' });
  });

  it('a long file that holds the boundary of the download comes whole, one with an odd name too', async () => {
    const session = await backend.connect(await backend.create('files'));
    const trap = Buffer.from('\r\n--DAYTONA-FILE-BOUNDARY\r\ncontent-disposition: form-data; name="file"\r\n\r\n');
    const bytes = Buffer.concat([randomBytes(1_000_000), trap, randomBytes(1_000_000), trap, randomBytes(10)]);
    for (const path of ['/root/plain', '/root/o"dd ;ü\n name']) {
      await session.writeFile(path, bytes, main);
      const { stream, sizeBytes } = await session.download(path, main);
      const got = Buffer.concat((await stream.toArray()) as Buffer[]);
      expect([sizeBytes, got.equals(bytes)]).toEqual([bytes.length, true]);
    }
  });

  it('an upload that is broken off leaves the file as it was, and nothing beside it', async () => {
    const handle = await backend.create('broken-off');
    const session = await backend.connect(handle);
    await session.writeFile('/root/broken/file', Buffer.from('before'), main);
    const stop = new AbortController();
    async function* endless() {
      for (let piece = 0; ; piece++) {
        if (piece === 20) stop.abort(new Error('enough'));
        await sleep(1);
        yield randomBytes(65_536);
      }
    }
    const upload = session.upload('/root/broken/file', endless(), { ...main, signal: stop.signal });
    await expect(upload).rejects.toThrow('enough');
    expect((await session.readFile('/root/broken/file', main)).bytes.toString()).toBe('before');
    await session.start({ key: 'ls', command: 'sleep 0.5; ls -A /root/broken', ...main });
    expect((await readToEnd(session, 'ls')).text).toBe('file\n');
  });

  it('nothing is held open a few seconds after the last use', async () => {
    await backend.connect(await backend.create('idle'));
    const limit = Date.now() + 20_000;
    while (server.connections() > 0 && Date.now() < limit) await sleep(250);
    expect(server.connections()).toBe(0);
  });
});

function watch(shell: InteractiveShell): { shows(words: string): Promise<void>; text(): string } {
  let text = '';
  shell.output.on('data', (bytes: Buffer) => (text += bytes.toString()));
  return {
    text: () => text,
    async shows(words) {
      while (!text.includes(words)) await once(shell.output, 'data', { signal: AbortSignal.timeout(20_000) });
    },
  };
}

import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { baseEnvironment } from '../../../src/backends/base-environment.ts';
import { createLocalHost } from '../../../src/backends/local-host.ts';
import type { RunHost } from '../../../src/backends/run-host.ts';
import { createRunProtocol, type RunProtocol } from '../../../src/backends/run-protocol.ts';

let home = '';
let host: RunHost;
let protocol: RunProtocol;
const protocolOn = (over: RunHost) => createRunProtocol(over, { defaultCwd: home, shell: undefined });
const folderOf = (prefix: string) => {
  const name = readdirSync(join(home, 'runs')).find((entry) => entry.startsWith(prefix));
  if (name === undefined) throw new Error(`No run folder ${prefix}`);
  return join(home, 'runs', name);
};
const supervisorPid = (folder: string) => Number(readFileSync(join(folder, 'claimed'), 'utf8').split(' ')[0]);

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'hermes-runs-')));
  host = createLocalHost({ root: home, env: baseEnvironment({ ...process.env, SECRET: 'not-for-commands' }) });
  protocol = protocolOn(host);
});
afterEach(async () => {
  await protocol.killAll();
  rmSync(home, { recursive: true, force: true });
});

async function ended(key: string) {
  const { state } = await protocol.poll(key, { offset: 0, maxBytes: 0, waitMs: 10_000 });
  return state;
}

/** A host that dies, as a process would, at its nth call and at every later one. */
function dyingAt(n: number): { host: RunHost; calls: () => number } {
  let calls = 0;
  const proxy = new Proxy(host, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        if (++calls > n) return Promise.reject(new Error('died'));
        return (member as (...all: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  return { host: proxy, calls: () => calls };
}

describe('a starter that dies', () => {
  it('is repaired by starting again, whichever of its steps was the last', async () => {
    const file = join(home, 'effects');
    let points = 0;
    for (let survived = false; !survived; points++) {
      const spec = { key: `point ${points}`, sessionKey: 's', command: `echo x >>${file}; exit 3` };
      const dying = dyingAt(points);
      survived = await protocolOn(dying.host)
        .start(spec)
        .then(
          () => true,
          () => false,
        );
      expect((await protocol.start(spec)).phase).not.toBe('absent');
      expect(await ended(spec.key)).toMatchObject({ phase: 'exited', exitCode: 3 });
    }
    expect(points).toBeGreaterThan(6);
    expect(readFileSync(file, 'utf8')).toBe('x\n'.repeat(points));
  });

  it('leaves a run that is absent until it is claimed, and that a kill prevents for good', async () => {
    const spec = { key: 'prevented', sessionKey: 's', command: `echo x >>${join(home, 'effects')}` };
    const launch = () => Promise.reject(new Error('died'));
    await expect(protocolOn({ ...host, launch }).start(spec)).rejects.toThrow('died');
    expect((await protocol.poll(spec.key, { offset: 0, maxBytes: 9, waitMs: 50 })).state.phase).toBe('absent');
    expect(await protocol.listRuns('s')).toEqual([]);
    expect(await protocol.kill(spec.key)).toMatchObject({ phase: 'exited', killed: true, exitCode: null });
    expect(await protocol.start(spec)).toMatchObject({ phase: 'exited', killed: true });
    expect(readdirSync(home)).not.toContain('effects');
  });

  it('is told when no supervisor can be had', async () => {
    const broken = createLocalHost({ root: home, env: { PATH: '/nowhere' } });
    const spec = { key: 'k', sessionKey: 's', command: 'exit 4' };
    await expect(protocolOn(broken).start(spec)).rejects.toMatchObject({
      code: 'Terminal.BackendUnavailable',
      retryable: true,
    });
    await protocol.start(spec);
    expect(await ended('k')).toMatchObject({ exitCode: 4 });
  });
});

describe('a supervisor that is gone', () => {
  it('without a record leaves the run lost, never run again, and its tree can be ended', async () => {
    const pids = join(home, 'pids');
    const command = `setsid sh -c 'echo $$ >${pids}; exec sleep 600' & sleep 600`;
    const spec = { key: 'lost', sessionKey: 's', command, timeoutMs: 600_000, stdin: true };
    await protocol.start(spec);
    await expect.poll(() => readdirSync(home)).toContain('pids');
    process.kill(supervisorPid(folderOf('lost')), 'SIGKILL');
    expect(await ended('lost')).toMatchObject({ phase: 'lost', exitCode: null, signal: null, endedAt: null });
    expect(await protocol.start(spec)).toMatchObject({ phase: 'lost' });
    const escaped = Number(readFileSync(pids, 'utf8'));
    expect(() => process.kill(escaped, 0)).not.toThrow();
    expect(await protocol.kill('lost')).toMatchObject({ phase: 'lost', killed: true });
    // Gone or a zombie that nobody waits for.
    const state = () => {
      try {
        return readFileSync(`/proc/${escaped}/stat`, 'utf8').split(') ')[1]?.[0];
      } catch {
        return 'gone';
      }
    };
    expect(['gone', 'Z']).toContain(state());
  });

  it('is recognised after a reboot and when its number belongs to another process', async () => {
    await protocol.start({ key: 'moved', sessionKey: 's', command: 'sleep 600' });
    const claim = join(folderOf('moved'), 'claimed');
    const truth = readFileSync(claim, 'utf8');
    const [pid = '', start = '', boot = '', at = ''] = truth.trim().split(' ');
    const phase = async () => (await protocol.poll('moved', { offset: 0, maxBytes: 0, waitMs: 0 })).state.phase;
    expect(await phase()).toBe('running');
    writeFileSync(claim, `${pid} ${start} 00000000-0000-0000-0000-000000000000 ${at}\n`);
    expect(await phase()).toBe('lost');
    writeFileSync(claim, `${pid} ${Number(start) + 1} ${boot} ${at}\n`);
    expect(await phase()).toBe('lost');
    writeFileSync(claim, truth);
    expect(await phase()).toBe('running');
  });
});

describe('what is on disk', () => {
  it('never holds a value of the base environment', async () => {
    host = createLocalHost({ root: home, env: { ...baseEnvironment(process.env), TOKEN: 'base-secret-value' } });
    protocol = protocolOn(host);
    await protocol.start({ key: 'k', sessionKey: 's', command: 'export NEW="seen $(printf %.4s "$TOKEN")"; cd /' });
    await ended('k');
    // The supervisor is still tidying up after the record.
    await expect.poll(() => existsSync(join(folderOf('k_'), 'next'))).toBe(false);
    const texts = readdirSync(home, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
    expect(texts.join('\n')).toContain("export NEW='seen base'");
    expect(texts.join('\n')).not.toContain('base-secret-value');
  });

  it('is in folders that only their owner can enter', async () => {
    await protocol.start({ key: 'k', sessionKey: 's', command: 'export A=1' });
    await ended('k');
    const folders = [folderOf('k'), ...readdirSync(join(home, 'sessions')).map((name) => join(home, 'sessions', name))];
    expect(folders.map((folder) => (statSync(folder).mode & 0o777).toString(8))).toEqual(['700', '700']);
  });

  it('is swept when it is old, and never while it runs', async () => {
    await protocol.start({ key: 'running', sessionKey: 's', command: 'sleep 600' });
    await protocol.start({ key: 'ended', sessionKey: 's', command: 'true' });
    await ended('ended');
    expect(await protocol.sweep({ olderThanMs: 60_000 })).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await protocol.sweep({ olderThanMs: 1 })).toBe(1);
    expect((await protocol.listRuns('s')).map(({ key }) => key)).toEqual(['running']);
    expect(readdirSync(join(home, 'runs'))).toHaveLength(1);
  });
});

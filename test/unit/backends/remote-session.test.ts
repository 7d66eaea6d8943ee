import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRemoteSession, type RemoteSession } from '../../../src/backends/remote-session.ts';
import type { RemoteShell } from '../../../src/backends/remote-shell.ts';
import { createResidentShell } from '../../../src/backends/resident-shell.ts';
import { PortError } from '../../../src/lib/port-error.ts';
import { createPlaceTransport } from '../../support/remote-place/transport.ts';

let home = '';
let shell: RemoteShell;
let session: RemoteSession;
let requests = 0;
/** Every answer that comes while it is above 0 is lost. */
let losing = 0;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hermes-session-'));
  mkdirSync(join(home, 'real'));
  symlinkSync(join(home, 'real'), join(home, 'link'));
  const real = createResidentShell({
    transport: createPlaceTransport({ sh: ['/bin/sh'], env: { PATH: '/usr/bin:/bin' } }),
  });
  shell = {
    close: () => {
      real.close();
    },
    run: async (script, options) => {
      requests += 1;
      const answer = await real.run(script, options);
      if (losing-- > 0) throw new PortError('Terminal.OutcomeUnknown', 'lost');
      return answer;
    },
  };
  session = createRemoteSession({ shell, root: join(home, 'link/runs'), home, defaultCwd: home });
  [requests, losing] = [0, 0];
});
afterEach(async () => {
  losing = 0;
  await session.protocol.killAll();
  shell.close();
  rmSync(home, { recursive: true, force: true });
});

const ended = (key: string) => session.poll(key, { offset: 0, maxBytes: 1_000, waitMs: 10_000 });

describe('a session over scripts', () => {
  it('starts a run in one request once its scripts are there', async () => {
    await session.start({ key: 'first', sessionKey: 's', command: 'true' });
    requests = 0;
    const state = await session.start({ key: 'second', sessionKey: 's', command: 'sleep 60' });
    expect([state.phase, requests]).toEqual(['running', 1]);
    await session.listRuns('s');
    expect(requests).toBe(3);
  });

  it('has one effect when the answers to a start are lost', async () => {
    await session.start({ key: 'warm', sessionKey: 's', command: 'true' });
    losing = 1;
    await session.start({ key: 'k', sessionKey: 's', command: 'echo x >>effects; exit 4' });
    expect((await ended('k')).state).toMatchObject({ phase: 'exited', exitCode: 4 });
    expect(readFileSync(join(home, 'effects'), 'utf8')).toBe('x\n');
  });

  it('does not feed input twice when an answer is lost', async () => {
    await session.start({ key: 'reads', sessionKey: 's', command: 'cat', stdin: true });
    await session.writeStdin('reads', Buffer.from('1'));
    const lossy: RemoteShell = {
      ...shell,
      run: async (script, options) => {
        const answer = await shell.run(script, options);
        if (script.includes('oflag=nonblock')) throw new PortError('Terminal.OutcomeUnknown', 'lost');
        return answer;
      },
    };
    const cut = createRemoteSession({ shell: lossy, root: join(home, 'link/runs'), home, defaultCwd: home });
    const fed = cut.writeStdin('reads', Buffer.from('2'));
    await expect(fed).rejects.toMatchObject({ code: 'Terminal.OutcomeUnknown' });
    await session.writeStdin('reads', Buffer.from('3'), { end: true });
    expect((await ended('reads')).bytes.toString()).toMatch(/^1/);
    await expect.poll(async () => (await ended('reads')).bytes.toString()).toBe('123');
  });

  it('ends what left its group also where the folder of runs is a link', async () => {
    const command = `setsid sh -c 'echo $$ >${home}/pid; exec env -i sleep 600' & sleep 600`;
    await session.start({ key: 'linked', sessionKey: 's', command });
    await expect.poll(() => readFileSync(join(home, 'pid'), { encoding: 'utf8', flag: 'a+' })).toMatch(/\d/);
    await session.kill('linked');
    const pid = Number(readFileSync(join(home, 'pid'), 'utf8'));
    const alive = await shell.run(
      `kill -0 ${pid} 2>/dev/null && ! grep -q '^State:.Z' /proc/${pid}/status && echo yes; :`,
    );
    expect(alive.stdout.toString()).toBe('');
  });
});

import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { PortError } from '../../../src/lib/port-error.ts';
import type { RemoteShell, ShellTransport } from '../../../src/backends/remote-shell.ts';
import { createResidentShell } from '../../../src/backends/resident-shell.ts';
import { createPlaceTransport } from '../../support/remote-place/transport.ts';

const home = mkdtempSync(join(tmpdir(), 'hermes-shell-'));
const placeWith = (path: string) => ({ sh: ['/bin/sh'], env: { PATH: path, HOME: home } });
const place = placeWith('/usr/bin:/bin');
/** Where `sh` is bash. */
const bashPath = `${home}:/usr/bin:/bin`;
symlinkSync('/bin/bash', join(home, 'sh'));
afterAll(() => {
  rmSync(home, { recursive: true });
});

const opened: RemoteShell[] = [];

function openShell(options: { idleMs?: number; path?: string; transport?: ShellTransport } = {}) {
  const transport = createPlaceTransport(options.path === undefined ? place : placeWith(options.path));
  const { idleMs } = options;
  const shell = createResidentShell({
    transport: options.transport ?? transport,
    ...(idleMs === undefined ? {} : { idleMs }),
  });
  opened.push(shell);
  return { shell, transport, text: async (script: string) => (await shell.run(script)).stdout.toString() };
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

afterEach(() => {
  for (const shell of opened.splice(0)) shell.close();
});

describe.each(['/usr/bin:/bin', bashPath])('answers of sh in %s', (path) => {
  it('hold exit code, output and errors of each script by itself', async () => {
    const { shell } = openShell({ path });
    const one = await shell.run('echo out; echo err >&2; exit 7');
    expect(one).toEqual({ exitCode: 7, stdout: Buffer.from('out\n'), stderr: 'err' });
    expect(await shell.run('printf x')).toEqual({ exitCode: 0, stdout: Buffer.from('x'), stderr: '' });
    expect((await shell.run("X=1; cd /tmp; kill -TERM $(sh -c 'echo $PPID'); echo no")).exitCode).toBe(143);
    expect((await shell.run('echo "${X-unset} $PWD"')).stdout.toString()).toBe('unset /\n');
  });

  it('a script that is no shell syntax, or reads its input, or ends its shell, harms no other', async () => {
    const { shell, text } = openShell({ path });
    const bad = await shell.run('if then (');
    expect(bad.exitCode).toBeGreaterThan(0);
    expect(bad.stderr).toMatch(/syntax error/i);
    expect(await text('cat; exec cat')).toBe('');
    expect(await text("printf %s 'it''s \"$HOME\" `x` \\\n\r\t ü 🦉'")).toBe('its "$HOME" `x` \\\n\r\t ü 🦉');
  });

  it('keep every byte, and text that looks like a frame', async () => {
    const { shell } = openShell({ path });
    const bytes = randomBytes(3_000_000);
    const write = `base64 -d <<'END'\n${bytes.subarray(0, 60_000).toString('base64')}\nEND`;
    expect((await shell.run(write)).stdout.equals(bytes.subarray(0, 60_000))).toBe(true);
    const fake = `__h_${'0'.repeat(32)}`;
    const script = `printf '\\n%s 0\\n\\n%s)\\n' ${fake} ${fake}; set | grep __h_; printf end`;
    const { stdout } = await shell.run(script);
    expect(stdout.toString()).toContain(`\n${fake} 0\n\n${fake})\n`);
    expect(stdout.toString().endsWith('end')).toBe(true);
    const many = await shell.run('head -c 10000000 /dev/zero', { maxOutputBytes: 10_000_000 });
    expect(many.stdout.equals(Buffer.alloc(10_000_000))).toBe(true);
  });

  it('hold the last 4 KB of errors', async () => {
    const { shell } = openShell({ path });
    const { stderr } = await shell.run('head -c 100000 /dev/zero | tr "\\0" x >&2; echo last >&2');
    expect(stderr.length).toBeLessThanOrEqual(4096);
    expect(stderr.endsWith('xlast')).toBe(true);
  });
});

describe('a resident shell', () => {
  it('refuses more output than asked for, and goes on', async () => {
    const { shell, text } = openShell();
    const endless = shell.run('cat /dev/zero', { maxOutputBytes: 100_000 });
    await expect(endless).rejects.toMatchObject({ code: 'Terminal.TooLarge' });
    expect(await text('echo on')).toBe('on\n');
  });

  it('says that an outcome is unknown when it is killed in the middle, and answers what had not been sent', async () => {
    const { shell, transport, text } = openShell();
    await text(':');
    const cut = shell.run('sleep 30');
    const waiting = text('echo later');
    const outcome = expect(cut).rejects.toMatchObject({ code: 'Terminal.OutcomeUnknown' });
    process.kill(transport.pids[0] ?? 0, 'SIGKILL');
    await outcome;
    expect(await waiting).toBe('later\n');
    expect(transport.pids.length).toBeGreaterThan(1);
  });

  it('says that an outcome is unknown when no answer comes in time, and goes on', async () => {
    const { shell, text } = openShell();
    const late = shell.run('sleep 30', { timeoutMs: 100 });
    await expect(late).rejects.toMatchObject({ code: 'Terminal.OutcomeUnknown' });
    expect(await text('echo on')).toBe('on\n');
  });

  it('says that nothing ran when no shell can be had, and asks again next time', async () => {
    let works = false;
    const real = createPlaceTransport(place);
    const transport: ShellTransport = {
      open: (command) => (works ? real.open(command) : Promise.reject(new PortError('Terminal.Asleep', 'It sleeps.'))),
    };
    const { text } = openShell({ transport });
    await expect(text('echo x')).rejects.toMatchObject({ code: 'Terminal.Asleep' });
    works = true;
    expect(await text('echo x')).toBe('x\n');
    const silent = createPlaceTransport(placeWith('/nowhere'));
    await expect(openShell({ transport: silent }).text('echo x')).rejects.toMatchObject({
      code: 'Terminal.BackendUnavailable',
    });
  });

  it('answers others while one request is slow, over three connections at most', async () => {
    const { shell, transport, text } = openShell();
    const slow = [1, 2].map(() => shell.run('sleep 2'));
    expect(await text('echo quick')).toBe('quick\n');
    const all = await Promise.all(Array.from({ length: 30 }, (_, n) => text(`echo ${n}`)));
    expect(all).toEqual(Array.from({ length: 30 }, (_, n) => `${n}\n`));
    await Promise.all(slow);
    expect(transport.pids.length).toBeLessThanOrEqual(3);
  });

  it('closes when it is idle, leaves no process, and opens again', async () => {
    const { transport, text } = openShell({ idleMs: 50 });
    expect(await text('echo 1')).toBe('1\n');
    await expect.poll(() => transport.pids.filter(isAlive)).toEqual([]);
    expect(await text('echo 2')).toBe('2\n');
    expect(transport.pids).toHaveLength(2);
  });

  it('honours the signal, before and after the request was sent', async () => {
    const { shell, text } = openShell();
    const reason = new Error('enough');
    await expect(shell.run('echo', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const abort = new AbortController();
    const running = shell.run('sleep 0.3', { signal: abort.signal });
    setTimeout(() => {
      abort.abort(reason);
    }, 50);
    await expect(running).rejects.toBe(reason);
    expect(await text('echo on')).toBe('on\n');
  });

  it('keeps what something in the background says late out of the next answer', async () => {
    const { text } = openShell();
    await text('(sleep 0.1; echo stray) 2>/dev/null &');
    await sleep(400);
    expect(await text('echo mine')).toBe('mine\n');
  });
});

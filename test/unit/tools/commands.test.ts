import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openToolBench, type ToolBench } from './support/tool-bench.ts';

let bench: ToolBench;
beforeAll(async () => {
  bench = await openToolBench();
});
afterAll(() => bench.close());

async function until(check: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (await check()) return;
    await sleep(50);
  }
  throw new Error('it never became true');
}

function hasEnded(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

const sizeOf = async (path: string): Promise<number> => (await readFile(path, 'utf8').catch(() => '')).length;

describe('run_command', () => {
  it('returns output and exit code', async () => {
    const result = await bench.call('run_command', { command: 'echo one; echo two >&2; exit 3' });
    expect(result.status).toBe('error');
    expect(result.text).toBe('one\ntwo\n[exit code 3]');
    expect(result.preview).toBe('exit code 3: two');
  });

  it('keeps directory and variables between commands and tells when the directory changes', async () => {
    const moved = await bench.call('run_command', { command: 'mkdir -p sub; cd sub; export GREETING=hello' });
    expect(moved.text).toContain(`directory is now ${bench.work}/sub`);
    const next = await bench.call('run_command', { command: 'echo $GREETING; pwd' });
    expect(next.text).toBe(`hello\n${bench.work}/sub\n[exit code 0]`);
    await bench.call('run_command', { command: `cd ${bench.work}` });
  });

  it('runs in another directory for once', async () => {
    const result = await bench.call('run_command', { command: 'pwd', cwd: '/tmp' });
    expect(result.text.split('\n')[0]).toBe('/tmp');
  });

  it('gives the model words, not an exception, for a directory that is not there', async () => {
    const result = await bench.call('run_command', { command: 'pwd', cwd: '/nowhere/at/all' });
    expect(result.status).toBe('error');
    expect(result.text).toContain('/nowhere/at/all');
  });

  it('gives a command a terminal when asked to', async () => {
    const result = await bench.call('run_command', { command: '[ -t 0 ] && [ -t 1 ] && stty size', pty: true });
    expect(result.text).toBe('40 120\n[exit code 0]');
  });

  it('shows what a terminal would show', async () => {
    const result = await bench.call('run_command', {
      command: "printf '10%%\\r50%%\\r100%%\\n\\033[31mred\\033[0m\\n'",
    });
    expect(result.text).toBe('100%\nred\n[exit code 0]');
  });

  it('ends a command at its limit and says so', async () => {
    const result = await bench.call('run_command', { command: 'echo started; sleep 60', timeoutSeconds: 0.5 });
    expect(result.status).toBe('timed-out');
    expect(result.text).toContain('started');
    expect(result.text).toContain('the limit was 0.5 s');
  });

  it('keeps start and end of an output that is far too long', async () => {
    const result = await bench.call('run_command', {
      command: 'echo first; head -c 7000000 /dev/zero | tr "\\0" x; echo; echo last',
    });
    expect(result.text.length).toBeLessThan(4_500_000);
    expect(result.text.startsWith('first\nxxx')).toBe(true);
    expect(result.text).toMatch(/bytes not kept/);
    expect(result.text.endsWith('xxx\nlast\n[exit code 0]')).toBe(true);
  });

  it('attaches on a second try and does nothing twice', async () => {
    const log = join(bench.work, 'once.log');
    const args = { command: `echo run >> ${log}; sleep 0.5; echo done` };
    const draining = new AbortController();
    const callKey = 'main/1/2/0';
    const first = bench.call('run_command', args, { callKey, draining: draining.signal });
    first.catch(() => undefined);
    await until(async () => (await sizeOf(log)) > 0);
    draining.abort(new Error('handed over'));
    await expect(first).rejects.toThrow('handed over');
    const second = await bench.call('run_command', args, { callKey, attempt: 2 });
    expect(second.status).toBe('ok');
    expect(second.text.startsWith('done\n')).toBe(true);
    const third = await bench.call('run_command', args, { callKey, attempt: 3 });
    expect(third.text).toBe(second.text);
    expect(await readFile(log, 'utf8')).toBe('run\n');
  });

  it('starts on a second try when the first never started', async () => {
    const result = await bench.call('run_command', { command: 'echo fresh' }, { callKey: 'main/1/3/0', attempt: 2 });
    expect(result.text.startsWith('fresh\n')).toBe(true);
  });

  it('kills the whole tree when it is stopped', async () => {
    const pids = join(bench.work, 'pids');
    const stop = new AbortController();
    const command = `sh -c 'echo $$ >> ${pids}; sleep 300' & echo $$ >> ${pids}; sleep 300`;
    const running = bench.call('run_command', { command }, { signal: stop.signal });
    running.catch(() => undefined);
    await until(async () => (await readFile(pids, 'utf8').catch(() => '')).split('\n').length === 3);
    stop.abort(new Error('stopped by the person'));
    await expect(running).rejects.toThrow('stopped by the person');
    for (const pid of (await readFile(pids, 'utf8')).trim().split('\n')) {
      // One that has ended keeps its number until the machine's first process has taken note.
      await expect.poll(() => hasEnded(Number(pid)), { timeout: 5_000 }).toBe(true);
    }
  });

  it('does not begin when it is stopped before', async () => {
    const mark = join(bench.work, 'never');
    const signal = AbortSignal.abort(new Error('too late'));
    await expect(bench.call('run_command', { command: `touch ${mark}` }, { signal })).rejects.toThrow('too late');
    await expect(readFile(mark)).rejects.toThrow('ENOENT');
  });

  it('judges again with the real directory', async () => {
    await bench.call('run_command', { command: `cd ${bench.home}` });
    const result = await bench.call('run_command', { command: 'rm -rf photos' });
    expect(result.status).toBe('error');
    expect(result.text).toContain('Write the paths in full');
    await expect(bench.call('run_command', { command: 'rm -rf *' })).rejects.toThrow('asks');
    await bench.call('run_command', { command: `cd ${bench.work}` });
    await expect(bench.call('run_command', { command: `rm -rf *`, cwd: bench.home })).rejects.toThrow('blocked');
  });
});

describe('a run whose supervisor died', () => {
  it('is reported as uncertain', async () => {
    const callKey = 'main/1/4/0';
    const pidFile = join(bench.work, 'lost.pid');
    const draining = new AbortController();
    const args = { command: `echo begun; echo $PPID > ${pidFile}; sleep 300` };
    const first = bench.call('run_command', args, { callKey, draining: draining.signal });
    first.catch(() => undefined);
    await until(async () => (await sizeOf(pidFile)) > 1);
    draining.abort(new Error('handed over'));
    await expect(first).rejects.toThrow('handed over');
    // As after a crash of the machine: the supervisor and the command are gone, and nobody wrote down how.
    const supervisor = Number(await readFile(pidFile, 'utf8'));
    process.kill(supervisor, 'SIGKILL');
    await until(
      async () => (await bench.session.poll(callKey, { offset: 0, maxBytes: 1, waitMs: 0 })).state.phase === 'lost',
    );
    const result = await bench.call('run_command', args, { callKey, attempt: 2 });
    expect(result.status).toBe('uncertain');
    expect(result.text).toContain('begun');
    expect(result.text).toContain('Nobody knows whether it finished');
    await bench.session.kill(callKey);
  });
});

describe('process', () => {
  it('reads, writes to, waits for and kills background runs', async () => {
    const started = await bench.call('run_command', {
      command: 'read line; echo got $line; sleep 300',
      background: true,
    });
    const id = /as (\S+) /.exec(started.text)?.[1] ?? '';
    expect(started.text).toContain('still running');
    expect((await bench.call('process', { action: 'list' })).text).toContain(`${id}  still running`);
    await bench.call('process', { action: 'write', id, text: 'hello\n' });
    await until(async () => (await bench.call('process', { action: 'read', id })).text.includes('got hello'));
    const waited = await bench.call('process', { action: 'wait', id, timeoutSeconds: 0.2 });
    expect(waited.text).toContain('still running');
    expect((await bench.call('process', { action: 'kill', id })).text).toContain('killed');
    const after = await bench.call('process', { action: 'read', id, offset: 4 });
    expect(after.text).toContain('hello');
    expect(after.text).toContain('killed');
    expect((await bench.call('process', { action: 'write', id, text: 'x' })).status).toBe('error');
  });

  it('waits for the end', async () => {
    const started = await bench.call('run_command', { command: 'sleep 0.6; echo finished', background: true });
    const id = /as (\S+) /.exec(started.text)?.[1] ?? '';
    const waited = await bench.call('process', { action: 'wait', id });
    expect(waited.text).toContain('finished');
    expect(waited.text).toContain('exit code 0');
  });

  it('tells at once that a background run failed', async () => {
    const started = await bench.call('run_command', { command: 'no-such-program-at-all', background: true });
    expect(started.text).toMatch(/exit code 127/);
  });

  it('starts a background run once however often it is tried', async () => {
    const log = join(bench.work, 'background.log');
    await writeFile(log, '');
    const args = { command: `echo run >> ${log}; sleep 300`, background: true };
    await bench.call('run_command', args, { callKey: 'main/1/5/0' });
    await until(async () => (await sizeOf(log)) > 0);
    await bench.call('run_command', args, { callKey: 'main/1/5/0', attempt: 2 });
    await sleep(300);
    expect(await readFile(log, 'utf8')).toBe('run\n');
    await bench.call('process', { action: 'kill', id: 'main/1/5/0' });
  });

  it('knows no runs of other conversations', async () => {
    const result = await bench.call('process', { action: 'read', id: 'other/1/1/0' });
    expect(result).toMatchObject({ status: 'error', text: expect.stringContaining('No run') as string });
    expect((await bench.call('process', { action: 'read' })).text).toContain('needs id');
  });

  it('plans each action with the effect it has', async () => {
    const effectOf = async (args: object): Promise<string> => {
      const planned = await bench.plan('process', args);
      return planned.kind === 'planned' ? planned.effect : 'rejected';
    };
    expect(await effectOf({ action: 'list' })).toBe('read');
    expect(await effectOf({ action: 'write', id: 'main/1/1/1', text: 'x' })).toBe('once');
    expect(await effectOf({ action: 'kill', id: 'main/1/1/1' })).toBe('idempotent');
  });
});

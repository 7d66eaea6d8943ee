import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { baseEnvironment } from '../../../src/backends/base-environment.ts';
import { createLocalBackend } from '../../../src/backends/local.ts';
import { openBench } from './harness.ts';

/** Only root may mount a small file system; CI does. */
const mayMount = process.getuid?.() === 0;
if (!mayMount && process.env['CI'] === undefined) console.warn('not root: what needs a small disk is left out');

describe.runIf(mayMount || process.env['CI'] !== undefined)('a disk that is full where runs are recorded', () => {
  let home = '';
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'hermes-full-'));
    mkdirSync(join(home, 'disk'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', join(home, 'disk')]);
  });
  afterEach(() => {
    execFileSync('umount', [join(home, 'disk')]);
    rmSync(home, { recursive: true, force: true });
  });

  it('keeps the outcome of the command that filled it, and goes on once there is room', async () => {
    const baseEnv = baseEnvironment({ ...process.env, HOME: home });
    const backend = createLocalBackend({ runsDir: join(home, 'disk', 'runs'), cwd: home, baseEnv });
    const bench = await openBench(backend, 'full');
    const { state, output } = await bench.run('head -c 5000000 /dev/zero || exit 9');
    expect(state).toMatchObject({ phase: 'exited', exitCode: 9, signal: null });
    expect(output.length).toBeGreaterThan(1_000_000);
    await expect(bench.start('true')).rejects.toMatchObject({ code: 'Terminal.Full' });
    await bench.session.forget(state.key);
    expect((await bench.run('echo again')).text).toBe('again\n');
    rmSync(bench.scratch, { recursive: true });
    await backend.destroy(bench.handle);
    await backend.close();
  });
});

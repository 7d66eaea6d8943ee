import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLocalHost } from '../../../src/backends/local-host.ts';
import { createRunProtocol } from '../../../src/backends/run-protocol.ts';

let home = '';
beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'hermes-pty-')));
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

const spec = { key: 'k', sessionKey: 's', command: 'tty', pty: { columns: 80, rows: 24 } };

describe('a place without anything to make a terminal with', () => {
  it('refuses such a run with what to install, begins nothing, and takes it once there is something', async () => {
    const bin = join(home, 'bin');
    mkdirSync(bin);
    for (const name of ['script', 'python3', 'python'])
      writeFileSync(join(bin, name), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    const host = createLocalHost({ root: home, env: { PATH: `${bin}:${process.env['PATH'] ?? ''}` } });
    const protocol = createRunProtocol(host, { defaultCwd: home, shell: undefined });
    await expect(protocol.start(spec)).rejects.toMatchObject({
      code: 'Terminal.Invalid',
      message: expect.stringMatching(/util-linux.*python3/) as string,
    });
    expect(await protocol.listRuns('s')).toEqual([]);
    rmSync(bin, { recursive: true });
    await protocol.start(spec);
    const { state } = await protocol.poll('k', { offset: 0, maxBytes: 0, waitMs: 10_000 });
    expect(state).toMatchObject({ phase: 'exited', exitCode: 0 });
    // The supervisor still tidies up after the record.
    await protocol.killAll();
  });

  it('has no terminal of a size that is none', async () => {
    const protocol = createRunProtocol(createLocalHost({ root: home, env: {} }), {
      defaultCwd: home,
      shell: undefined,
    });
    for (const columns of [0, -1, 1.5, 100_000, Number.NaN]) {
      const start = protocol.start({ ...spec, pty: { columns, rows: 24 } });
      await expect(start).rejects.toMatchObject({ code: 'Terminal.Invalid' });
    }
  });
});

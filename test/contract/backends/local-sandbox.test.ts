import { execFileSync } from 'node:child_process';
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { baseEnvironment } from '../../../src/backends/base-environment.ts';
import { createLocalBackend, type LocalBackendOptions } from '../../../src/backends/local.ts';
import { safeName } from '../../../src/backends/run-layout.ts';
import { livingInSandboxes } from '../../support/sandboxed-processes.ts';
import { describeBackend } from './conformance.ts';
import { openBench } from './harness.ts';

const home = realpathSync(mkdtempSync(join(outsideTmp(), 'sandbox-')));
const cwd = join(home, 'work');
const hidden = join(home, 'hermes');
for (const folder of [cwd, hidden, join(home, 'also'), join(home, 'other')]) mkdirSync(folder);
writeFileSync(join(hidden, 'secrets.yaml'), 'key: never-shown');
writeFileSync(join(home, 'other', 'file'), 'as it was');
const options: LocalBackendOptions = {
  runsDir: join(hidden, 'runs'),
  cwd,
  baseEnv: baseEnvironment({ ...process.env, HOME: cwd }),
  sandbox: 'bubblewrap',
  writable: [join(home, 'also'), join(home, 'not there')],
  hidden: [hidden],
};

describe.runIf(canSandbox())('a sandboxed machine', () => {
  const tidy = () => {
    rmSync(home, { recursive: true, force: true });
    return Promise.resolve();
  };
  describe('protects what is outside', () => {
    it('only the workspace, what is listed and /tmp can be written to', async () => {
      const bench = await openBench(createLocalBackend(options), 'writing');
      const script = `for f in ${cwd}/a ${home}/also/a /tmp/a ${home}/other/a ${home}/other/file /etc/a ${hidden}/a; do
  if (echo x >"$f") 2>/dev/null; then echo "$f"; fi
done; ls -A ${hidden}; cat ${home}/other/file`;
      const { text } = await bench.run(script);
      expect(text).toBe(`${cwd}/a\n${home}/also/a\n/tmp/a\nruns\nas it was`);
      expect(readdirSync(hidden).sort()).toEqual(['runs', 'secrets.yaml']);
      expect((await bench.run('cat /tmp/a; ls -A /tmp | wc -l')).text).toMatch(/^x\n/);
      await bench.backend.destroy(bench.handle);
      await bench.backend.close();
    });

    it('files the tools ask for are those of the sandbox, through links too', async () => {
      const bench = await openBench(createLocalBackend(options), 'reading');
      const { session } = bench;
      await bench.run(`ln -s ${hidden}/secrets.yaml ${cwd}/link; echo mine >/tmp/mine`);
      const main = { sessionKey: 'main' };
      for (const path of [`${hidden}/secrets.yaml`, 'link', `/proc/1/root${hidden}/secrets.yaml`]) {
        await expect(session.readFile(path, main)).rejects.toMatchObject({ code: 'Terminal.NotFound' });
      }
      expect((await session.readFile('/tmp/mine', main)).bytes.toString()).toBe('mine\n');
      const write = session.writeFile(`${home}/other/file`, Buffer.from('changed'), main);
      await expect(write).rejects.toMatchObject({ code: 'Terminal.Denied' });
      await bench.backend.destroy(bench.handle);
      await bench.backend.close();
    });

    it('the record of a run and the state of a session cannot be forged', async () => {
      const bench = await openBench(createLocalBackend(options), 'forging');
      const run = `${hidden}/runs/*/runs/*`;
      const forge = `for f in ${run}/spec ${run}/exit ${run}/claimed ${hidden}/runs/*/sessions/*/state; do
  (echo evil >"$f") 2>/dev/null && echo "wrote $f"; done
cd ${run}/next && ln -s ${hidden}/secrets.yaml cwd && echo x >state && echo done; trap - EXIT; exec true`;
      const { state, text } = await bench.run(forge, { sessionKey: 'forged' });
      expect([state.exitCode, text]).toEqual([0, 'done\n']);
      expect(await bench.session.cwd('forged')).toBe(cwd);
      await bench.backend.destroy(bench.handle);
      await bench.backend.close();
    });

    it('a shell for a person is in it too', async () => {
      const bench = await openBench(createLocalBackend(options), 'shell');
      const shell = await bench.backend.openShell(bench.handle, {
        columns: 80,
        rows: 24,
        term: 'xterm',
        sessionKey: 'main',
      });
      let said = '';
      shell.output.on('data', (bytes: Buffer) => (said += bytes.toString()));
      shell.input.write(`ls ${hidden} | tr 'a-z' 'A-Z'; touch /etc/a || echo re''fused; exit 4\n`);
      expect(await shell.ended).toBe(4);
      expect(said).toContain('RUNS');
      expect(said).not.toContain('SECRETS');
      expect(said).toContain('refused');
      await bench.backend.destroy(bench.handle);
      await bench.backend.close();
    });

    it('folders that would undo it are refused', async () => {
      for (const writable of [['/'], [hidden]]) {
        const backend = createLocalBackend({ ...options, writable });
        const connecting = backend.connect(await backend.create('undone'));
        await expect(connecting).rejects.toMatchObject({ code: 'Config.Invalid' });
        await backend.destroy({ environmentId: 'undone', backend: 'local', state: {} }).catch(() => undefined);
      }
    });
  });

  describeBackend({
    name: 'local (bubblewrap)',
    open: () => createLocalBackend(options),
    client: {
      modulePath: fileURLToPath(new URL('local-client.ts', import.meta.url)),
      config: JSON.stringify(options),
    },
    lacks: ['hibernation'],
    living: (environmentId, pids) => livingInSandboxes(`${safeName(environmentId)}/runs/`, pids),
    close: tidy,
  });
});

describe('a machine without bubblewrap', () => {
  it('says so, with what to do', async () => {
    const backend = createLocalBackend({ ...options, cwd: tmpdir(), baseEnv: { PATH: '/nowhere' } });
    const { usable, detail, fix } = await backend.check();
    expect(usable).toBe(false);
    expect(`${detail} ${fix ?? ''}`).toMatch(/terminal\.local\.sandbox.*not installed.*apt install bubblewrap/);
    await expect(backend.create('x')).rejects.toMatchObject({ code: 'Config.Invalid' });
  });
});

/** Where the program is missing: said on a person's machine, an error in CI. */
function canSandbox(): boolean {
  try {
    execFileSync('bwrap', ['--unshare-pid', '--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', 'true']);
    return true;
  } catch (error) {
    if (process.env['CI'] !== undefined) throw error;
    console.warn(`bubblewrap cannot be used here, its tests are left out: ${String(error)}`);
    return false;
  }
}

/** A folder not below /tmp, which is another one inside; the checkout itself may well be there. */
function outsideTmp(): string {
  const candidates = [
    fileURLToPath(new URL('../../../.cache/', import.meta.url)),
    join(homedir(), '.cache'),
    '/var/lib',
  ];
  for (const folder of candidates) {
    try {
      mkdirSync(folder, { recursive: true });
      accessSync(folder, constants.W_OK);
    } catch {
      // Not ours to write to: the next one.
      continue;
    }
    if (!/^\/(var\/)?tmp(\/|$)/.test(realpathSync(folder))) return folder;
  }
  throw new Error('no folder outside /tmp can be written to');
}

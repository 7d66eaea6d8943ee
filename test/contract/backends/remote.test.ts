import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { createRemotePlace, type RemotePlaceOptions } from '../../support/remote-place/backend.ts';
import { describeBackend, type BackendUnderTest } from './conformance.ts';

const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const busybox = '/bin/busybox';

const mounted: string[] = [];

function mountSmall(path: string): string {
  mkdirSync(path);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path]);
  mounted.push(path);
  return path;
}

/** The remote core with the given sh and tools, and nothing of this process's environment. */
function describePlace(
  name: string,
  sh: readonly string[],
  under: { path?: (folder: string) => string; withoutStreams?: boolean } & Pick<BackendUnderTest, 'lacks' | 'only'>,
) {
  const home = mkdtempSync(join(tmpdir(), 'hermes-remote-'));
  const { path = () => usualPath, withoutStreams = false, ...declared } = under;
  const folder = join(home, 'environments');
  const options: RemotePlaceOptions = { folder, sh, env: { PATH: path(home), HOME: home }, withoutStreams };
  mkdirSync(folder);
  describeBackend({
    name: `remote (${name})`,
    open: () => createRemotePlace(options),
    client: {
      modulePath: fileURLToPath(new URL('remote-client.ts', import.meta.url)),
      config: JSON.stringify(options),
    },
    leftovers: (environmentId) => {
      return Promise.resolve(readdirSync(folder).filter((name) => name.startsWith(`${environmentId}_`)));
    },
    // Only root may mount.
    ...(process.getuid?.() === 0 ? { smallFolder: () => Promise.resolve(mountSmall(join(home, 'small'))) } : {}),
    ...declared,
    close: () => {
      for (const path of mounted.splice(0)) execFileSync('umount', ['-l', path]);
      rmSync(home, { recursive: true, force: true });
      return Promise.resolve();
    },
  });
}

describePlace('sh', ['/bin/sh'], {});
describePlace('bash as sh, without streams', ['/bin/sh'], {
  path: (folder) => {
    mkdirSync(join(folder, 'bin'));
    symlinkSync('/bin/bash', join(folder, 'bin/sh'));
    return `${join(folder, 'bin')}:${usualPath}`;
  },
  withoutStreams: true,
  only: ['results', 'files'],
});

if (existsSync(busybox)) {
  // The tools of a small system, and nothing else in the PATH: not even a bash or a second shell.
  const path = (folder: string) => {
    mkdirSync(join(folder, 'applets'));
    execFileSync(busybox, ['--install', '-s', join(folder, 'applets')]);
    return join(folder, 'applets');
  };
  describePlace('busybox', [busybox, 'sh'], { path, lacks: ['pty'] });
} else {
  it('a place with the tools of busybox only is held to the same', ({ skip }) => {
    expect(process.env['CI'], 'install busybox-static').toBeUndefined();
    skip('busybox is not installed (Debian: busybox-static)');
  });
}

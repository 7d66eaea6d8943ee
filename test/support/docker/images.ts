import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type Docker from 'dockerode';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const rootfs = join(repository, '.cache', 'rootfs');

export const debianImage = 'hermes-test/debian:1';
export const busyboxImage = 'hermes-test/busybox:1';

/** Imports a small Debian; the tree is made once per checkout, which takes about half a minute. */
export async function loadDebian(docker: Docker): Promise<string> {
  const tree = join(rootfs, 'bookworm');
  const script = join(repository, 'test', 'support', 'rootfs', 'make-rootfs.sh');
  const { status, stderr } = spawnSync('sh', [script, tree], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (status !== 0) throw new Error(`${script}: ${stderr.slice(-2_000)}`);
  await importTree(docker, tree, debianImage, [
    'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  ]);
  return debianImage;
}

/** Imports an image of 2 MB with nothing but busybox: no bash, no setsid of util-linux, no GNU tools. */
export async function loadBusybox(docker: Docker, changes: string[] = []): Promise<string> {
  const tree = mkdtempSync(join(tmpdir(), 'hermes-busybox-'));
  try {
    makeBusyboxTree(tree);
    await importTree(docker, tree, busyboxImage, ['ENV PATH=/bin', ...changes]);
    return busyboxImage;
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

function makeBusyboxTree(tree: string): void {
  const program = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path)) ?? 'busybox';
  for (const folder of ['bin', 'etc', 'proc', 'root', 'sys', 'dev', 'var/lib', 'tmp', 'home/person']) {
    mkdirSync(join(tree, folder), { recursive: true });
  }
  chmodSync(tree, 0o755);
  chmodSync(join(tree, 'tmp'), 0o1777);
  copyFileSync(program, join(tree, 'bin', 'busybox'));
  const names = spawnSync(program, ['--list'], { encoding: 'utf8' }).stdout.split('\n');
  for (const name of names) if (name !== '' && name !== 'busybox') symlinkSync('busybox', join(tree, 'bin', name));
  writeFileSync(join(tree, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nperson:x:1000:1000::/home/person:/bin/sh\n');
  writeFileSync(join(tree, 'etc/group'), 'root:x:0:\nperson:x:1000:\n');
  spawnSync('chown', ['1000:1000', join(tree, 'home/person')]);
}

async function importTree(docker: Docker, tree: string, image: string, changes: string[]): Promise<void> {
  const tar = spawn('tar', ['-C', tree, '--numeric-owner', '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [repo = '', tag = ''] = image.split(':');
  const answer = await docker.importImage(tar.stdout, { repo, tag, changes });
  let said = '';
  for await (const chunk of answer) said += String(chunk);
  if (said.includes('"error"')) throw new Error(`The image ${image} was not imported: ${said}`);
}

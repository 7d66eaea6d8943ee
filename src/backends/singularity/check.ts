import { readFile, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PortError } from '../../lib/port-error.ts';
import type { BackendCheck } from '../backend.ts';
import { codeOf } from '../file-errors.ts';
import type { ImageStore } from './images.ts';
import type { Instances } from './instances.ts';
import type { SingularityBackendOptions } from './options.ts';
import type { Program } from './program.ts';

export interface CheckParts {
  readonly options: SingularityBackendOptions;
  readonly program: Program;
  readonly images: ImageStore;
  readonly instances: Instances;
}

/** Both trials together stay within the five seconds of the port. */
const trialLimitMs = 2_200;
const versionLimitMs = 2_000;
/** The kernel's numbers of file systems that cannot hold an overlay. */
const unfit: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x0bd00bd0, 'Lustre'],
  [0x794c7630, 'another overlay'],
]);

/** Says whether environments can be made here, by running a throw-away container where the image is at hand. */
export function createCheck({ options, program, images, instances }: CheckParts): () => Promise<BackendCheck> {
  return async () => {
    try {
      const path = await program.path();
      const { stdout } = await program.expect(['--version'], { timeoutMs: versionLimitMs });
      const version = `${stdout.trim()}, ${path}`;
      const obstacle = (await unfitFolder(options.overlayDir)) ?? (await forbiddenToUsers());
      if (obstacle) return { usable: false, detail: obstacle.detail, fix: obstacle.fix };
      const image = await images.present(options.image);
      const as = process.getuid?.() === 0 ? '; as root, without capabilities' : '';
      if (image === null) return { usable: true, detail: `${version}; ${options.image} is got at first use${as}` };
      const [, refused] = await Promise.all([
        instances.tryOut(image, trialLimitMs),
        instances.refusedLimits(image, trialLimitMs / 2),
      ]);
      if (refused.length === 0) return { usable: true, detail: `${version}; ${options.image}${as}` };
      return {
        usable: true,
        detail: `${version}; ${options.image}${as}; these limits cannot be set here: ${refused.join(', ')}`,
        fix: 'Limits need cgroups of version 2 with a systemd session for ordinary users; for root without systemd, `systemd cgroups = no` in apptainer.conf.',
      };
    } catch (error) {
      if (!PortError.is(error)) throw error;
      return { usable: false, detail: error.message, fix: adviceFor(error) };
    }
  };
}

function adviceFor({ code, details }: PortError): string {
  if (details['missing'] === 'program')
    return 'Install apptainer (apptainer.org has packages), or set terminal.singularity.bin.';
  if (code === 'Terminal.NotFound' || code === 'Terminal.Invalid') {
    return 'Set terminal.singularity.image to a .sif file, a folder, docker-archive:FILE or docker://….';
  }
  return 'Run the program by hand to see more, and try `hermes doctor` again.';
}

interface Obstacle {
  readonly detail: string;
  readonly fix: string;
}

/** Root's overlays are the kernel's own, which wants a local file system below. */
async function unfitFolder(folder: string): Promise<Obstacle | null> {
  if (process.getuid?.() !== 0) return null;
  const name = unfit.get(await kindOf(folder));
  if (name === undefined) return null;
  return {
    detail: `${folder} is on ${name}, which cannot hold the files of an environment.`,
    fix: 'Put the home folder (HERMES_HOME) on a local file system.',
  };
}

async function kindOf(folder: string): Promise<number> {
  try {
    return (await statfs(folder)).type;
  } catch (error) {
    // Not made yet: it will be where its parent is.
    if (codeOf(error) === 'ENOENT' && dirname(folder) !== folder) return kindOf(dirname(folder));
    return 0;
  }
}

const userSettings = [
  ['/proc/sys/kernel/unprivileged_userns_clone', '0', 'sysctl kernel.unprivileged_userns_clone=1'],
  ['/proc/sys/user/max_user_namespaces', '0', 'sysctl user.max_user_namespaces=15000'],
] as const;

/** Without the privileged starter, ordinary users need user namespaces. */
async function forbiddenToUsers(): Promise<Obstacle | null> {
  if (process.getuid?.() === 0) return null;
  for (const [file, forbidding, fix] of userSettings) {
    if ((await settingOf(file)) === forbidding && !(await settingOf('/usr/libexec/apptainer/bin/starter-suid'))) {
      return { detail: `This machine does not let ordinary users make containers (${file}).`, fix };
    }
  }
  return null;
}

async function settingOf(file: string): Promise<string | null> {
  try {
    return (await readFile(file, 'latin1')).trim();
  } catch {
    // Kernels that do not know the setting allow what it would forbid.
    return null;
  }
}

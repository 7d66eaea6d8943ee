import { createHash } from 'node:crypto';

/** Settings of the singularity backend, `terminal.singularity.*`. */
export interface SingularityBackendOptions {
  /** Twelve lower-case hex digits, one per home folder; part of every instance's name. */
  readonly installationId: string;
  /** Name or path of the program; without it apptainer or singularity, whichever is on the PATH of `baseEnv`. */
  readonly bin?: string;
  /**
   * Image of new environments: path of a .sif file or of a folder, `docker-archive:FILE`, `oci-archive:FILE`, or one of a
   * registry: `docker://…`, `oras://…`, `library://…`. An environment keeps the image it was made from.
   */
  readonly image: string;
  /** Folder for the files of environments, in the home folder; made when missing. Must not be on a network file system. */
  readonly overlayDir: string;
  /** Folder for images made from archives and registries; made when missing. */
  readonly cacheDir: string;
  /** Processors, fractions too. Limits are applied where the machine allows; `describe` and `check` say where not. */
  readonly cpus?: number;
  readonly memoryMb?: number;
  /** Most processes and threads at once. */
  readonly pidsLimit?: number;
  /** `off` leaves only loopback; `on` where not given. */
  readonly network?: 'on' | 'off';
  /** Folders of this machine, as `/here:/inside` or `/here:/inside:ro`. */
  readonly mounts?: readonly string[];
  /** Runs commands without any capability. Where not given: yes for root; other users have none anyway. */
  readonly noPrivs?: boolean;
  /** Where sessions start, absolute inside; the home folder there where not given. */
  readonly cwd?: string;
  /** Absolute path of the shell for commands; bash, or sh where there is none, by default. */
  readonly shell?: string;
  /**
   * Environment of the program itself, see `baseEnvironment`: PATH, HOME. Nothing of it is seen inside. For registries
   * that need it: APPTAINER_DOCKER_USERNAME, APPTAINER_DOCKER_PASSWORD, APPTAINER_NOHTTPS, proxies.
   */
  readonly baseEnv: Readonly<Record<string, string>>;
}

/** Names of instances are at most 32 characters long. */
export function instanceName(installationId: string, environmentId: string): string {
  return `${instancePrefix(installationId)}${hash(environmentId)}`;
}

export function instancePrefix(installationId: string): string {
  return `hermes-${installationId}-`;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

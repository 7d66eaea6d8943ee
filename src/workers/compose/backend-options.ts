import { join } from 'node:path';
import type { Backend } from '../../backends/backend.ts';
import { baseEnvironment } from '../../backends/base-environment.ts';
import { openBackend, type BackendOptions } from '../../backends/registry.ts';
import { expandHome, homePaths, type Environment } from '../../config/home.ts';
import { installationId } from '../../config/installation-id.ts';
import type { Config } from '../../config/schema.ts';
import type { Secret } from '../../config/secret.ts';

export interface BackendPlace {
  readonly config: Config;
  readonly home: string;
  readonly env: Environment;
}

/** Opens a backend as the configuration says. Connects to nothing. Rejects with a PortError `Config.Invalid`. */
export async function openConfiguredBackend(id: string, place: BackendPlace): Promise<Backend> {
  return openBackend(id, backendOptions(place));
}

/** The settings of every backend, in the backends' own terms. What is not set is left out, so that defaults hold. */
export function backendOptions({ config, home, env }: BackendPlace): BackendOptions {
  const { terminal } = config;
  const paths = homePaths(home);
  const installation = installationId(paths.installationFile);
  const cwd = terminal.cwd ?? undefined;
  const at = (...parts: string[]): string => join(paths.backendsDir, ...parts);
  const baseEnv = baseEnvironment(env, terminal.envPassthrough);
  const { keyPassphrase, password, knownHostsFile, host, ...ssh } = terminal.ssh;
  const { tokenId, tokenSecret, cpus, maxLifeHours, ...modal } = terminal.modal;
  const { apiKey, ...daytona } = terminal.daytona;
  const { pids, ...singularity } = terminal.singularity;
  return {
    local: {
      runsDir: paths.runsDir,
      cwd: expandHome(terminal.cwd ?? '~', env),
      baseEnv,
      sandbox: terminal.local.sandbox,
      writable: terminal.local.writable.map((folder) => expandHome(folder, env)),
      hidden: [home],
    },
    docker: { ...given({ ...terminal.docker, cwd }), installationId: installation },
    ssh: {
      ...given({ ...ssh, passphrase: open(keyPassphrase), password: open(password), cwd }),
      host: host ?? '',
      knownHostsFile: knownHostsFile ?? at('ssh', 'known_hosts'),
      userSshFolder: expandHome('~/.ssh', env),
      installationId: installation,
    },
    singularity: {
      ...given({ ...singularity, pidsLimit: pids, cwd }),
      image: singularity.image,
      overlayDir: at('singularity', 'overlays'),
      cacheDir: at('singularity', 'images'),
      baseEnv,
      installationId: installation,
    },
    modal: {
      ...given({
        ...modal,
        tokenId: open(tokenId),
        tokenSecret: open(tokenSecret),
        cpu: cpus,
        timeoutMinutes: Math.round(maxLifeHours * 60),
      }),
      installationId: installation,
    },
    daytona: { ...given({ ...daytona, apiKey: open(apiKey), cwd }), installationId: installation },
  };
}

function open(secret: Secret | null): string | null {
  return secret?.reveal() ?? null;
}

type Given<T> = {
  readonly [K in keyof T as null extends T[K] ? never : undefined extends T[K] ? never : K]: T[K];
} & {
  readonly [K in keyof T as null extends T[K] ? K : undefined extends T[K] ? K : never]?: NonNullable<T[K]>;
};

/** Without the keys that are not set. */
function given<T extends Readonly<Record<string, unknown>>>(values: T): Given<T> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== null && value !== undefined),
  ) as unknown as Given<T>;
}

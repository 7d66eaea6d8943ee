import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Variables as a process gets them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The folder that holds everything of one installation: HERMES_HOME, else `~/.hermes`; always absolute.
 * Light on purpose: the command asks this before it loads anything else.
 */
export function hermesHome(env: Environment): string {
  const named = env['HERMES_HOME']?.trim() ?? '';
  return named === '' ? join(userHome(env), '.hermes') : resolve(expandHome(named, env));
}

/** Replaces a leading `~` by the person's home folder. */
export function expandHome(path: string, env: Environment): string {
  return path === '~' || path.startsWith('~/') ? join(userHome(env), path.slice(1)) : path;
}

function userHome(env: Environment): string {
  const home = env['HOME'] ?? env['USERPROFILE'] ?? '';
  return home === '' ? homedir() : home;
}

/** Every path of the home folder, absolute. Nothing is created. */
export interface HomePaths {
  readonly home: string;
  readonly configFile: string;
  /** Keys and tokens; mode 0600. */
  readonly secretsFile: string;
  /** Bearer token of the HTTP API; mode 0600. */
  readonly apiTokenFile: string;
  /** Name of this installation among others that use the same engine or account. */
  readonly installationFile: string;
  readonly databaseFile: string;
  /** The embedded Temporal server's own database. */
  readonly temporalDatabaseFile: string;
  readonly backupsDir: string;
  /** Run folders of the local backend. */
  readonly runsDir: string;
  /** What other backends keep on this machine: overlays, images, known host keys. */
  readonly backendsDir: string;
  /** Fetched programs, the Temporal server above all. */
  readonly binDir: string;
  readonly logsDir: string;
  readonly logs: {
    readonly supervisor: string;
    readonly service: string;
    readonly worker: string;
    readonly gateway: string;
    readonly temporal: string;
  };
  /** One file per part that runs, written when it is ready and removed on a clean stop. */
  readonly runDir: string;
  readonly run: {
    readonly supervisor: string;
    readonly temporal: string;
    readonly worker: string;
    readonly gateway: string;
    readonly api: string;
  };
}

export function homePaths(home: string): HomePaths {
  const at = (...parts: string[]): string => join(home, ...parts);
  return {
    home,
    configFile: at('config.yaml'),
    secretsFile: at('secrets.yaml'),
    apiTokenFile: at('api-token'),
    installationFile: at('installation-id'),
    databaseFile: at('hermes.db'),
    temporalDatabaseFile: at('temporal.db'),
    backupsDir: at('backups'),
    runsDir: at('runs'),
    backendsDir: at('backends'),
    binDir: at('bin'),
    logsDir: at('logs'),
    logs: {
      supervisor: at('logs', 'supervisor.log'),
      service: at('logs', 'service.log'),
      worker: at('logs', 'worker.log'),
      gateway: at('logs', 'gateway.log'),
      temporal: at('logs', 'temporal.log'),
    },
    runDir: at('run'),
    run: {
      supervisor: at('run', 'supervisor.json'),
      temporal: at('run', 'temporal.json'),
      worker: at('run', 'worker.json'),
      gateway: at('run', 'gateway.json'),
      api: at('run', 'api.json'),
    },
  };
}

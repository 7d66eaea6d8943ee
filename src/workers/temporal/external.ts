import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NativeConnectionOptions } from '@temporalio/worker';
import type { Config } from '../../config/schema.ts';

/** The part of the configuration that names a server of one's own. */
export type TemporalSettings = Pick<
  Config['temporal'],
  'address' | 'namespace' | 'apiKey' | 'tls' | 'tlsCertFile' | 'tlsKeyFile'
>;

/** How to connect to a Temporal server that is not ours to run. */
export interface ExternalTemporal {
  readonly kind: 'external';
  readonly namespace: string;
  readonly connection: NativeConnectionOptions & { readonly address: string };
  /** Where the address comes from, for a person. */
  readonly from: string;
}

/**
 * The server a person has named: environment (`TEMPORAL_ADDRESS` and its family) or a `temporal.toml` profile first,
 * as in Temporal's own tools, then `temporal.address` of our configuration. Undefined when none is named. Throws when
 * the profile cannot be read (a missing key file, a profile that is not there).
 */
export async function findExternalTemporal(
  settings: TemporalSettings,
  env: NodeJS.ProcessEnv,
): Promise<ExternalTemporal | undefined> {
  const file = profileFile(env);
  if (hasTemporalEnvironment(env) || existsSync(file)) {
    // Loaded only here: most homes name no server and need not pay for it.
    const { loadClientConnectConfig } = await import('@temporalio/envconfig');
    const { connectionOptions, namespace } = loadClientConnectConfig({
      ...(existsSync(file) ? { configSource: { path: file } } : { disableFile: true }),
      overrideEnvVars: definedOf(env),
      ...(env['TEMPORAL_PROFILE'] === undefined ? {} : { profile: env['TEMPORAL_PROFILE'] }),
    });
    const { address } = connectionOptions;
    if (address !== undefined && address !== '') {
      const from = env['TEMPORAL_ADDRESS'] === undefined ? file : 'TEMPORAL_ADDRESS';
      return {
        kind: 'external',
        namespace: namespace ?? 'default',
        connection: { ...connectionOptions, address },
        from,
      };
    }
  }
  return settings.address === null ? undefined : fromSettings(settings, settings.address);
}

async function fromSettings(settings: TemporalSettings, address: string): Promise<ExternalTemporal> {
  const { apiKey, tlsCertFile, tlsKeyFile } = settings;
  const pair =
    tlsCertFile === null || tlsKeyFile === null
      ? undefined
      : { crt: await readFile(tlsCertFile), key: await readFile(tlsKeyFile) };
  return {
    kind: 'external',
    namespace: settings.namespace,
    connection: {
      address,
      tls: pair === undefined ? settings.tls || apiKey !== null : { clientCertPair: pair },
      ...(apiKey === null ? {} : { apiKey: apiKey.reveal() }),
    },
    from: 'temporal.address',
  };
}

/** The file Temporal's tools read, or the one `TEMPORAL_CONFIG_FILE` names. */
function profileFile(env: NodeJS.ProcessEnv): string {
  const named = env['TEMPORAL_CONFIG_FILE'];
  if (named !== undefined && named !== '') return named;
  const home = env['HOME'] ?? '';
  const base =
    process.platform === 'darwin'
      ? join(home, 'Library', 'Application Support')
      : (env['XDG_CONFIG_HOME'] ?? join(home, '.config'));
  return join(base, 'temporalio', 'temporal.toml');
}

function hasTemporalEnvironment(env: NodeJS.ProcessEnv): boolean {
  return env['TEMPORAL_ADDRESS'] !== undefined || env['TEMPORAL_PROFILE'] !== undefined;
}

function definedOf(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  );
}

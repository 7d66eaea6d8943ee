import { Secret } from '../config/secret.ts';
import type { Config } from '../config/schema.ts';
import type { ConfiguredAccount } from './accounts.ts';
import { platformOf, platforms } from './platforms/registry.ts';
import { commonSettings } from './platforms/common-settings.ts';

type Values = Readonly<Record<string, unknown>>;

/** The accounts that are enabled; none while `gateway.enabled` is false. */
export function configuredAccounts(config: Config): readonly ConfiguredAccount[] {
  if (!config.gateway.enabled) return [];
  return accountIds(config)
    .map((id) => configuredAccount(config, id))
    .filter((account) => account.settings['enabled'] === true);
}

/** The accounts that have what they need, switched on or off: messages for them are worth waiting. */
export function accountsSetUp(config: Config): readonly ConfiguredAccount[] {
  return accountIds(config)
    .map((id) => configuredAccount(config, id))
    .filter(
      ({ descriptor: { needs }, settings }) =>
        settings['enabled'] === true || (needs.length > 0 && needs.every((key) => settings[key] !== null)),
    );
}

/** An account as it is configured, enabled or not; with defaults where nothing is. Throws for an unknown platform. */
export function configuredAccount(config: Config, id: string): ConfiguredAccount {
  const descriptor = platformOf(id);
  if (descriptor === undefined) throw new Error(`there is no platform for ${id}`);
  const [platform = '', name] = id.split('/');
  const group = (config.gateway as unknown as Readonly<Record<string, Values>>)[platform] ?? {};
  const further = (group['accounts'] as Readonly<Record<string, Values>> | undefined) ?? {};
  const values = name === undefined ? group : (further[name] ?? {});
  const known = { ...commonSettings, ...descriptor.settings };
  const settings = Object.fromEntries(Object.keys(known).map((key) => [key, plain(values[key] ?? null)]));
  const list = (key: string): readonly string[] => (settings[key] as readonly string[] | null) ?? [];
  return {
    id,
    descriptor,
    settings: settings as ConfiguredAccount['settings'],
    conduct: {
      owner: list('owner'),
      allow: list('allow'),
      admins: list('admins'),
      groups: list('groups'),
      strangers: settings['strangers'] === 'ignore' ? 'ignore' : 'pair',
      home: typeof settings['home'] === 'string' ? settings['home'] : null,
    },
  };
}

function accountIds(config: Config): readonly string[] {
  const groups = config.gateway as unknown as Readonly<Record<string, Values | undefined>>;
  return platforms.flatMap(({ id }) => [
    id,
    ...Object.keys((groups[id]?.['accounts'] as Values | undefined) ?? {}).map((name) => `${id}/${name}`),
  ]);
}

function plain(value: unknown): unknown {
  return value instanceof Secret ? value.reveal() : value;
}

import { agent } from './sections/agent.ts';
import { conversation } from './sections/conversation.ts';
import { accountSettings, gateway } from './sections/gateway.ts';
import { model, provider } from './sections/model.ts';
import { approvals, web } from './sections/safety.ts';
import { api, service } from './sections/service.ts';
import { temporal } from './sections/temporal.ts';
import { terminal } from './sections/terminal.ts';
import { voice } from './sections/voice.ts';
import { nearest, nearestKey } from './nearest.ts';
import { isProviderId, providerIds, type ProviderId } from '../domain/model-providers.ts';
import type { Setting } from './setting.ts';

/** Every section and its keys, in the order in which they are listed. */
export const sections = {
  model,
  agent,
  conversation,
  terminal,
  gateway,
  voice,
  approvals,
  web,
  temporal,
  api,
  service,
} as const;

/** A group of keys: settings, and further groups (`terminal.docker`). */
interface Group {
  readonly [name: string]: Setting | Group;
}

type SectionValues<S> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : SectionValues<S[K]> };

type ProviderConfig = SectionValues<typeof provider>;

/** The whole configuration: every key is there; `null` means "not set". Secrets are {@link Secret}s. */
export type Config = { readonly [S in keyof typeof sections]: SectionValues<(typeof sections)[S]> } & {
  /** Access to providers beside the chosen one; only those that were set. */
  readonly providers: Readonly<Partial<Record<ProviderId, ProviderConfig>>>;
};

export interface NamedSetting {
  /** Dotted, e.g. `model.baseUrl`. */
  readonly key: string;
  readonly setting: Setting;
  /** Variables that set it, the strongest first. */
  readonly env: readonly string[];
}

const fixed: readonly NamedSetting[] = flatten(sections, '');
const perProvider: readonly NamedSetting[] = providerIds.flatMap((id) =>
  flatten(provider as unknown as Group, `providers.${id}.`),
);
const byKey = new Map([...fixed, ...perProvider].map((entry) => [entry.key, entry]));

/** Every key there is, `providers.<id>.…` written out for each provider at the end. */
export function allSettings(): readonly NamedSetting[] {
  return [...byKey.values()];
}

export function findSetting(key: string): NamedSetting | undefined {
  return byKey.get(key) ?? accountOf(key)?.find((named) => named.key === key);
}

/** Every key of the further accounts (`gateway.telegram.accounts.work.token`) that the given keys name. */
export function settingsOfAccounts(keys: Iterable<string>): readonly NamedSetting[] {
  const found = new Map<string, NamedSetting>();
  for (const key of keys) for (const named of accountOf(key) ?? []) found.set(named.key, named);
  return [...found.values()];
}

const accountKey = /^gateway\.([a-z_]+)\.accounts\.([a-z0-9][a-z0-9-]{0,30})\.\w+$/;

/** Further accounts have names of a person's choice, so their keys are in no table and no variable sets them. */
function accountOf(key: string): readonly NamedSetting[] | null {
  const [, platform = '', name = ''] = accountKey.exec(key) ?? [];
  const keys = accountSettings.get(platform);
  if (keys === undefined) return null;
  return Object.entries(keys).map(([last, setting]) => ({
    key: `gateway.${platform}.accounts.${name}.${last}`,
    setting: { ...setting, env: [] },
    env: [],
  }));
}

/** The key that was probably meant, or the section for a word that is close to one; null when nothing is close. */
export function suggestKey(key: string): string | null {
  const isName = fixed.some((entry) => entry.key.endsWith(`.${key}`));
  const section = key.includes('.') || isName ? null : nearest(key, [...Object.keys(sections), 'providers']);
  if (section !== null) return section;
  const wanted = key.split('.');
  const id = wanted[1];
  // Within a provider that exists only its own keys can be meant.
  const pool = wanted[0] === 'providers' && id !== undefined && isProviderId(id) ? keysUnder(`providers.${id}`) : null;
  return nearestKey(key, pool ?? (wanted[0] === 'providers' ? [...byKey.keys()] : fixed.map((entry) => entry.key)));
}

/** True for `model`, `terminal.docker` and `providers.openai`: what holds keys and is none itself. */
export function isGroup(path: string): boolean {
  return groups.has(path) || accountOf(`${path}.x`) !== null || accountOf(`${path}.x.x`) !== null;
}

function keysUnder(group: string): string[] {
  return [...byKey.keys()].filter((key) => key.startsWith(`${group}.`));
}

/** Everything in front of a dot. */
const groups: ReadonlySet<string> = new Set(
  [...byKey.keys()].flatMap((key) => {
    const parts = key.split('.').slice(0, -1);
    return parts.map((_, index) => parts.slice(0, index + 1).join('.'));
  }),
);

function flatten(group: Group, prefix: string): NamedSetting[] {
  return Object.entries(group).flatMap(([name, value]) =>
    isSetting(value) ? [named(`${prefix}${name}`, value)] : flatten(value, `${prefix}${name}.`),
  );
}

function isSetting(value: Setting | Group): value is Setting {
  return typeof value['fromText'] === 'function';
}

function named(key: string, setting: Setting): NamedSetting {
  return { key, setting, env: [envName(key), ...setting.env] };
}

/** `model.baseUrl` is HERMES_MODEL_BASE_URL in the environment. */
function envName(key: string): string {
  return `HERMES_${key
    .replaceAll('.', '_')
    .replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, '_')
    .toUpperCase()}`;
}

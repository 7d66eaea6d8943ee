import type { Environment } from './home.ts';
import { providerInfo, providerTable, type ProviderId } from '../domain/model-providers.ts';
import type { Config } from './schema.ts';
import { Secret } from './secret.ts';

/** How to reach one provider. */
export interface ProviderAccess {
  /** Null only for demo, and for custom without an address. */
  readonly baseUrl: string | null;
  readonly apiKey: Secret | null;
  /** The key or the variable it stands in, e.g. `model.apiKey` or `OPENAI_API_KEY`; null without one. */
  readonly apiKeyFrom: string | null;
}

export interface ModelChoice extends ProviderAccess {
  readonly provider: ProviderId;
  /** Null where the provider has no usual model and none is named; then the provider must be asked what it has. */
  readonly name: string | null;
  /** `config`: somebody said so; `environment`: a key was found there; `demo`: nothing was found. */
  readonly how: 'config' | 'environment' | 'demo';
}

/**
 * Which model answers. What the configuration says wins: model.provider, else custom where only model.baseUrl is given.
 * Else the first provider in the order of the table whose key stands in providers.<id>.apiKey or in a variable it
 * names. Else demo. Local servers are never used unasked: `hermes setup` finds them and writes them down. Pure.
 */
export function chooseModel(config: Config, env: Environment): ModelChoice {
  const { model } = config;
  const chosen = model.provider ?? (model.baseUrl === null ? null : 'custom');
  if (chosen !== null) return choice(chosen, 'config', config, env);
  const found = providerTable.find(({ id, needsKey }) => needsKey && providerAccess(id, config, env).apiKey !== null);
  return found === undefined ? choice('demo', 'demo', config, env) : choice(found.id, 'environment', config, env);
}

function choice(provider: ProviderId, how: ModelChoice['how'], config: Config, env: Environment): ModelChoice {
  // A name meant for a real model says nothing to the stand-in.
  const name = how === 'demo' ? null : config.model.name;
  return { provider, name: name ?? providerInfo(provider).defaultModel, how, ...providerAccess(provider, config, env) };
}

/**
 * Address and key of any provider, for fallbacks and /model. model.apiKey and model.baseUrl belong to model.provider
 * alone: a key never goes to a provider it was not meant for. Pure.
 */
export function providerAccess(provider: ProviderId, config: Config, env: Environment): ProviderAccess {
  const { model } = config;
  const own = config.providers[provider];
  const isChosen = (model.provider ?? (model.baseUrl === null ? null : 'custom')) === provider;
  const baseUrl = (isChosen ? model.baseUrl : null) ?? own?.baseUrl ?? providerInfo(provider).baseUrl;
  if (isChosen && model.apiKey !== null) return { baseUrl, apiKey: model.apiKey, apiKeyFrom: 'model.apiKey' };
  if (own?.apiKey != null) return { baseUrl, apiKey: own.apiKey, apiKeyFrom: `providers.${provider}.apiKey` };
  for (const name of providerInfo(provider).keyEnv) {
    const value = env[name]?.trim() ?? '';
    if (value !== '') return { baseUrl, apiKey: new Secret(value), apiKeyFrom: name };
  }
  return { baseUrl, apiKey: null, apiKeyFrom: null };
}

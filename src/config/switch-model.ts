import type { LoadedConfig } from './load.ts';
import type { ProviderId } from '../domain/model-providers.ts';
import type { Secret } from './secret.ts';
import type { Change } from './write.ts';

export interface ModelSwitch {
  readonly provider: ProviderId;
  /** Null: the provider's usual one. */
  readonly name: string | null;
  /** Absent: what is known about the provider already. */
  readonly baseUrl?: string;
  readonly apiKey?: Secret;
}

/**
 * The changes that make a model the chosen one. model.apiKey and model.baseUrl belong to the provider chosen before, so
 * they move to its own place, from which a later switch back, /model and fallbacks find them. Pure.
 */
export function switchModel(loaded: LoadedConfig, next: ModelSwitch): readonly Change[] {
  const { model, providers } = loaded.config;
  const inFile = (key: string): boolean => loaded.sources.get(key)?.from === 'file';
  const before = model.provider ?? (model.baseUrl === null ? null : 'custom');
  const changes: Change[] = [
    { key: 'model.provider', value: next.provider },
    { key: 'model.name', value: next.name },
  ];
  if (before !== null && before !== next.provider) {
    if (inFile('model.apiKey') && model.apiKey !== null) {
      if (providers[before]?.apiKey == null) changes.push(at(before, 'apiKey', model.apiKey.reveal()));
      changes.push({ key: 'model.apiKey', value: null });
    }
    if (inFile('model.baseUrl')) {
      if (providers[before]?.baseUrl == null) changes.push(at(before, 'baseUrl', model.baseUrl));
      changes.push({ key: 'model.baseUrl', value: null });
    }
  }
  const stays = before === next.provider;
  if (next.apiKey !== undefined) {
    const key = next.apiKey.reveal();
    // A key in model.apiKey is the stronger one and would hide the new one.
    changes.push(
      stays && inFile('model.apiKey') ? { key: 'model.apiKey', value: key } : at(next.provider, 'apiKey', key),
    );
  }
  if (next.baseUrl !== undefined) {
    changes.push(
      stays && inFile('model.baseUrl')
        ? { key: 'model.baseUrl', value: next.baseUrl }
        : at(next.provider, 'baseUrl', next.baseUrl),
    );
  }
  return changes;
}

function at(provider: ProviderId, name: 'apiKey' | 'baseUrl', value: string | null): Change {
  return { key: `providers.${provider}.${name}`, value };
}

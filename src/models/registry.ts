import {
  isProviderId,
  providerIds,
  providerInfo,
  type ModelProviderInfo,
  type ProviderId,
} from '../domain/model-providers.ts';
import { PortError } from '../lib/port-error.ts';
import { createDemoProvider } from './demo.ts';
import { createOpenAiCompatible, type WarmableProvider } from './openai-compatible.ts';
import type { Quirks } from './openai-request.ts';

/** What the adapter must know of an endpoint beside the facts of the table; most need nothing. */
interface Oddities {
  readonly quirks?: Quirks;
  readonly headers?: Readonly<Record<string, string>>;
}

// One provider, one line.
// prettier-ignore
const oddities: Readonly<Partial<Record<ProviderId, Oddities>>> = {
  openai: { quirks: { maxTokensField: 'max_completion_tokens' } },
  openrouter: { quirks: { cacheControl: true, extraBody: { usage: { include: true } } }, headers: { 'x-title': 'Hermes on Temporal' } },
  kimi: { quirks: { reasoningPlaceholder: true } },
};

export type ProviderEntry = ModelProviderInfo & Oddities;

/** How a provider is reached in this installation. */
export interface ProviderSettings {
  /** Null or absent: the entry's own. */
  readonly baseUrl?: string | null;
  readonly apiKey?: string | null;
  readonly requestTimeoutMs?: number;
  readonly stallTimeoutMs?: number;
}

/** @throws PortError `Model.NotConfigured` for an id that is not in the table; names those that are. */
export function providerEntry(id: string): ProviderEntry {
  if (isProviderId(id)) return { ...providerInfo(id), ...oddities[id] };
  const known = providerIds.join(', ');
  throw new PortError('Model.NotConfigured', `There is no provider ${id.slice(0, 60)}; there are ${known}.`);
}

/**
 * Opens no connection yet.
 *
 * @throws PortError `Model.NotConfigured` where a key or an address is missing; says which.
 */
export function createProvider(entry: ProviderEntry, settings: ProviderSettings): WarmableProvider {
  if (entry.id === 'demo') return createDemoProvider();
  const baseUrl = settings.baseUrl ?? entry.baseUrl;
  const apiKey = settings.apiKey ?? '';
  const details = { provider: entry.id };
  if (baseUrl === null || baseUrl === '') {
    throw new PortError('Model.NotConfigured', `${entry.id} needs an address: set model.baseUrl.`, { details });
  }
  if (entry.needsKey && apiKey === '') {
    const variable = entry.keyEnv[0] ?? 'model.apiKey';
    throw new PortError('Model.NotConfigured', `${entry.id} needs a key: set ${variable}, or run hermes setup.`, {
      details,
    });
  }
  return createOpenAiCompatible({
    id: entry.id,
    baseUrl,
    ...(apiKey === '' ? {} : { apiKey }),
    ...(entry.headers ? { headers: entry.headers } : {}),
    ...(entry.quirks ? { quirks: entry.quirks } : {}),
    ...(settings.requestTimeoutMs === undefined ? {} : { requestTimeoutMs: settings.requestTimeoutMs }),
    ...(settings.stallTimeoutMs === undefined ? {} : { stallTimeoutMs: settings.stallTimeoutMs }),
  });
}

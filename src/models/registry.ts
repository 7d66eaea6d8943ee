import { PortError } from '../lib/port-error.ts';
import { createDemoProvider } from './demo.ts';
import { createOpenAiCompatible, type WarmableProvider } from './openai-compatible.ts';
import type { Quirks } from './openai-request.ts';

/** What the adapter must know of an endpoint beside its address. */
export interface ProviderEntry {
  readonly id: string;
  /** Null: the person names it, or there is none. */
  readonly baseUrl: string | null;
  /** Variables a key is looked for in; the first one is named when it is missing. */
  readonly keyEnv: readonly string[];
  readonly needsKey: boolean;
  /** Null: depends on what is installed there. */
  readonly defaultModel: string | null;
  readonly quirks?: Quirks;
  readonly headers?: Readonly<Record<string, string>>;
}

const title = { 'x-title': 'Hermes on Temporal' };

// One provider, one line.
// prettier-ignore
const entries: readonly ProviderEntry[] = [
  { id: 'openai', baseUrl: 'https://api.openai.com/v1', keyEnv: ['OPENAI_API_KEY'], needsKey: true, defaultModel: 'gpt-5-mini', quirks: { maxTokensField: 'max_completion_tokens' } },
  { id: 'openrouter', baseUrl: 'https://openrouter.ai/api/v1', keyEnv: ['OPENROUTER_API_KEY'], needsKey: true, defaultModel: 'openrouter/auto', quirks: { cacheControl: true, extraBody: { usage: { include: true } } }, headers: title },
  { id: 'nous', baseUrl: 'https://inference-api.nousresearch.com/v1', keyEnv: ['NOUS_API_KEY'], needsKey: true, defaultModel: 'Hermes-4-405B' },
  { id: 'zai', baseUrl: 'https://api.z.ai/api/paas/v4', keyEnv: ['GLM_API_KEY', 'ZAI_API_KEY', 'Z_AI_API_KEY'], needsKey: true, defaultModel: 'glm-4.6' },
  { id: 'kimi', baseUrl: 'https://api.moonshot.ai/v1', keyEnv: ['KIMI_API_KEY', 'MOONSHOT_API_KEY'], needsKey: true, defaultModel: 'kimi-k2-turbo-preview', quirks: { reasoningPlaceholder: true } },
  { id: 'minimax', baseUrl: 'https://api.minimax.io/v1', keyEnv: ['MINIMAX_API_KEY'], needsKey: true, defaultModel: 'MiniMax-M2' },
  { id: 'anthropic', baseUrl: 'https://api.anthropic.com/v1', keyEnv: ['ANTHROPIC_API_KEY'], needsKey: true, defaultModel: 'claude-sonnet-4-5' },
  { id: 'ollama', baseUrl: 'http://127.0.0.1:11434/v1', keyEnv: [], needsKey: false, defaultModel: null },
  { id: 'lmstudio', baseUrl: 'http://127.0.0.1:1234/v1', keyEnv: [], needsKey: false, defaultModel: null },
  { id: 'custom', baseUrl: null, keyEnv: [], needsKey: false, defaultModel: null },
  { id: 'demo', baseUrl: null, keyEnv: [], needsKey: false, defaultModel: 'demo' },
];

/** Every provider, in the order in which keys are looked for. */
export const providerEntries = entries;

/** How a provider is reached in this installation. */
export interface ProviderSettings {
  /** Null or absent: the entry's own. */
  readonly baseUrl?: string | null;
  readonly apiKey?: string | null;
  readonly requestTimeoutMs?: number;
  readonly stallTimeoutMs?: number;
}

/** @throws PortError `Model.NotConfigured` for an id that is not in the registry; names those that are. */
export function providerEntry(id: string): ProviderEntry {
  const entry = entries.find((candidate) => candidate.id === id);
  if (entry) return entry;
  const known = entries.map((candidate) => candidate.id).join(', ');
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

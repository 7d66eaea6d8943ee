/** What is known about a provider of models before anything is asked of it. */
export interface ModelProviderInfo {
  readonly id: string;
  readonly title: string;
  /** Address of its OpenAI-compatible interface; null where the person must name it or there is none. */
  readonly baseUrl: string | null;
  /** Variables its key is looked for in, the strongest first; the first one is named when it is missing. */
  readonly keyEnv: readonly string[];
  readonly needsKey: boolean;
  /** The model used when none is named; null where that depends on what is installed. */
  readonly defaultModel: string | null;
}

/** Every provider, one line each, in the order in which their keys are looked for in the environment. */
// prettier-ignore
export const providerTable = [
  { id: 'openai', title: 'OpenAI', baseUrl: 'https://api.openai.com/v1', keyEnv: ['OPENAI_API_KEY'], needsKey: true, defaultModel: 'gpt-5-mini' },
  { id: 'openrouter', title: 'OpenRouter', baseUrl: 'https://openrouter.ai/api/v1', keyEnv: ['OPENROUTER_API_KEY'], needsKey: true, defaultModel: 'openrouter/auto' },
  { id: 'nous', title: 'Nous Research', baseUrl: 'https://inference-api.nousresearch.com/v1', keyEnv: ['NOUS_API_KEY'], needsKey: true, defaultModel: 'Hermes-4-405B' },
  { id: 'zai', title: 'Z.AI (GLM)', baseUrl: 'https://api.z.ai/api/paas/v4', keyEnv: ['GLM_API_KEY', 'ZAI_API_KEY', 'Z_AI_API_KEY'], needsKey: true, defaultModel: 'glm-4.6' },
  { id: 'kimi', title: 'Kimi (Moonshot)', baseUrl: 'https://api.moonshot.ai/v1', keyEnv: ['KIMI_API_KEY', 'MOONSHOT_API_KEY'], needsKey: true, defaultModel: 'kimi-k2-turbo-preview' },
  { id: 'minimax', title: 'MiniMax', baseUrl: 'https://api.minimax.io/v1', keyEnv: ['MINIMAX_API_KEY'], needsKey: true, defaultModel: 'MiniMax-M2' },
  { id: 'anthropic', title: 'Anthropic', baseUrl: 'https://api.anthropic.com/v1', keyEnv: ['ANTHROPIC_API_KEY'], needsKey: true, defaultModel: 'claude-sonnet-4-5' },
  { id: 'ollama', title: 'Ollama (this machine)', baseUrl: 'http://127.0.0.1:11434/v1', keyEnv: [], needsKey: false, defaultModel: null },
  { id: 'lmstudio', title: 'LM Studio (this machine)', baseUrl: 'http://127.0.0.1:1234/v1', keyEnv: [], needsKey: false, defaultModel: null },
  { id: 'custom', title: 'another OpenAI-compatible address', baseUrl: null, keyEnv: [], needsKey: false, defaultModel: null },
  { id: 'demo', title: 'demo, a stand-in that is no language model', baseUrl: null, keyEnv: [], needsKey: false, defaultModel: 'demo' },
] as const satisfies readonly ModelProviderInfo[];

export type ProviderId = (typeof providerTable)[number]['id'];

export const providerIds: readonly [ProviderId, ...ProviderId[]] = [
  providerTable[0].id,
  ...providerTable.slice(1).map(({ id }) => id),
];

export function isProviderId(value: string): value is ProviderId {
  return (providerIds as readonly string[]).includes(value);
}

export function providerInfo(id: ProviderId): ModelProviderInfo {
  const found = providerTable.find((entry) => entry.id === id);
  if (found === undefined) throw new Error(`the table has no provider ${id}`);
  return found;
}

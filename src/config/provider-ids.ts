/** Every provider of models, in the order in which their keys are looked for in the environment. */
export const providerIds = [
  'openai',
  'openrouter',
  'nous',
  'zai',
  'kimi',
  'minimax',
  'ollama',
  'lmstudio',
  'custom',
  'demo',
] as const;
export type ProviderId = (typeof providerIds)[number];

export function isProviderId(value: string): value is ProviderId {
  return (providerIds as readonly string[]).includes(value);
}

import type { ModelUsage } from './provider.ts';

/** What is known of a model by its name alone. */
export interface ModelFacts {
  readonly contextTokens: number;
  /** US dollars per million tokens; null where nobody says, or everybody says something else. */
  readonly price: ModelPrice | null;
}

export interface ModelPrice {
  readonly inputUsd: number;
  /** Input from the provider's cache. */
  readonly cachedInputUsd: number;
  readonly outputUsd: number;
}

type Row = readonly [pattern: RegExp, contextTokens: number, price: ModelPrice | null];

const price = (inputUsd: number, cachedInputUsd: number, outputUsd: number): ModelPrice => ({
  inputUsd,
  cachedInputUsd,
  outputUsd,
});

/**
 * First row that fits the name without vendor and variant, in lower case. List prices of the makers as known in January
 * 2026, without batch, region or long-prompt surcharges; a provider that tells the cost of a request is always believed more.
 */
const rows: readonly Row[] = [
  [/^gpt-5(\.\d+)?-pro/, 400_000, price(15, 15, 120)],
  [/^gpt-5(\.\d+)?(-codex)?-mini/, 400_000, price(0.25, 0.025, 2)],
  [/^gpt-5(\.\d+)?-nano/, 400_000, price(0.05, 0.005, 0.4)],
  [/^gpt-5\.2/, 400_000, price(1.75, 0.175, 14)],
  [/^gpt-5(\.1)?(?![.\d])/, 400_000, price(1.25, 0.125, 10)],
  [/^gpt-4\.1-mini/, 1_047_576, price(0.4, 0.1, 1.6)],
  [/^gpt-4\.1-nano/, 1_047_576, price(0.1, 0.025, 0.4)],
  [/^gpt-4\.1/, 1_047_576, price(2, 0.5, 8)],
  [/^gpt-4o-mini/, 128_000, price(0.15, 0.075, 0.6)],
  [/^(gpt-4o|chatgpt-4o)/, 128_000, price(2.5, 1.25, 10)],
  [/^o4-mini|^o3-mini/, 200_000, price(1.1, 0.55, 4.4)],
  [/^o3(?!-pro)/, 200_000, price(2, 0.5, 8)],
  [/^gpt-oss/, 131_072, null],
  [/^claude-(opus-4[.-][5-9])/, 200_000, price(5, 0.5, 25)],
  [/^claude-(opus-4|4-opus|3-opus)/, 200_000, price(15, 1.5, 75)],
  [/^claude-(sonnet|3[.-][57]-sonnet|4-sonnet)/, 200_000, price(3, 0.3, 15)],
  [/^claude-(haiku-4)/, 200_000, price(1, 0.1, 5)],
  [/^claude-3[.-]5-haiku/, 200_000, price(0.8, 0.08, 4)],
  [/^claude/, 200_000, null],
  [/^gemini-3(\.\d+)?-pro/, 1_048_576, price(2, 0.2, 12)],
  [/^gemini-3(\.\d+)?-flash/, 1_048_576, price(0.5, 0.05, 3)],
  [/^gemini-2\.5-pro/, 1_048_576, price(1.25, 0.125, 10)],
  [/^gemini-2\.5-flash-lite/, 1_048_576, price(0.1, 0.01, 0.4)],
  [/^gemini-2\.5-flash/, 1_048_576, price(0.3, 0.03, 2.5)],
  [/^gemini/, 1_048_576, null],
  [/^glm-4\.5-air/, 131_072, price(0.2, 0.03, 1.1)],
  [/^glm-4\.[5-7]-?v?-?flash/, 131_072, price(0, 0, 0)],
  [/^glm-4\.5/, 131_072, price(0.6, 0.11, 2.2)],
  [/^glm-4\.[67]/, 200_000, price(0.6, 0.11, 2.2)],
  [/^glm/, 128_000, null],
  [/^kimi-k2(-\d+)?-(thinking-)?turbo/, 262_144, price(1.15, 0.15, 8)],
  [/^kimi-k2(?!\.)/, 262_144, price(0.6, 0.15, 2.5)],
  [/^kimi/, 262_144, null],
  [/^minimax-m2/, 204_800, price(0.3, 0.03, 1.2)],
  [/^deepseek-(chat|reasoner|v3\.2)/, 128_000, price(0.28, 0.028, 0.42)],
  [/^deepseek/, 128_000, null],
  [/^grok-(4(\.\d+)?-fast|4-1-fast)/, 2_000_000, price(0.2, 0.05, 0.5)],
  [/^grok-4/, 256_000, price(3, 0.75, 15)],
  [/^hermes-4-405b/, 131_072, price(1, 1, 3)],
  [/^hermes-4-70b/, 131_072, price(0.13, 0.13, 0.4)],
  [/^hermes-[34]/, 131_072, null],
  [/^qwen3-(coder|max|next)/, 262_144, null],
  [/^qwen/, 131_072, null],
  [/^(llama-?[34]|mistral|devstral|magistral|codestral)/, 131_072, null],
];

const free: ModelPrice = price(0, 0, 0);

/** Facts of a well-known model, or null. `anthropic/claude-sonnet-4.5:beta` and `claude-sonnet-4-5-20250929` are one. */
export function modelFacts(name: string): ModelFacts | null {
  const plain = name.toLowerCase().slice(name.lastIndexOf('/') + 1);
  const [base = '', variant] = plain.split(':');
  const row = rows.find(([pattern]) => pattern.test(base));
  if (row === undefined) return null;
  return { contextTokens: row[1], price: variant === 'free' ? free : row[2] };
}

/** What a person has configured; each wins over the catalogue. */
export interface PriceOverrides {
  readonly inputUsdPerMillion?: number | null;
  readonly outputUsdPerMillion?: number | null;
}

/**
 * What a request cost: what the provider says, else by the given prices, else by the catalogue. `known` is false where all
 * are silent, and the cost 0. Pure.
 */
export function costOf(
  usage: ModelUsage,
  model: string,
  overrides: PriceOverrides = {},
): { readonly costUsd: number; readonly known: boolean } {
  if (usage.costUsd !== undefined) return { costUsd: usage.costUsd, known: true };
  const listed = modelFacts(model)?.price ?? null;
  const inputUsd = overrides.inputUsdPerMillion ?? listed?.inputUsd;
  const outputUsd = overrides.outputUsdPerMillion ?? listed?.outputUsd;
  if (inputUsd === undefined || outputUsd === undefined) return { costUsd: 0, known: false };
  // A price somebody set by hand says nothing of a discount.
  const cachedUsd = overrides.inputUsdPerMillion == null ? (listed?.cachedInputUsd ?? inputUsd) : inputUsd;
  const fresh = usage.inputTokens - usage.cachedInputTokens;
  const costUsd = (fresh * inputUsd + usage.cachedInputTokens * cachedUsd + usage.outputTokens * outputUsd) / 1_000_000;
  return { costUsd, known: true };
}

import { describe, expect, it } from 'vitest';
import { providerIds } from '../../../src/domain/model-providers.ts';
import { costOf, modelFacts } from '../../../src/models/catalogue.ts';
import { createProvider, providerEntry } from '../../../src/models/registry.ts';

describe('the registry of providers', () => {
  it('names what there is where an id is unknown', () => {
    expect(() => providerEntry('opnai')).toThrow(/no provider opnai.*openai, openrouter/);
  });

  it.each(providerIds)('makes a provider of %s', (id) => {
    const entry = providerEntry(id);
    expect(createProvider(entry, { baseUrl: entry.baseUrl ?? 'http://127.0.0.1:1/v1', apiKey: 'k-test' }).id).toBe(id);
  });

  it('says which key or address is missing', () => {
    expect(() => createProvider(providerEntry('openrouter'), {})).toThrow(/OPENROUTER_API_KEY/);
    expect(() => createProvider(providerEntry('custom'), {})).toThrow(/model\.baseUrl/);
  });

  it('wants no key for a server of this machine', () => {
    expect(createProvider(providerEntry('ollama'), {}).id).toBe('ollama');
  });
});

describe('the catalogue', () => {
  it.each([
    ['gpt-5', 400_000, 1.25],
    ['gpt-5-2025-08-07', 400_000, 1.25],
    ['gpt-5-mini', 400_000, 0.25],
    ['gpt-5.1', 400_000, 1.25],
    ['gpt-5.2', 400_000, 1.75],
    ['openai/gpt-4o-mini', 128_000, 0.15],
    ['anthropic/claude-sonnet-4.5:beta', 200_000, 3],
    ['claude-sonnet-4-5-20250929', 200_000, 3],
    ['claude-opus-4-1', 200_000, 15],
    ['claude-opus-4.5', 200_000, 5],
    ['google/gemini-2.5-pro', 1_048_576, 1.25],
    ['z-ai/glm-4.6', 200_000, 0.6],
    ['moonshotai/kimi-k2-0905', 262_144, 0.6],
    ['kimi-k2-turbo-preview', 262_144, 1.15],
    ['MiniMax-M2', 204_800, 0.3],
    ['Hermes-4-405B', 131_072, 1],
    ['deepseek/deepseek-chat:free', 128_000, 0],
    ['qwen3:8b', 131_072, undefined],
  ])('knows %s', (name, contextTokens, inputUsd) => {
    const facts = modelFacts(name);
    expect(facts?.contextTokens).toBe(contextTokens);
    expect(facts?.price?.inputUsd).toBe(inputUsd);
  });

  it('says that it does not know others', () => {
    expect(modelFacts('my-own-finetune')).toBeNull();
  });
});

describe('the cost of a request', () => {
  const usage = { inputTokens: 1_000_000, outputTokens: 100_000, cachedInputTokens: 400_000 };

  it('is what the provider says, before all', () => {
    expect(costOf({ ...usage, costUsd: 0.5 }, 'gpt-5', { inputUsdPerMillion: 99 })).toEqual({
      costUsd: 0.5,
      known: true,
    });
  });

  it('counts cached input at its own price', () => {
    // 600,000 at 1.25, 400,000 at 0.125, 100,000 at 10 dollars a million.
    expect(costOf(usage, 'gpt-5').costUsd).toBeCloseTo(0.75 + 0.05 + 1, 9);
  });

  it('follows prices that are set by hand', () => {
    const cost = costOf(usage, 'my-own-finetune', { inputUsdPerMillion: 2, outputUsdPerMillion: 10 });
    expect(cost).toEqual({ costUsd: 3, known: true });
    expect(costOf(usage, 'gpt-5', { inputUsdPerMillion: 0, outputUsdPerMillion: 0 })).toEqual({
      costUsd: 0,
      known: true,
    });
  });

  it('is 0 and unknown for an unknown model', () => {
    expect(costOf(usage, 'my-own-finetune')).toEqual({ costUsd: 0, known: false });
    expect(costOf(usage, 'my-own-finetune', { inputUsdPerMillion: 2 })).toEqual({ costUsd: 0, known: false });
  });
});

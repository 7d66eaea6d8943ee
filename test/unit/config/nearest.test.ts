import { describe, expect, it } from 'vitest';
import { editDistance, nearest } from '../../../src/config/nearest.ts';
import { suggestKey } from '../../../src/config/schema.ts';

describe('the nearest word', () => {
  it.each([
    ['opnai', 'openai'],
    ['open-ai', 'openai'],
    ['OPENROUTER', 'openrouter'],
    ['opernouter', 'openrouter'],
  ])('for %s is %s', (word, meant) => {
    expect(nearest(word, ['demo', 'openai', 'openrouter', 'ollama'])).toBe(meant);
  });

  it('is none when nothing is close', () => {
    expect(nearest('telegraph', ['demo', 'openai'])).toBeNull();
    expect(nearest('', ['ask', 'deny'])).toBeNull();
  });

  it.each([
    ['model.base_url', 'model.baseUrl'],
    ['baseUrl', 'model.baseUrl'],
    ['models.name', 'model.name'],
    ['maxStepsPerTurn', 'agent.maxStepsPerTurn'],
    ['agent.max_steps', 'agent.maxStepsPerTurn'],
    ['terminal.backnd', 'terminal.backend'],
    ['service.busyMode', 'conversation.busyMode'],
    ['providers.openai.api_key', 'providers.openai.apiKey'],
    ['providers.opnai.apiKey', 'providers.openai.apiKey'],
  ])('for the key %s is %s', (word, meant) => {
    expect(suggestKey(word)).toBe(meant);
  });

  it('counts a swap of two letters as one slip', () => {
    expect(editDistance('modle', 'model')).toBe(1);
    expect(editDistance('', 'abc')).toBe(3);
    expect(editDistance('kitten', 'sitting')).toBe(3);
  });
});

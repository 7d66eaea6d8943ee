import { describe, expect, it } from 'vitest';
import { loadConfig, type LoadedConfig } from '../../../src/config/load.ts';
import { chooseModel, providerAccess, type ModelChoice } from '../../../src/config/model-choice.ts';
import { parseModelRef } from '../../../src/config/model-ref.ts';
import { providerTable } from '../../../src/domain/model-providers.ts';
import { Secret } from '../../../src/config/secret.ts';
import { switchModel } from '../../../src/config/switch-model.ts';
import { changeConfig } from '../../../src/config/write.ts';
import { tempHome } from './temp-home.ts';

const load = (config: string, env: Record<string, string> = {}): LoadedConfig =>
  loadConfig({ home: tempHome({ config }).home, env });
const choose = (config: string, env: Record<string, string> = {}): ModelChoice =>
  chooseModel(load(config, env).config, env);

describe('the model that answers', () => {
  it('is what the configuration says, whatever keys lie around', () => {
    const env = { OPENAI_API_KEY: 'openai-key', OPENROUTER_API_KEY: 'router-key' };
    expect(choose('model: { provider: openrouter, name: a/b }\n', env)).toMatchObject({
      provider: 'openrouter',
      name: 'a/b',
      baseUrl: 'https://openrouter.ai/api/v1',
      apiKeyFrom: 'OPENROUTER_API_KEY',
      how: 'config',
    });
  });

  it('is the first provider in the order of the table whose key is in the environment', () => {
    const keyed = providerTable.filter(({ needsKey }) => needsKey);
    const env = Object.fromEntries(keyed.map(({ keyEnv }) => [keyEnv[0] ?? '', 'k-value']));
    for (const { id, keyEnv, defaultModel } of keyed) {
      expect(choose('', env)).toMatchObject({
        provider: id,
        name: defaultModel,
        how: 'environment',
        apiKeyFrom: keyEnv[0],
      });
      env[keyEnv[0] ?? ''] = ' ';
    }
    expect(choose('', env)).toMatchObject({ provider: 'demo', how: 'demo', apiKey: null });
  });

  it('is another address where only that is given', () => {
    expect(choose('model: { baseUrl: "http://127.0.0.1:1/v1", name: x }\n', { OPENAI_API_KEY: 'k' })).toMatchObject({
      provider: 'custom',
      baseUrl: 'http://127.0.0.1:1/v1',
      apiKey: null,
      how: 'config',
    });
  });

  it('of a local server is used only when chosen', () => {
    expect(choose('providers: { ollama: { baseUrl: "http://127.0.0.1:11434/v1" } }\n').provider).toBe('demo');
    expect(choose('model: { provider: ollama }\n')).toMatchObject({ provider: 'ollama', name: null });
  });
});

describe('a key', () => {
  const config = 'model: { provider: openai, apiKey: chosen-key, baseUrl: "http://127.0.0.1:1/v1" }\n';

  it('and an address go to the provider they were given for and to no other', () => {
    const loaded = load(config);
    expect(providerAccess('openai', loaded.config, {})).toMatchObject({
      baseUrl: 'http://127.0.0.1:1/v1',
      apiKeyFrom: 'model.apiKey',
    });
    for (const { id, baseUrl } of providerTable.filter((entry) => entry.id !== 'openai')) {
      expect(providerAccess(id, loaded.config, {})).toEqual({ baseUrl, apiKey: null, apiKeyFrom: null });
    }
  });

  it('in providers.<id> is stronger than the variable the provider names', () => {
    const loaded = load('providers: { zai: { apiKey: from-file } }\n');
    const access = providerAccess('zai', loaded.config, { GLM_API_KEY: 'from-env' });
    expect([access.apiKeyFrom, access.apiKey?.reveal()]).toEqual(['providers.zai.apiKey', 'from-file']);
  });

  it('without a provider is told', () => {
    expect(load('', { HERMES_MODEL_API_KEY: 'whose-is-it' }).problems).toMatchObject([
      { kind: 'incomplete', severity: 'warning', key: 'model.apiKey' },
    ]);
  });
});

describe('a model as people write it', () => {
  it.each([
    ['openrouter:vendor/name:free', 'openrouter', 'vendor/name:free'],
    ['ollama:llama3:8b', 'ollama', 'llama3:8b'],
    ['llama3:8b', null, 'llama3:8b'],
    ['gpt-5', null, 'gpt-5'],
    ['zai', 'zai', null],
    ['zai:', 'zai', null],
  ])('%s', (ref, provider, name) => {
    expect(parseModelRef(ref)).toEqual({ ok: true, provider, name });
  });

  it.each([
    ['opnai:gpt-5', 'openai:gpt-5'],
    ['OpenAI:gpt-5', 'openai:gpt-5'],
    ['', null],
    [':x', null],
    ['two words', null],
  ])('%j is refused', (ref, suggestion) => {
    expect(parseModelRef(ref)).toMatchObject({ ok: false, suggestion });
  });
});

describe('switching the provider', () => {
  it('there and back loses neither key nor address', async () => {
    const { home } = tempHome({
      config: 'model: { provider: openai, name: a, baseUrl: "http://127.0.0.1:1/v1" }\n',
      secrets: 'model: { apiKey: openai-key-1 }\n',
    });
    const place = { home, env: {} };
    await changeConfig(
      place,
      switchModel(loadConfig(place), { provider: 'zai', name: 'b', apiKey: new Secret('zai-key-22') }),
    );
    expect(chooseModel(loadConfig(place).config, {})).toMatchObject({
      provider: 'zai',
      name: 'b',
      baseUrl: 'https://api.z.ai/api/paas/v4',
    });
    expect(chooseModel(loadConfig(place).config, {}).apiKey?.reveal()).toBe('zai-key-22');

    await changeConfig(place, switchModel(loadConfig(place), { provider: 'openai', name: null }));
    const back = chooseModel(loadConfig(place).config, {});
    expect(back).toMatchObject({ provider: 'openai', name: 'gpt-5-mini', baseUrl: 'http://127.0.0.1:1/v1' });
    expect(back.apiKey?.reveal()).toBe('openai-key-1');
  });

  it('a new key for the same provider replaces the one in force', async () => {
    const { home } = tempHome({ config: 'model: { provider: openai }\n', secrets: 'model: { apiKey: old-key-1 }\n' });
    const place = { home, env: {} };
    await changeConfig(
      place,
      switchModel(loadConfig(place), { provider: 'openai', name: null, apiKey: new Secret('new-key-2') }),
    );
    expect(chooseModel(loadConfig(place).config, {}).apiKey?.reveal()).toBe('new-key-2');
  });

  it('writes nothing that came from the environment', () => {
    const env = { HERMES_MODEL_API_KEY: 'env-key-1', HERMES_MODEL_PROVIDER: 'openai' };
    expect(JSON.stringify(switchModel(load('', env), { provider: 'zai', name: 'b' }))).not.toContain('env-key-1');
  });
});

import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { mask, Secret } from '../../../src/config/secret.ts';
import { maskSecrets, secretValues } from '../../../src/config/secret-values.ts';
import { tempHome } from './temp-home.ts';

const key = 'sk-abcdefghijklmnop1234';

describe('a secret', () => {
  it('shows its last four characters in text, JSON, logs and inside other values', () => {
    const secret = new Secret(key);
    expect(String(secret)).toBe('****1234');
    expect('key ' + secret.toString()).toBe('key ****1234');
    expect(JSON.stringify({ a: [secret] })).toBe('{"a":["****1234"]}');
    expect(inspect({ deep: { secret } }, { depth: 9, showHidden: true })).not.toContain('abcdef');
    expect(Object.keys(secret)).toEqual([]);
    expect(secret.reveal()).toBe(key);
  });

  it('shows nothing of a short value', () => {
    expect(mask('hunter2')).toBe('****');
    expect(mask('elevenchars')).toBe('****');
    expect(mask('twelve-chars')).toBe('****hars');
  });
});

describe('secret values', () => {
  it('come from the configuration and from variables with secret names, longest first', () => {
    const { home } = tempHome({ secrets: `model: { apiKey: ${key} }\nproviders: { zai: { apiKey: zai-key-1 } }\n` });
    const env = {
      GITHUB_TOKEN: 'ghp_token_value_0123456789',
      AWS_SECRET_ACCESS_KEY: 'aws-secret-9',
      MYAPP_PASSWORD: 'pass word',
      DATABASE_URL: 'postgres://ada:p%40ss-word@db/x',
      OPENAI_API_KEY: 'zai-key-1',
    };
    const { config } = loadConfig({ home, env });
    expect(secretValues(config, env)).toEqual([
      'ghp_token_value_0123456789',
      key,
      'aws-secret-9',
      'p@ss-word',
      'pass word',
      'zai-key-1',
    ]);
  });

  it('leave out what names a secret without being one, and what is too short to look for', () => {
    const { config } = loadConfig({ home: tempHome().home, env: {} });
    const env = {
      HERMES_API_TOKEN_FILE: '/somewhere/api-token-file',
      SSH_AUTH_SOCK: '/tmp/agent.sock.1',
      USE_TOKEN: 'true',
      MAX_TOKENS: '128000'.slice(0, 5),
      PASSWORD: 'abc',
      PWD: '/some/where/long',
      HOME: '/home/somebody',
    };
    expect(secretValues(config, env)).toEqual([]);
  });

  it('are masked in the printable configuration', () => {
    const { home } = tempHome({ secrets: `model: { apiKey: ${key} }\n` });
    const printable = maskSecrets(loadConfig({ home, env: {} }).config);
    expect(JSON.stringify(printable)).not.toContain(key);
    expect(printable).toMatchObject({ model: { apiKey: '****1234', requestTimeoutMs: 600_000 } });
  });
});

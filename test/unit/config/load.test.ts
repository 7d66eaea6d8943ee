import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeProblem, hasErrors, loadConfig } from '../../../src/config/load.ts';
import { allSettings } from '../../../src/config/schema.ts';
import { Secret } from '../../../src/config/secret.ts';
import { tempHome } from './temp-home.ts';

const load = (config: string, env: Record<string, string> = {}): ReturnType<typeof loadConfig> =>
  loadConfig({ home: tempHome({ config }).home, env });
const lines = (problems: ReturnType<typeof loadConfig>['problems']): [number | null, string | null, string | null][] =>
  problems.map(({ line, key, suggestion }) => [line, key, suggestion]);

describe('without any file', () => {
  it('every key has its default and nothing is wrong', () => {
    const { config, problems, sources } = loadConfig({ home: tempHome().home, env: {} });
    expect(problems).toEqual([]);
    expect(config.agent.maxStepsPerTurn).toBe(90);
    expect(config.conversation.busyMode).toBe('steer');
    expect(config.model.provider).toBeNull();
    expect(config.providers).toEqual({});
    expect(sources.get('api.port')).toEqual({ from: 'default' });
  });

  it('a home folder that is not there counts as empty', () => {
    expect(loadConfig({ home: '/nowhere/at/all', env: {} }).problems).toEqual([]);
  });

  it('every default is itself a valid value', () => {
    for (const { key, setting } of allSettings()) {
      expect([key, setting.schema.safeParse(setting.default).success]).toEqual([key, true]);
    }
  });

  it('the result cannot be changed', () => {
    const { config } = loadConfig({ home: tempHome().home, env: {} });
    expect(() => Object.assign(config.agent, { name: 'x' })).toThrow(TypeError);
    expect(() => (config.terminal.envPassthrough as string[]).push('x')).toThrow(TypeError);
  });
});

describe('precedence', () => {
  it('is environment, then file, then default', () => {
    const { config, sources } = load('agent:\n  name: File\n  maxStepsPerTurn: 5\n', { HERMES_AGENT_NAME: 'Env' });
    expect([config.agent.name, config.agent.maxStepsPerTurn, config.web.maxRedirects]).toEqual(['Env', 5, 5]);
    expect(sources.get('agent.name')).toEqual({ from: 'env', name: 'HERMES_AGENT_NAME' });
    expect(sources.get('agent.maxStepsPerTurn')).toMatchObject({ from: 'file', line: 3 });
    expect(sources.get('web.maxRedirects')).toEqual({ from: 'default' });
  });

  it('puts our own variable before the one others use', () => {
    const env = { TEMPORAL_ADDRESS: 'theirs:7233', TEMPORAL_API_KEY: 'cloud-key' };
    expect(load('', env).config.temporal.address).toBe('theirs:7233');
    expect(load('', env).config.temporal.apiKey?.reveal()).toBe('cloud-key');
    expect(load('', { ...env, HERMES_TEMPORAL_ADDRESS: 'ours:7233' }).config.temporal.address).toBe('ours:7233');
  });

  it('an empty variable says nothing', () => {
    expect(load('agent: { name: File }\n', { HERMES_AGENT_NAME: ' ' }).config.agent.name).toBe('File');
  });

  it('secrets.yaml is stronger than a secret in config.yaml, which is told to move', () => {
    const { home } = tempHome({
      config: 'model:\n  apiKey: from-config-1\n  provider: openai\n',
      secrets: 'model: { apiKey: from-secrets-1 }\n',
    });
    const { config, problems } = loadConfig({ home, env: {} });
    expect(config.model.apiKey?.reveal()).toBe('from-secrets-1');
    expect(problems).toMatchObject([{ kind: 'misplaced', severity: 'warning', line: 2, key: 'model.apiKey' }]);
    expect(JSON.stringify(problems)).not.toContain('from-');
  });
});

describe('variables', () => {
  it.each([
    ['HERMES_MODEL_BASE_URL', 'http://127.0.0.1:1/v1', 'model', 'baseUrl', 'http://127.0.0.1:1/v1'],
    ['HERMES_TERMINAL_ENV_PASSTHROUGH', 'A, B_2 ,', 'terminal', 'envPassthrough', ['A', 'B_2']],
    ['HERMES_TERMINAL_ENV_PASSTHROUGH', '["A","B"]', 'terminal', 'envPassthrough', ['A', 'B']],
    ['HERMES_MODEL_FALLBACK', 'openrouter:a/b:free,ollama:c', 'model', 'fallback', ['openrouter:a/b:free', 'ollama:c']],
    ['HERMES_AGENT_MAX_COST_PER_DAY_USD', '2.5', 'agent', 'maxCostPerDayUsd', 2.5],
    ['HERMES_AGENT_MAX_COST_PER_DAY_USD', 'null', 'agent', 'maxCostPerDayUsd', null],
    ['HERMES_SERVICE_SPLIT', 'true', 'service', 'split', true],
    ['HERMES_MODEL_NAME', '4.10', 'model', 'name', '4.10'],
  ] as const)('%s=%s', (name, value, section, key, expected) => {
    const { config, problems } = load('', { [name]: value });
    expect(problems).toEqual([]);
    expect((config[section] as Record<string, unknown>)[key]).toEqual(expected);
  });

  it('of a further provider give it a key', () => {
    const { config } = load('', { HERMES_PROVIDERS_ZAI_API_KEY: 'k-1' });
    expect(config.providers.zai?.apiKey?.reveal()).toBe('k-1');
    expect(config.providers.zai?.baseUrl).toBeNull();
  });

  it('with an invalid value leave the weaker value in force and are reported', () => {
    const { config, problems } = load('api: { port: 9000 }\n', { HERMES_API_PORT: '99999' });
    expect(config.api.port).toBe(9000);
    expect(problems).toMatchObject([{ where: 'environment', key: 'HERMES_API_PORT', suggestion: '65535' }]);
  });

  it('that set nothing are a warning with the nearest name; those of others are left alone', () => {
    const { problems } = load('', { HERMES_MODEL_NAM: 'x', HERMES_DEBUG: '1', MODEL_NAME: 'y' });
    expect(problems).toMatchObject([{ severity: 'warning', key: 'HERMES_MODEL_NAM', suggestion: 'HERMES_MODEL_NAME' }]);
  });
});

describe('everything that is wrong is reported at once, with its line', () => {
  it('for unknown keys, wrong values and wrong shapes', () => {
    const { problems, config } = load(
      [
        'model:',
        '  provider: opnai',
        '  base_url: http://x/v1',
        '  name: 4.10',
        'agent:',
        '  maxStepsPerTurn: "90"',
        '  maxTokensPerTurn: 5_000_000',
        'web:',
        '  timeoutMs: 30s',
        '  allowPrivateAddresses: yes',
        'terminal: [local]',
        'approvals.mode: off',
        'api:',
        '  port: 70000',
        '  allowedHosts: a, b',
        'modle: {}',
        'conversation:',
        '  busyMode: que',
        '  idleCompleteMinutes: soon',
      ].join('\n'),
    );
    expect(lines(problems).sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0))).toEqual([
      [2, 'model.provider', 'openai'],
      [3, 'model.base_url', 'model.baseUrl'],
      [4, 'model.name', '"4.10"'],
      [6, 'agent.maxStepsPerTurn', '90'],
      [7, 'agent.maxTokensPerTurn', '5000000'],
      [9, 'web.timeoutMs', '30000'],
      [10, 'web.allowPrivateAddresses', 'true'],
      [11, 'terminal', null],
      [12, 'approvals.mode', null],
      [14, 'api.port', '65535'],
      [15, 'api.allowedHosts', '["a","b"]'],
      [16, 'modle', 'model'],
      [18, 'conversation.busyMode', 'queue'],
      [19, 'conversation.idleCompleteMinutes', null],
    ]);
    expect(hasErrors(problems)).toBe(true);
    expect(config.web.timeoutMs).toBe(30_000);
  });

  it('says where, what and what was meant in one line', () => {
    const { home, configFile } = tempHome({ config: 'agent:\n  maxStepsPerTurn: 0\n' });
    expect(loadConfig({ home, env: {} }).problems.map(describeProblem)).toEqual([
      `${configFile}:2: agent.maxStepsPerTurn takes a whole number, 1 to 10000, found 0 (did you mean 1?)`,
    ]);
  });

  it('never repeats the value of a secret', () => {
    const { home } = tempHome({
      secrets: 'model:\n  apiKey: 12345678901234\nproviders: { zai: { apiKey: [hush-hush] } }\n',
    });
    const { problems } = loadConfig({ home, env: { HERMES_TEMPORAL_API_KEY: 'two\nlines-of-secret' } });
    expect(problems.map(({ key }) => key)).toEqual(['model.apiKey', 'HERMES_TEMPORAL_API_KEY', 'providers.zai.apiKey']);
    expect(JSON.stringify(problems)).not.toMatch(/1234567|hush|lines-of/);
  });

  it('for values that do not go together', () => {
    const { problems } = load(
      'model: { provider: custom }\nterminal: { commandTimeoutMs: 5000, maxCommandTimeoutMs: 4000 }\n' +
        'temporal: { port: 8642, tlsKeyFile: ~/k.pem }\n',
      { HOME: '/home/ada' },
    );
    expect(problems.map(({ kind, key, line }) => [kind, key, line])).toEqual([
      ['incomplete', 'model.provider', 1],
      ['contradiction', 'terminal.commandTimeoutMs', 2],
      ['incomplete', 'temporal.tlsKeyFile', 3],
      ['contradiction', 'api.port', null],
    ]);
  });
});

describe('YAML as people write it', () => {
  it('broken YAML is named with its line and nothing of that file is used', () => {
    const { config, problems } = load('agent:\n  name: Ada\n  maxStepsPerTurn: 3\n bad: [1\n');
    expect(problems[0]).toMatchObject({ kind: 'syntax', severity: 'error', line: 4 });
    expect(config.agent.name).toBe('Hermes');
  });

  it('a key given twice is named with its line', () => {
    expect(load('agent:\n  name: A\n  name: B\n').problems).toMatchObject([{ kind: 'syntax', line: 3 }]);
  });

  it('reads CRLF, a byte order mark, unicode, several lines and aliases', () => {
    const { config, problems } = load(
      '\uFEFFagent:\r\n  name: Ада 🦉\r\n  instructions: |\r\n    one\r\n    zwei é\r\nmodel: &m\r\n  name: x\r\n',
    );
    expect(problems).toEqual([]);
    expect(config.agent.name).toBe('Ада 🦉');
    expect(config.agent.instructions).toBe('one\nzwei é');
    expect(load('agent: { name: &n Nora }\nmodel: { name: *n }\n').config.model.name).toBe('Nora');
  });

  it('a key or section without a value counts as not set', () => {
    const { config, problems, sources } = load('# nothing yet\nagent:\n  name:\nmodel:\napprovals: {}\n');
    expect(problems).toEqual([]);
    expect(config.agent.name).toBe('Hermes');
    expect(sources.get('agent.name')).toEqual({ from: 'default' });
    expect(load('').problems).toEqual([]);
    expect(load('# only words\n').problems).toEqual([]);
  });

  it('off stays a word', () => {
    expect(load('approvals: { mode: off }\n').config.approvals.mode).toBe('off');
  });

  it('a file that is a list or text is refused', () => {
    expect(load('- a\n- b\n').problems).toMatchObject([{ line: 1, severity: 'error' }]);
    expect(load('hello\n').problems).toMatchObject([{ line: 1, severity: 'error' }]);
  });

  it('a leading ~ in a path of this machine is the home of the person', () => {
    const { config } = load('temporal: { tlsCertFile: ~/c.pem, tlsKeyFile: /k.pem }\n', { HOME: '/home/ada' });
    expect([config.temporal.tlsCertFile, config.temporal.tlsKeyFile]).toEqual(['/home/ada/c.pem', '/k.pem']);
    expect(load('temporal: { tlsCertFile: c.pem }\n').problems).toMatchObject([{ key: 'temporal.tlsCertFile' }]);
  });
});

describe('the secrets file', () => {
  it.each([0o644, 0o640, 0o602])('of mode %o is not used, and says what to do', (mode) => {
    const { home, secretsFile } = tempHome({ secrets: 'model: { apiKey: abc-123 }\n' });
    chmodSync(secretsFile, mode);
    const { config, problems } = loadConfig({ home, env: {} });
    expect(config.model.apiKey).toBeNull();
    expect(problems).toMatchObject([{ kind: 'file', severity: 'error' }]);
    expect(problems[0]?.message).toContain(`chmod 600 "${secretsFile}"`);
  });

  it.each([0o600, 0o400])('of mode %o is used', (mode) => {
    const { home, secretsFile } = tempHome({ secrets: 'providers: { zai: { apiKey: abc-123 } }\n' });
    chmodSync(secretsFile, mode);
    const { config, problems } = loadConfig({ home, env: {} });
    expect(problems).toEqual([]);
    expect(config.providers.zai?.apiKey).toBeInstanceOf(Secret);
  });

  it('that cannot be read is a problem, not an exception', () => {
    const { home, configFile } = tempHome();
    mkdirSync(configFile);
    expect(loadConfig({ home, env: {} }).problems).toMatchObject([{ kind: 'file', where: join(home, 'config.yaml') }]);
  });
});

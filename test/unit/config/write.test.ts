import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { changeConfig, ConfigRefused, type Change } from '../../../src/config/write.ts';
import { tempHome } from './temp-home.ts';

const set = (
  home: string,
  changes: Record<string, string | null>,
  env: Record<string, string> = {},
): ReturnType<typeof changeConfig> =>
  changeConfig(
    { home, env },
    Object.entries(changes).map(([key, value]): Change => ({ key, value })),
  );

async function refusal(attempt: Promise<unknown>): Promise<ConfigRefused> {
  const error: unknown = await attempt.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConfigRefused)) throw new Error(`not refused: ${String(error)}`);
  return error;
}

describe('setting keys', () => {
  it('makes the home folder and the file, and leaves nothing else behind', async () => {
    const home = join(tempHome().home, 'new', 'place');
    const { files } = await set(home, { 'agent.name': 'Ада 🦉' });
    expect(files).toEqual([join(home, 'config.yaml')]);
    expect(loadConfig({ home, env: {} }).config.agent.name).toBe('Ада 🦉');
    expect(readdirSync(home)).toEqual(['config.yaml']);
    expect(statSync(home).mode & 0o777).toBe(0o700);
  });

  it('keeps comments, order and line ends', async () => {
    const config = '# mine\r\nweb:\r\n  timeoutMs: 1000 # short\r\nagent:\r\n  name: A\r\n';
    const { home, configFile } = tempHome({ config });
    await set(home, { 'web.timeoutMs': '2000', 'agent.maxStepsPerTurn': '7' });
    expect(readFileSync(configFile, 'utf8')).toBe(`${config.replace('1000', '2000')}  maxStepsPerTurn: 7\r\n`);
  });

  it('writes values with their type', async () => {
    const { home, configFile } = tempHome();
    await set(home, {
      'agent.maxCostPerDayUsd': '2.5',
      'web.allowPrivateAddresses': 'true',
      'model.name': '4.10',
      'terminal.envPassthrough': 'A,B',
      'agent.instructions': 'one\ntwo',
    });
    expect(loadConfig({ home, env: {} })).toMatchObject({
      problems: [],
      config: { agent: { maxCostPerDayUsd: 2.5, instructions: 'one\ntwo' }, model: { name: '4.10' } },
    });
    expect(readFileSync(configFile, 'utf8')).toContain('name: "4.10"');
  });

  it('puts secrets into secrets.yaml of mode 0600 and takes them out of config.yaml', async () => {
    const { home, configFile, secretsFile } = tempHome({
      config: 'model:\n  apiKey: old-key-1 # mine\n  provider: openai\n  name: x\n',
    });
    const { files } = await set(home, {
      'model.apiKey': 'new-key-2',
      'providers.zai.apiKey': 'zai-key-3',
      'model.name': 'y',
    });
    expect(files).toEqual([secretsFile, configFile]);
    expect(readFileSync(configFile, 'utf8')).toBe('model:\n  provider: openai\n  name: y\n');
    expect(statSync(secretsFile).mode & 0o777).toBe(0o600);
    const { config, problems } = loadConfig({ home, env: {} });
    expect(problems).toEqual([]);
    expect([config.model.apiKey?.reveal(), config.providers.zai?.apiKey?.reveal()]).toEqual(['new-key-2', 'zai-key-3']);
  });

  it('of what already stands there changes no file', async () => {
    const { home } = tempHome({ config: 'agent:\n  name: A\n' });
    expect((await set(home, { 'agent.name': 'A', 'web.timeoutMs': null })).files).toEqual([]);
  });

  it('follows a link and keeps the mode of the file', async () => {
    const { home, configFile } = tempHome();
    mkdirSync(join(home, 'dotfiles'));
    const real = join(home, 'dotfiles', 'hermes.yaml');
    writeFileSync(real, 'agent:\n  name: A\n');
    chmodSync(real, 0o644);
    symlinkSync(real, configFile);
    await set(home, { 'agent.name': 'B' });
    expect(lstatSync(configFile).isSymbolicLink()).toBe(true);
    expect(readFileSync(real, 'utf8')).toBe('agent:\n  name: B\n');
    expect(statSync(real).mode & 0o777).toBe(0o644);
  });

  it('says when a variable is stronger, and what a value needs besides', async () => {
    const { home } = tempHome();
    const named = await set(home, { 'model.name': 'x' }, { HERMES_MODEL_NAME: 'y' });
    expect(named.notices).toMatchObject([{ kind: 'overridden', key: 'model.name' }]);
    const custom = await set(home, { 'model.provider': 'custom' });
    expect(custom.notices).toMatchObject([{ kind: 'incomplete', key: 'model.provider' }]);
    expect((await set(home, { 'model.baseUrl': 'http://127.0.0.1:1/v1' })).notices).toEqual([]);
  });
});

describe('taking keys out', () => {
  it('removes them from whichever file they stand in', async () => {
    const { home, configFile, secretsFile } = tempHome({
      config: '# c\nagent:\n  name: A\n  maxStepsPerTurn: 3\n',
      secrets: 'model:\n  apiKey: key-1-abc\n',
    });
    await set(home, { 'agent.name': null, 'model.apiKey': null });
    expect(readFileSync(configFile, 'utf8')).toBe('# c\nagent:\n  maxStepsPerTurn: 3\n');
    expect(readFileSync(secretsFile, 'utf8')).not.toContain('key-1');
  });
});

describe('a change is refused and nothing is written', () => {
  it('for unknown keys and invalid values, all named at once with what was meant', async () => {
    const { home, configFile } = tempHome();
    const { problems, message } = await refusal(
      set(home, {
        'agent.name': 'fine',
        'modle.name': 'x',
        'agent.maxStepsPerTurn': 'many',
        'model.provider': 'opnai',
      }),
    );
    expect(problems.map(({ key, suggestion }) => [key, suggestion])).toEqual([
      ['modle.name', 'model.name'],
      ['agent.maxStepsPerTurn', null],
      ['model.provider', 'openai'],
    ]);
    expect(message).toContain('did you mean openai?');
    expect(existsSync(configFile)).toBe(false);
  });

  it('for a value that contradicts another', async () => {
    const { home } = tempHome({ config: 'terminal: { maxCommandTimeoutMs: 5000, commandTimeoutMs: 4000 }\n' });
    const { problems } = await refusal(set(home, { 'terminal.commandTimeoutMs': '6000' }));
    expect(problems).toMatchObject([{ kind: 'contradiction' }]);
    await set(home, { 'terminal.commandTimeoutMs': '6000', 'terminal.maxCommandTimeoutMs': '7000' });
    expect(loadConfig({ home, env: {} }).config.terminal.commandTimeoutMs).toBe(6000);
  });

  it('without repeating a secret', async () => {
    const { home } = tempHome();
    const { message } = await refusal(set(home, { 'model.apiKey': 'two\nlines-of-it' }));
    expect(message).not.toContain('lines-of-it');
  });

  it.each(['agent:\n  name: A\n bad: [\n', 'agent: {name: "A\n', 'a: 1\na: 2\n', 'agent:\n\tname: A\n'])(
    'for a file that is not valid YAML, which stays as it is: %j',
    async (config) => {
      const { home, configFile, secretsFile } = tempHome({ config });
      const { problems } = await refusal(set(home, { 'web.timeoutMs': '1000', 'model.apiKey': 'key-1-abc' }));
      expect(problems[0]).toMatchObject({ kind: 'syntax', where: configFile });
      expect(problems[0]?.line).toBeGreaterThan(0);
      expect(readFileSync(configFile, 'utf8')).toBe(config);
      expect(existsSync(secretsFile)).toBe(false);
    },
  );

  it('for a secrets file that others may read', async () => {
    const { home, secretsFile } = tempHome({ secrets: 'model: { apiKey: a-key-1 }\n' });
    chmodSync(secretsFile, 0o644);
    expect((await refusal(set(home, { 'model.apiKey': 'b-key-2' }))).message).toContain('chmod 600');
    expect(readFileSync(secretsFile, 'utf8')).toBe('model: { apiKey: a-key-1 }\n');
  });

  it('but a wrong key elsewhere in the file does not stand in the way', async () => {
    const { home, configFile } = tempHome({ config: 'agent:\n  nam: A\n' });
    const { notices } = await set(home, { 'agent.name': 'B' });
    expect(notices).toMatchObject([{ key: 'agent.nam', suggestion: 'agent.name' }]);
    expect(readFileSync(configFile, 'utf8')).toBe('agent:\n  nam: A\n  name: B\n');
  });
});

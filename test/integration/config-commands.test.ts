import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { offerModel } from '../../src/cli/setup/first-run.ts';
import { probeProvider } from '../../src/cli/setup/probe.ts';
import { loadConfig } from '../../src/config/load.ts';
import { chooseModel } from '../../src/config/model-choice.ts';
import { Secret } from '../../src/config/secret.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `hermes …` with a home of its own and nothing of this machine's environment. */
function hermes(
  home: string,
  args: readonly string[],
  options: { input?: string; env?: Record<string, string> } = {},
): Promise<Ran> {
  const child = spawn(process.execPath, ['--import', 'tsx', main, ...args], {
    env: { PATH: process.env['PATH'] ?? '', HOME: home, HERMES_HOME: home, ...options.env },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let [out, err] = ['', ''];
  child.stdout.on('data', (part: Buffer) => (out += part.toString()));
  child.stderr.on('data', (part: Buffer) => (err += part.toString()));
  child.stdin.end(options.input ?? '');
  return once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }));
}

function tempHome(config?: string): string {
  const home = mkdtempSync(join(tmpdir(), 'hermes-config-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  if (config !== undefined) writeFileSync(join(home, 'config.yaml'), config);
  return home;
}

/** A provider that lists two models to whoever has the key. */
async function provider(
  answer?: (request: IncomingMessage) => { status: number; body: string } | null,
): Promise<{ baseUrl: string; paths: string[] }> {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url ?? '');
    const known = request.headers.authorization === 'Bearer the-right-key';
    const usual = known
      ? { status: 200, body: JSON.stringify({ data: [{ id: 'small-1' }, { id: 'large-1' }] }) }
      : { status: 401, body: '{}' };
    const given = answer === undefined ? usual : answer(request);
    if (given === null) return;
    response.writeHead(given.status, { 'content-type': 'application/json' }).end(given.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, paths };
}

describe('hermes config', () => {
  it('sets, gets, lists and takes out', async () => {
    const home = tempHome('# mine\n');
    expect(await hermes(home, ['config', 'set', 'agent.name', 'Ада'])).toMatchObject({ code: 0, err: '' });
    expect(await hermes(home, ['config', 'get', 'agent.name'])).toEqual({ code: 0, out: 'Ада\n', err: '' });
    expect(JSON.parse((await hermes(home, ['config', 'get', 'agent.name', '--json'])).out)).toBe('Ада');
    expect(JSON.parse((await hermes(home, ['config', 'get', 'api'])).out)).toMatchObject({ port: 8642 });

    const rows = JSON.parse(
      (await hermes(home, ['config', 'list', '--json'], { env: { HERMES_WEB_MAX_BYTES: '5000' } })).out,
    ) as {
      key: string;
      value: unknown;
      source: { from: string };
    }[];
    const from = (key: string): unknown[] =>
      rows.filter((row) => row.key === key).flatMap((row) => [row.value, row.source.from]);
    expect([from('agent.name'), from('web.maxBytes'), from('web.maxRedirects')]).toEqual([
      ['Ада', 'file'],
      [5000, 'env'],
      [5, 'default'],
    ]);

    expect(await hermes(home, ['config', 'unset', 'agent.name'])).toMatchObject({ code: 0 });
    expect(readFileSync(join(home, 'config.yaml'), 'utf8')).toContain('# mine\n');
    expect(await hermes(home, ['config', 'get', 'model.name'])).toEqual({ code: 1, out: '', err: '' });
    expect((await hermes(home, ['config', 'path'])).out).toBe(`${join(home, 'config.yaml')}\n`);
  });

  it('refuses a wrong key or value with the nearest one and writes nothing', async () => {
    const home = tempHome();
    for (const [args, meant] of [
      [['config', 'set', 'model.base_url', 'http://x'], 'model.baseUrl'],
      [['config', 'set', 'model.provider', 'opnai'], 'openai'],
      [['config', 'set', 'web.timeoutMs', '30s'], '30000'],
      [['config', 'get', 'model.nam'], 'model.name'],
      [['config', 'unset', 'agent.nme'], 'agent.name'],
    ] as const) {
      const { code, err, out } = await hermes(home, args);
      expect([code === 0, out]).toEqual([false, '']);
      expect(err).toContain(meant);
    }
    expect(existsSync(join(home, 'config.yaml'))).toBe(false);
  });

  it('takes a secret from standard input, keeps it apart and never prints it', async () => {
    const home = tempHome();
    const key = 'sk-very-secret-value-9876';
    const ran = [
      await hermes(home, ['config', 'set', 'providers.openai.apiKey', '-'], { input: `${key}\n` }),
      await hermes(home, ['config', 'get', 'providers.openai.apiKey']),
      await hermes(home, ['config', 'list', '--json']),
      await hermes(home, ['config', 'list']),
    ];
    for (const { code, out, err } of ran) expect([code, out.includes(key), err]).toEqual([0, false, '']);
    expect(ran[1]?.out).toBe('****9876\n');
    expect(statSync(join(home, 'secrets.yaml')).mode & 0o777).toBe(0o600);
    expect(existsSync(join(home, 'config.yaml'))).toBe(false);
  });

  it('names the line of a broken file and leaves it alone', async () => {
    const home = tempHome('agent:\n  name: A\n bad: [\n');
    const { code, err } = await hermes(home, ['config', 'set', 'agent.name', 'B']);
    expect(code).toBe(1);
    expect(err).toContain('config.yaml:3');
    expect(readFileSync(join(home, 'config.yaml'), 'utf8')).toBe('agent:\n  name: A\n bad: [\n');
  });

  it('edit runs the editor and says what is wrong afterwards', async () => {
    const home = tempHome('agent:\n  name: A\n');
    const editor = join(home, 'my editor.sh');
    writeFileSync(editor, '#!/bin/sh\nprintf "agent:\\n  nam: B\\n" > "$2"\n');
    chmodSync(editor, 0o755);
    const { code, err } = await hermes(home, ['config', 'edit'], { env: { EDITOR: `'${editor}' --wait` } });
    expect(code).toBe(1);
    expect(err).toContain('config.yaml:2: there is no key agent.nam (did you mean agent.name?)');
    expect(await hermes(home, ['config', 'edit'], { env: { VISUAL: 'false' } })).toMatchObject({ code: 1 });
  });
});

describe('hermes setup', () => {
  it('without questions proves the choice and writes it', async () => {
    const home = tempHome();
    const { baseUrl, paths } = await provider();
    const args = [
      'setup',
      '--provider',
      'openai',
      '--base-url',
      baseUrl,
      '--key',
      'the-right-key',
      '--model',
      'large-1',
      '--yes',
    ];
    const { code, out, err } = await hermes(home, args);
    expect([code, err, paths]).toEqual([0, '', ['/v1/models']]);
    expect(out).not.toContain('the-right-key');
    const choice = chooseModel(loadConfig({ home, env: {} }).config, {});
    expect(choice).toMatchObject({ provider: 'openai', name: 'large-1', baseUrl, how: 'config' });
    expect(choice.apiKey?.reveal()).toBe('the-right-key');
    expect(readFileSync(join(home, 'config.yaml'), 'utf8')).not.toContain('the-right-key');
  });

  it('asks in a pipe, one line each', async () => {
    const home = tempHome();
    const { baseUrl } = await provider();
    const { code, out } = await hermes(home, ['setup'], {
      input: `custom\n${baseUrl}\nthe-right-key\nlarge\nlarge-1\n`,
    });
    expect(code).toBe(0);
    expect(out).toContain('did you mean large-1?');
    expect(chooseModel(loadConfig({ home, env: {} }).config, {})).toMatchObject({
      provider: 'custom',
      name: 'large-1',
      baseUrl,
    });
  });

  it('takes the key from standard input', async () => {
    const home = tempHome();
    const { baseUrl } = await provider();
    const { code } = await hermes(home, ['setup', '--base-url', baseUrl, '--key', '-'], { input: 'the-right-key\n' });
    expect(code).toBe(0);
    expect(chooseModel(loadConfig({ home, env: {} }).config, {})).toMatchObject({
      provider: 'custom',
      name: 'small-1',
    });
  });

  it.each([
    ['the key is refused', ['--key', 'a-wrong-key'], 'refuses the key'],
    ['the model is not on offer', ['--key', 'the-right-key', '--model', 'larg-1'], 'large-1'],
  ])('writes nothing where %s', async (_, args, said) => {
    const home = tempHome();
    const { baseUrl } = await provider();
    const { code, out, err } = await hermes(home, [
      'setup',
      '--provider',
      'openai',
      '--base-url',
      baseUrl,
      '--yes',
      ...args,
    ]);
    expect(code).toBe(1);
    expect(err).toContain(said);
    expect(out + err).not.toContain('a-wrong-key');
    expect([existsSync(join(home, 'config.yaml')), existsSync(join(home, 'secrets.yaml'))]).toEqual([false, false]);
  });

  it('writes nothing where the answers end too early, or nothing is found', async () => {
    const home = tempHome();
    const { baseUrl } = await provider();
    expect(await hermes(home, ['setup', '--provider', 'custom'], { input: `${baseUrl}\n` })).toMatchObject({ code: 1 });
    expect((await hermes(home, ['setup', '--provider', 'openai', '--yes'])).code).toBe(2);
    expect((await hermes(home, ['setup', '--provider', 'opnai'])).err).toContain('openai');
    expect(existsSync(join(home, 'config.yaml'))).toBe(false);
  });
});

describe('hermes model', () => {
  it('shows and sets', async () => {
    const home = tempHome();
    expect((await hermes(home, ['model'])).out).toMatch(/^demo:demo\n/);
    expect((await hermes(home, ['model', '--json'], { env: { OPENROUTER_API_KEY: 'router-key-123' } })).out).toContain(
      '"environment"',
    );
    expect(await hermes(home, ['model', 'ollama:llama3:8b'])).toMatchObject({ code: 0 });
    expect((await hermes(home, ['model', 'qwen3:4b'])).out).toMatch(/^ollama:qwen3:4b\n/);
    expect((await hermes(home, ['model', 'opnai:x'])).err).toContain('openai:x');
    expect(loadConfig({ home, env: {} }).config.model).toMatchObject({ provider: 'ollama', name: 'qwen3:4b' });
  });
});

describe('the request that proves a choice', () => {
  const key = new Secret('the-right-key');

  it('tells apart what can go wrong', async () => {
    const probe = async (answer: Parameters<typeof provider>[0], timeoutMs = 5000): Promise<unknown> => {
      const { baseUrl } = await provider(answer);
      const result = await probeProvider({ baseUrl: `${baseUrl}/`, apiKey: key, timeoutMs });
      return result.ok ? result.models : result.reason;
    };
    expect(await probe(undefined)).toEqual(['small-1', 'large-1']);
    expect(await probe(() => ({ status: 404, body: '' }))).toBeNull();
    expect(await probe(() => ({ status: 200, body: '<html>' }))).toContain('not with a list of models');
    expect(await probe(() => ({ status: 500, body: '' }))).toContain('status 500');
    expect(await probe(() => ({ status: 403, body: '' }))).toContain('refuses the key');
    expect(await probe(() => null, 200)).toContain('no answer within 200 ms');
    expect(await probeProvider({ baseUrl: 'http://127.0.0.1:9/v1', apiKey: null })).toMatchObject({
      ok: false,
      reason: 'nothing listens at 127.0.0.1:9',
    });
  });
});

describe('the first start', () => {
  const offer = async (
    home: string,
    answers: string[],
    env: Record<string, string> = {},
    interactive = true,
  ): Promise<[string, string[]]> => {
    const asked: string[] = [];
    const result = await offerModel({
      home,
      env,
      interactive,
      ask: (question) => {
        asked.push(question);
        return Promise.resolve(answers.shift() ?? null);
      },
      say: () => Promise.resolve(),
    });
    return [result, asked];
  };

  it('asks nothing where a model is chosen, a key is found or nobody can answer', async () => {
    expect(await offer(tempHome('model: { provider: demo }\n'), [])).toEqual(['ready', []]);
    expect(await offer(tempHome(), [], { OPENAI_API_KEY: 'a-key-123' })).toEqual(['ready', []]);
    expect(await offer(tempHome(), [], {}, false)).toEqual(['demo', []]);
  });

  it('sets a model up, or goes on with the demo', async () => {
    const home = tempHome();
    const { baseUrl } = await provider();
    expect((await offer(home, ['n']))[0]).toBe('demo');
    expect((await offer(home, ['y', 'custom', 'not an address']))[0]).toBe('demo');
    expect((await offer(home, []))[0]).toBe('demo');
    expect(existsSync(join(home, 'config.yaml'))).toBe(false);
    expect((await offer(home, ['', 'custom', baseUrl, 'the-right-key', '']))[0]).toBe('set-up');
    expect(chooseModel(loadConfig({ home, env: {} }).config, {})).toMatchObject({
      provider: 'custom',
      name: 'small-1',
    });
  });
});

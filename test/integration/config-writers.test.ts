import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { changeConfig } from '../../src/config/write.ts';

const writer = fileURLToPath(new URL('../fixtures/config/writer.ts', import.meta.url));

function tempHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'hermes-config-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  return home;
}

async function start(home: string, key: string, count: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--import', 'tsx', writer, home, key, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

const exit = async (child: ChildProcess): Promise<unknown> =>
  child.exitCode ?? child.signalCode ?? ((await once(child, 'exit')) as unknown[]).find((part) => part !== null);

it('several writers at once lose no change of each other', async () => {
  const home = tempHome();
  writeFileSync(join(home, 'config.yaml'), '# kept\nweb:\n  timeoutMs: 1234 # kept too\n');
  const keys = ['agent.name', 'agent.instructions', 'model.name', 'temporal.apiKey', 'providers.zai.apiKey'];
  const writers = await Promise.all(keys.map((key) => start(home, key, 15)));
  expect(await Promise.all(writers.map(exit))).toEqual(keys.map(() => 0));

  const { config, problems } = loadConfig({ home, env: {} });
  expect(problems).toEqual([]);
  const last = [
    config.agent.name,
    config.agent.instructions,
    config.model.name,
    config.temporal.apiKey?.reveal(),
    config.providers.zai?.apiKey?.reveal(),
  ];
  expect(last.map((value) => value?.slice(0, 4))).toEqual(keys.map(() => '15 x'));
  expect(readFileSync(join(home, 'config.yaml'), 'utf8')).toMatch(/^# kept\nweb:\n {2}timeoutMs: 1234 # kept too\n/);
  expect(readdirSync(home).sort()).toEqual(['config.yaml', 'secrets.yaml']);
});

it('a writer killed at any moment leaves the old or the new file, and the next writer goes on', async () => {
  const home = tempHome();
  const valid = /^\d+ x{20000} end$/;
  let before = 0;
  for (let round = 0; round < 12; round += 1) {
    const child = await start(home, round % 2 === 0 ? 'agent.instructions' : 'temporal.apiKey', 1_000_000);
    const end = Date.now() + 40 + Math.random() * 120;
    while (Date.now() < end) {
      // A reader meanwhile never sees a torn file either.
      expect(loadConfig({ home, env: {} }).problems).toEqual([]);
      await delay(5);
    }
    child.kill('SIGKILL');
    expect(await exit(child)).toBe('SIGKILL');

    const { config, problems } = loadConfig({ home, env: {} });
    expect(problems).toEqual([]);
    for (const value of [config.agent.instructions, config.temporal.apiKey?.reveal()])
      if (value != null) expect(value).toMatch(valid);
    before += 1;
    await changeConfig({ home, env: {} }, [{ key: 'agent.maxStepsPerTurn', value: String(before) }]);
    expect(loadConfig({ home, env: {} }).config.agent.maxStepsPerTurn).toBe(before);
  }
  expect(statSync(join(home, 'secrets.yaml')).mode & 0o777).toBe(0o600);
  await changeConfig({ home, env: {} }, [
    { key: 'agent.name', value: 'A' },
    { key: 'temporal.apiKey', value: 'the-last-key' },
  ]);
  expect(readdirSync(home).sort()).toEqual(['config.yaml', 'secrets.yaml']);
});

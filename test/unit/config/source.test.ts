import { chmodSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Problem } from '../../../src/config/load.ts';
import { createConfigSource, type ConfigSource } from '../../../src/config/source.ts';
import { tempHome, type TempHome } from './temp-home.ts';

interface Running extends TempHome {
  readonly source: ConfigSource;
  readonly reports: (readonly Problem[])[];
  /** Time goes on by the given milliseconds. */
  readonly wait: (ms: number) => void;
}

function start(config = '', env: Record<string, string> = {}): Running {
  const place = tempHome({ config });
  const reports: (readonly Problem[])[] = [];
  let now = 0;
  const source = createConfigSource({
    home: place.home,
    env,
    clock: () => now,
    onProblems: (problems) => void reports.push(problems),
  });
  return { ...place, source, reports, wait: (ms) => void (now += ms) };
}

describe('the configuration of a running process', () => {
  it('follows the file', () => {
    const { source, configFile, wait } = start('agent: { name: One }\n');
    expect(source.current().agent.name).toBe('One');
    writeFileSync(configFile, 'agent: { name: Two }\n');
    wait(200);
    expect(source.current().agent.name).toBe('Two');
    rmSync(configFile);
    wait(200);
    expect(source.current().agent.name).toBe('Hermes');
  });

  it('follows the secrets and their mode', () => {
    const { source, secretsFile, wait } = start();
    writeFileSync(secretsFile, 'model: { apiKey: key-number-1 }\n', { mode: 0o644 });
    chmodSync(secretsFile, 0o644);
    wait(200);
    expect(source.current().model.apiKey).toBeNull();
    chmodSync(secretsFile, 0o600);
    wait(200);
    expect(source.current().model.apiKey?.reveal()).toBe('key-number-1');
  });

  it('sees a change that keeps size and modification time', () => {
    const { source, configFile, wait } = start('agent: { name: One }\n');
    const { atime, mtime } = statSync(configFile);
    writeFileSync(configFile, 'agent: { name: Two }\n');
    utimesSync(configFile, atime, mtime);
    wait(200);
    expect(source.current().agent.name).toBe('Two');
  });

  it('looks at the files at most every 200 ms and gives the same object while nothing changes', () => {
    const { source, configFile, wait } = start('agent: { name: One }\n');
    const first = source.current();
    writeFileSync(configFile, 'agent: { name: Two }\n');
    wait(199);
    expect(source.current()).toBe(first);
    wait(1);
    expect(source.current().agent.name).toBe('Two');
  });

  it('keeps the last good configuration while the file is broken, and reports that once', () => {
    const { source, configFile, wait, reports } = start('agent: { name: One }\n');
    writeFileSync(configFile, 'agent: { nam: Two }\n');
    for (let look = 0; look < 5; look += 1) {
      wait(500);
      expect(source.current().agent.name).toBe('One');
    }
    expect(reports).toMatchObject([[{ key: 'agent.nam', suggestion: 'agent.name' }]]);
    expect(source.problems()).toHaveLength(1);

    writeFileSync(configFile, 'agent: { name: Three }\n');
    wait(500);
    expect(source.current().agent.name).toBe('Three');
    expect(source.problems()).toEqual([]);
    expect(reports).toHaveLength(1);
  });

  it('takes a file with warnings', () => {
    const { source, configFile, wait, reports } = start();
    writeFileSync(configFile, 'model: { provider: openai, name: x, apiKey: key-in-the-wrong-file }\n');
    wait(500);
    expect(source.current().model.name).toBe('x');
    expect(reports).toMatchObject([[{ severity: 'warning' }]]);
  });

  it('that is broken from the start has defaults and problems', () => {
    const { source, reports } = start('agent: [\n');
    expect(source.current().agent.name).toBe('Hermes');
    expect(source.problems()[0]).toMatchObject({ kind: 'syntax' });
    expect(reports).toHaveLength(1);
  });
});

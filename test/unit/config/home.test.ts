import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hermesHome, homePaths } from '../../../src/config/home.ts';

describe('the home folder', () => {
  it('is .hermes in the home of the person', () => {
    expect(hermesHome({ HOME: '/home/ada' })).toBe('/home/ada/.hermes');
    expect(hermesHome({})).toBe(join(homedir(), '.hermes'));
  });

  it('is HERMES_HOME when that says something', () => {
    expect(hermesHome({ HERMES_HOME: '/srv/h', HOME: '/home/ada' })).toBe('/srv/h');
    expect(hermesHome({ HERMES_HOME: '  ', HOME: '/home/ada' })).toBe('/home/ada/.hermes');
  });

  it('is always absolute', () => {
    expect(hermesHome({ HERMES_HOME: 'here' })).toBe(resolve('here'));
    expect(hermesHome({ HERMES_HOME: '~/agent', HOME: '/home/ada' })).toBe('/home/ada/agent');
  });

  it('holds every path of the layout', () => {
    const flat = (node: object): string[] =>
      Object.values(node).flatMap((v) => (typeof v === 'string' ? [v] : flat(v as object)));
    const all = flat(homePaths('/h'));
    expect(all.every((path) => isAbsolute(path))).toBe(true);
    expect(new Set(all).size).toBe(all.length);
    expect(all).toEqual(
      expect.arrayContaining([
        '/h/config.yaml',
        '/h/secrets.yaml',
        '/h/api-token',
        '/h/run/api.json',
        '/h/logs/temporal.log',
      ]),
    );
  });
});

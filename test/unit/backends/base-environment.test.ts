import { describe, expect, it } from 'vitest';
import { baseEnvironment } from '../../../src/backends/base-environment.ts';

describe('baseEnvironment', () => {
  it('lets harmless variables and those that are named through, and nothing else', () => {
    const env = {
      PATH: '/bin',
      HOME: '/h',
      LC_TIME: 'C',
      OPENAI_API_KEY: 'secret',
      HERMES_HOME: '/x',
      GITHUB_TOKEN: 'wanted',
      EMPTY: undefined,
      HERMES_RUN: 'outer',
      NODE_OPTIONS: '--inspect',
    };
    expect(baseEnvironment(env, ['GITHUB_TOKEN', 'EMPTY', 'HERMES_RUN'])).toEqual({
      PATH: '/bin',
      HOME: '/h',
      LC_TIME: 'C',
      GITHUB_TOKEN: 'wanted',
    });
  });

  it('has a PATH in any case', () => {
    expect(baseEnvironment({})['PATH']).toContain('/usr/bin');
  });
});

import { userInfo } from 'node:os';
import { describe, expect, it } from 'vitest';
import { destinationName, destinationsOf } from '../../../../src/backends/ssh/destination.ts';

const names = (options: Parameters<typeof destinationsOf>[0]) => destinationsOf(options).map(destinationName);

describe('the way to a machine', () => {
  it('leads through the jump hosts in their order', () => {
    const jump = 'gate@First.example:2222, second.example,me@[fe80::1]:23';
    expect(names({ host: 'Last.example', user: 'ann', jump })).toEqual([
      'gate@first.example:2222',
      'ann@second.example',
      'me@[fe80::1]:23',
      'ann@last.example',
    ]);
  });

  it("takes the person's own name and the usual port where none is set", () => {
    expect(destinationsOf({ host: 'there' })).toEqual([{ user: userInfo().username, host: 'there', port: 22 }]);
  });

  it('says what is wrong with a setting', () => {
    const invalid = (setting: string) =>
      expect.objectContaining({
        code: 'Terminal.Invalid',
        message: expect.stringContaining(setting) as string,
      }) as Error;
    expect(() => destinationsOf({ host: '' })).toThrow(invalid('terminal.ssh.host'));
    for (const jump of ['a:b:c', 'a:0', 'a:70000', 'user@', '[x', '-oProxyCommand=x y@:1']) {
      expect(() => destinationsOf({ host: 'there', jump }), jump).toThrow(invalid('terminal.ssh.jump'));
    }
  });
});

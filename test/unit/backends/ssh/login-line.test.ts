import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loginLine } from '../../../../src/backends/ssh/login-line.ts';

const awkward = `it's "x" \\ \\\\ $HOME \`id\` !! !x ^a^b ; & | * ? ~ # {a,b} %s [x] <>() \t ü 🦉 \\n \\0101 -n`;
const shells = ['/bin/sh', '/bin/bash', '/usr/bin/zsh', '/usr/bin/fish', '/usr/bin/tcsh', '/bin/csh', '/usr/bin/mksh'];

describe('the line for a login shell', () => {
  it.each(shells.filter((path) => existsSync(path)))('is read alike by %s', (shell) => {
    const quoted = `'${awkward.replaceAll("'", `'\\''`)}'`;
    const script = `printf '%s\\n' ${quoted}\nread -r line; printf '<%s>' "$line"; exit 5`;
    const { stdout, stderr, status } = spawnSync(shell, ['-c', loginLine(script)], {
      input: 'typed\n',
      encoding: 'utf8',
    });
    expect([stdout, stderr, status]).toEqual([`${awkward}\n<typed>`, '', 5]);
  });

  it('holds nothing that a shell may take for its own', () => {
    expect(loginLine(awkward)).toMatch(/^exec sh -c '[A-Za-z0-9 _./:=,@%+\-\\"$()]*'$/);
  });
});

import { describe, expect, it } from 'vitest';
import { matchSlashCommand, slashCommands, unescapeSlash } from '../../../src/domain/slash-commands.ts';

function match(line: string): string | null {
  const found = matchSlashCommand(line);
  if (found === null) return null;
  if (found.kind === 'command') return `${found.command.name}(${found.args})`;
  return found.kind === 'ambiguous' ? `ambiguous ${found.candidates.join(' ')}` : `unknown ${found.word}`;
}

describe('matchSlashCommand', () => {
  it('finds names, aliases and unambiguous beginnings in any case', () => {
    expect(match('/help')).toBe('help()');
    expect(match('/QUIT')).toBe('quit()');
    expect(match('/exit')).toBe('quit()');
    expect(match('/?')).toBe('help()');
    expect(match('/mod  fake:one ')).toBe('model(fake:one)');
    expect(match('/deny not\nthat one')).toBe('deny(not\nthat one)');
  });

  it('names what a beginning could be', () => {
    expect(match('/un')).toBe('undo()');
    expect(match('/u')).toBe('ambiguous usage undo');
    expect(match('/modle')).toBe('unknown modle');
  });

  it('leaves messages alone', () => {
    for (const text of ['hello', '/etc/hosts is broken', '//help', '/', 'a /help', '/2 of them'])
      expect(match(text)).toBeNull();
    expect(unescapeSlash('//help')).toBe('/help');
  });

  it('gives every name and alias to one command', () => {
    const names = slashCommands.flatMap((command) => [command.name, ...command.aliases]);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(match(`/${name}`)).toMatch(/^[a-z]+\(\)$/);
  });
});

import { describe, expect, it } from 'vitest';
import { commandsOn, matchSlashCommand, slashCommands, unescapeSlash } from '../../../src/domain/slash-commands.ts';

function match(line: string, surface?: 'terminal' | 'platform'): string | null {
  const found = matchSlashCommand(line, surface);
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

  it('reads beginnings by what the surface has, and whole names everywhere', () => {
    expect(match('/un', 'platform')).toBe('ambiguous undo unlink');
    expect(match('/qu', 'platform')).toBe('queue()');
    expect(match('/qu')).toBe('ambiguous queue quit');
    expect(match('/sethome')).toBe('sethome()');
    expect(match('/hand telegram')).toBe('handoff(telegram)');
    const names = (surface: 'terminal' | 'platform') => commandsOn(surface).map(({ name }) => name);
    expect(names('terminal')).not.toContain('link');
    expect(names('platform')).not.toContain('quit');
    expect(names('platform')).toEqual(expect.arrayContaining(['link', 'handoff', 'new']));
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

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fieldsOf } from '../../../src/tools/check-arguments.ts';
import { toolSchemas, tools } from '../../../src/tools/registry.ts';
import { conversationId, openToolBench, personId, type ToolBench } from './support/tool-bench.ts';

/** The instructions take up to 3,500 of the 12,000 characters that are fixed in every prompt. */
const schemaCapChars = 7_500;

describe('the list of tools', () => {
  it('fits into the prompt', () => {
    expect(JSON.stringify(toolSchemas()).length).toBeLessThan(schemaCapChars);
  });

  it('names every tool once', () => {
    expect(new Set(tools.map((tool) => tool.name)).size).toBe(tools.length);
  });

  it.each(tools.map((tool) => [tool.name, tool] as const))('%s describes itself and every field', (name, tool) => {
    const file = fileURLToPath(new URL(`../../../src/tools/${name.replaceAll('_', '-')}.ts`, import.meta.url));
    expect(existsSync(file)).toBe(true);
    expect(name).toMatch(/^[a-z]+(?:_[a-z]+)*$/);
    expect(tool.description.length).toBeGreaterThan(10);
    expect(tool.timeoutMs).toBeGreaterThan(0);
    expect(tool.outputCapChars).toBeGreaterThan(0);
    const schema = toolSchemas([tool])[0]?.parameters as { properties: Record<string, { description?: string }> };
    expect(Object.keys(schema.properties)).toEqual(Object.keys(fieldsOf(tool.input)));
    for (const field of Object.values(schema.properties)) expect(field.description).toBeTruthy();
  });

  it('gives schemas without what only costs tokens', () => {
    expect(JSON.stringify(toolSchemas())).not.toMatch(/\$schema|additionalProperties|minLength/);
  });
});

describe('planning a call', () => {
  let bench: ToolBench;
  beforeAll(async () => {
    bench = await openToolBench();
  });
  afterAll(() => bench.close());

  const rejection = async (name: string, args: unknown): Promise<string> => {
    const planned = await bench.plan(name, args);
    if (planned.kind !== 'rejected') throw new Error('planned');
    return planned.text;
  };

  it.each([
    ['list_files', '', {}],
    ['list_files', '{}', {}],
    ['list_files', '```json\n{"path": "a"}\n```', { path: 'a' }],
    ['list_files', '{"path": "a",}', { path: 'a' }],
    ['list_files', '"{\\"path\\": \\"a\\"}"', { path: 'a' }],
    ['list_files', '{"path": null}', {}],
    ['write_file', '{"path": "a", "content": "x\ny\t, }"}', { path: 'a', content: 'x\ny\t, }' }],
    ['read_file', '{"path": "a", "limit": "20"}', { path: 'a', limit: 20 }],
    ['run_command', '{"command": "ls", "background": "true"}', { command: 'ls', background: true }],
    [
      'todo',
      '{"items": "[{\\"text\\": \\"a\\", \\"state\\": \\"open\\"}]"}',
      { items: [{ text: 'a', state: 'open' }] },
    ],
  ])('reads the arguments of %s from %j', async (name, text, input) => {
    expect(await bench.plan(name, text)).toMatchObject({ kind: 'planned', name, input });
  });

  it('says where arguments were cut off and never completes them', async () => {
    const text = await rejection('write_file', '{"path": "a.txt", "content": "half a fi');
    expect(text).toContain('cut off');
    expect(text).toContain('`content`');
  });

  it.each([
    ['run_command', '{}', '`command` is missing'],
    ['run_command', '{"cmd": "ls"}', 'meant `command`'],
    ['run_command', '{"command": ""}', '`command`'],
    ['run_command', '[1]', 'not an array'],
    ['run_command', 'ls -la', 'no JSON object'],
    ['run_command', '{"command": "echo "hi""}', '`command`'],
    ['todo', '{"items": [{"text": "a", "state": "later"}]}', '`items.0.state`'],
    ['process', '{"action": "stop"}', '`action`'],
  ])('names the field that is wrong in %s %s', async (name, text, words) => {
    expect(await rejection(name, text)).toContain(words);
  });

  it.each([
    ['bash_command', 'run_command'],
    ['readFile', 'read_file'],
    ['search', 'search_files'],
    ['webfetch', 'web_fetch'],
  ])('proposes a tool for %s', async (wrong, right) => {
    const text = await rejection(wrong, '{}');
    expect(text).toContain(`Did you mean ${right}?`);
    expect(text).toContain('run_command, process');
  });

  it('asks about a dangerous command, with a rule a person understands', async () => {
    const planned = await bench.plan('run_command', { command: 'git push --force' });
    expect(planned).toMatchObject({
      kind: 'planned',
      plan: { summary: 'run_command: git push --force', approval: { ruleKey: 'git push --force' } },
    });
  });

  it('blocks what nobody may allow, whatever the settings', async () => {
    for (const approvals of ['ask', 'deny', 'off'] as const) {
      const planned = await bench.plan('run_command', { command: 'rm -rf /' }, { approvals });
      expect(planned.kind === 'planned' && planned.plan.blocked).toBeTruthy();
    }
  });

  it('refuses or passes the ask list as the settings say', async () => {
    const denied = await bench.plan('run_command', { command: 'sudo ls' }, { approvals: 'deny' });
    expect(denied.kind === 'planned' && denied.plan.blocked).toContain('settings');
    const passed = await bench.plan('run_command', { command: 'sudo ls' }, { approvals: 'off' });
    expect(passed.kind === 'planned' && (passed.plan.blocked ?? passed.plan.approval)).toBeUndefined();
  });

  it('judges paths that files are written to and secrets are read from', async () => {
    const plan = async (name: string, path: string): Promise<string> => {
      const args = {
        write_file: { path, content: 'x' },
        edit_file: { path, oldText: 'a', newText: 'b' },
        read_file: { path },
      };
      const planned = await bench.plan(name, args[name as keyof typeof args]);
      if (planned.kind === 'rejected') throw new Error(planned.text);
      return planned.plan.blocked !== undefined ? 'blocked' : (planned.plan.approval?.ruleKey ?? 'allowed');
    };
    expect(await plan('write_file', '~/.ssh/authorized_keys')).toBe('write ~/.ssh');
    expect(await plan('edit_file', `${bench.home}/.bashrc`)).toBe('write shell start-up');
    expect(await plan('write_file', '/etc/hosts')).toBe('write system files');
    expect(await plan('edit_file', '/etc/passwd')).toBe('blocked');
    expect(await plan('write_file', `${bench.home}/.hermes/secrets.yaml`)).toBe('blocked');
    expect(await plan('read_file', '~/.ssh/id_ed25519')).toBe('read secrets');
    expect(await plan('read_file', '~/notes.md')).toBe('allowed');
    expect(await plan('write_file', 'src/a.ts')).toBe('allowed');
  });

  it('does not ask what the person has allowed for good, and asks what is left of a line', async () => {
    const ask = {
      id: 'ask:main/1/1/0',
      kind: 'approval' as const,
      title: 'Run',
      detail: '',
      choices: [],
      tool: 'run_command',
      ruleKey: 'git push --force',
      callKey: null,
    };
    await bench.store.approvals.ask({ ...ask, conversationId, turn: 1 });
    await bench.store.approvals.decide({
      id: ask.id,
      decision: 'approve',
      scope: 'always',
      answer: null,
      by: personId,
    });
    const one = await bench.plan('run_command', { command: 'git push -f' });
    expect(one.kind === 'planned' && one.plan.approval).toBeUndefined();
    const two = await bench.plan('run_command', { command: 'git push -f; sudo ls' });
    expect(two.kind === 'planned' && two.plan.approval?.ruleKey).toBe('sudo ls');
  });

  it('keeps secrets out of summaries', async () => {
    const planned = await bench.plan('run_command', {
      command: 'curl -H "Authorization: Bearer abcdef0123456789abcdef" x',
    });
    expect(planned.kind === 'planned' && planned.plan.summary).toContain('[redacted:authorization]');
  });
});

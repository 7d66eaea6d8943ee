import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeApi } from '../support/fake-api.ts';
import { startCli, temporaryHome } from '../support/run-cli.ts';

let home: ReturnType<typeof temporaryHome>;
let api: FakeApi;
const hermes = (...args: string[]) => startCli(home.home, args, '').ended;

beforeEach(async () => {
  home = temporaryHome();
  api = new FakeApi(home.home, (turn) => {
    turn.say('ok');
    return Promise.resolve();
  });
  await api.start();
});
afterEach(async () => {
  await api.stop();
  home.remove();
});

describe('hermes send', () => {
  it('says how large files may be before it reads them', async () => {
    const path = join(home.home, 'large.bin');
    writeFileSync(path, '');
    truncateSync(path, 3 * 1024 ** 3);
    const { code, stderr } = await hermes('send', '--to', 'telegram:home', '--file', path);
    expect(code).toBe(2);
    expect(stderr).toContain('large.bin has 3072.0 MB; hermes send takes at most 50.0 MB at once.');
  });
});

describe('hermes conversations', () => {
  it('lists them as a table and as JSON', async () => {
    api.agent.create({ name: 'work', title: 'Work things' });
    const table = await hermes('conversations');
    expect(table.code).toBe(0);
    expect(table.stdout).toMatch(/^ +name +title +turns +tokens +cost +last\n\* +work +Work things +0 +18 +\$0\.0021 /);
    const json = JSON.parse((await hermes('conversations', 'list', '--json')).stdout) as { id: string }[];
    expect(json.map((one) => one.id)).toEqual(['c2', 'c1']);
  });

  it('shows one, without what would steer the terminal', async () => {
    api.agent.addMessage('c1', { role: 'user', text: 'hello', turn: 1 });
    api.agent.addMessage('c1', { role: 'assistant', text: '**hi** \u001b]0;x\u0007there', turn: 1 });
    const { stdout } = await hermes('conversations', 'show');
    expect(stdout).toContain('hello');
    expect(stdout).toContain('hi there');
    expect(stdout).not.toContain('\u001b');
  });

  it('searches, exports and deletes', async () => {
    expect((await hermes('conversations', 'search', 'blue', 'paint')).stdout).toContain('about blue paint');
    expect(JSON.parse((await hermes('conversations', 'export', 'c1', '--json')).stdout)).toMatchObject({
      messages: [],
    });
    const refused = await hermes('conversations', 'delete', 'c1');
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('--yes');
    expect((await hermes('conversations', 'delete', 'c1', '--yes')).code).toBe(0);
    expect(api.agent.conversations.size).toBe(0);
  });

  it('says what the service says about one that does not exist', async () => {
    const run = await hermes('conversations', 'show', 'nothere');
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toBe('hermes: No conversation "nothere".\n  hermes conversations list shows them.\n');
  });
});

describe('hermes approvals', () => {
  it('lists what waits and takes the only one without an id', async () => {
    expect((await hermes('approvals')).stdout).toBe('Nothing waits.\n');
    api.agent.script = async (turn) => {
      const { decision, answer } = await turn.ask({ kind: 'approval', title: 'run_command: rm -r old' });
      turn.say(`${decision} ${answer ?? ''}`);
    };
    api.agent.accept('m-000001', 'c1', 'go');
    expect((await hermes('approvals', 'list')).stdout).toContain('run_command: rm -r old');
    expect((await hermes('approvals', 'deny', 'ask:c1/1/1/0', 'too', 'much')).stdout).toContain('denied');
    expect(api.agent.turns[0]?.answer).toBe('deny too much');
    expect(await hermes('approvals', 'approve')).toMatchObject({
      code: 1,
      stderr: 'hermes: Nothing waits for a decision.\n',
    });
  });
});

describe('hermes usage, prompt and completion', () => {
  it('print a table, the prompt with its size, and JSON', async () => {
    expect((await hermes('usage')).stdout).toMatch(/2026-01-01 +fake:one +3 +1\.2k +340 +\$0\.50\ntotal/);
    expect((await hermes('prompt')).stdout).toMatch(/^system\n\{\}\n\n10 characters/);
    expect(JSON.parse((await hermes('prompt', '--json', '--size')).stdout)).not.toHaveProperty('text');
  });

  it('refuses wrong words with exit code 2', async () => {
    expect((await hermes('usage', '--days', 'many')).code).toBe(2);
    expect((await hermes('conversations', 'lits')).code).not.toBe(0);
  });

  it('writes a script that bash takes and completes with', async () => {
    const { stdout } = await hermes('completion', 'bash');
    const ask = `${stdout}\nCOMP_WORDS=(hermes conversations se) COMP_CWORD=2; _hermes; echo "\${COMPREPLY[*]}"
COMP_WORDS=(hermes conv) COMP_CWORD=1; _hermes; echo "\${COMPREPLY[*]}"`;
    const bash = spawnSync('bash', ['--norc', '-c', ask], { encoding: 'utf8' });
    expect(bash.stderr).toBe('');
    expect(bash.stdout).toBe('search\nconversations\n');
  });
});

describe('start-up', () => {
  it('loads nothing heavy for one prompt', async () => {
    const coverage = join(home.home, 'coverage');
    mkdirSync(coverage);
    process.env['NODE_V8_COVERAGE'] = coverage;
    try {
      expect((await hermes('-z', 'hi')).stdout).toBe('ok\n');
    } finally {
      delete process.env['NODE_V8_COVERAGE'];
    }
    const loaded = readdirSync(coverage).flatMap((file) => {
      const report = JSON.parse(readFileSync(join(coverage, file), 'utf8')) as { result: { url: string }[] };
      return report.result.map((one) => one.url);
    });
    expect(loaded.some((url) => url.endsWith('src/cli/one-shot.ts'))).toBe(true);
    const heavy = /node_modules\/(commander|marked|zod|openai|pino|yaml|hono|@temporalio|@prisma)\//;
    expect(loaded.filter((url) => heavy.test(url))).toEqual([]);
  });
});

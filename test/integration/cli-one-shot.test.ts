import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Script } from '../support/fake-agent.ts';
import { FakeApi } from '../support/fake-api.ts';
import { startCli, temporaryHome, until } from '../support/run-cli.ts';

const echo: Script = (turn) => {
  turn.say(`you said ${turn.text}`);
  return Promise.resolve();
};

let home: ReturnType<typeof temporaryHome>;
let api: FakeApi;

beforeEach(async () => {
  home = temporaryHome();
  api = new FakeApi(home.home, echo);
  await api.start();
});
afterEach(async () => {
  await api.stop();
  home.remove();
});

describe('hermes -z', () => {
  it('prints the final answer alone and exits 0', async () => {
    api.agent.script = (turn) => {
      turn.say('let me look');
      turn.toolFinished(turn.toolStarted('run_command', 'run_command: ls'));
      turn.say('two files');
      return Promise.resolve();
    };
    const run = await startCli(home.home, ['-z', 'what is here']).ended;
    expect(run).toEqual({ code: 0, stdout: 'two files\n', stderr: '' });
  });

  it('begins a new conversation per call and continues a named one', async () => {
    await startCli(home.home, ['-z', 'one']).ended;
    await startCli(home.home, ['-z', 'two', '-c', 'work']).ended;
    await startCli(home.home, ['-z', 'three', '--conversation', 'work', '-m', 'fake:two']).ended;
    const places = [...api.agent.inbound.values()].map((one) => [one.text, one.conversationId]);
    expect(places).toEqual([
      ['one', 'c2'],
      ['two', 'c3'],
      ['three', 'c3'],
    ]);
    expect(api.agent.view('c3')).toMatchObject({ name: 'work', model: 'fake:two', lastTurn: 2 });
    expect(api.agent.currentId()).toBe('c1');
  });

  it('prints one JSON object with --json', async () => {
    api.agent.script = (turn) => {
      turn.toolFinished(turn.toolStarted('run_command', 'run_command: ls'));
      turn.say('done');
      return Promise.resolve();
    };
    const run = await startCli(home.home, ['-z', 'go', '--json']).ended;
    expect(run.code).toBe(0);
    expect(run.stdout.endsWith('}\n')).toBe(true);
    expect(JSON.parse(run.stdout)).toEqual({
      conversationId: 'c2',
      turn: 1,
      text: 'done',
      model: 'fake:one',
      usage: { inputTokens: 11, outputTokens: 7, costUsd: 0.0021 },
      toolCalls: [{ name: 'run_command', status: 'ok', durationMs: 1200 }],
      durationMs: 42,
    });
  });

  it('reads the prompt from standard input where it is a dash, and takes one that begins with a dash', async () => {
    expect(await startCli(home.home, ['-z', '-'], 'from a pipe\n').ended).toMatchObject({
      stdout: 'you said from a pipe\n',
    });
    expect(await startCli(home.home, ['-z', '- item', '--json']).ended).toMatchObject({ code: 0 });
    expect(await startCli(home.home, ['-z', '-'], ' \n').ended).toMatchObject({ code: 1, stdout: '' });
  });

  it('says on standard error why a turn failed and exits 1', async () => {
    api.agent.script = () => Promise.reject(new Error('The model is not there.'));
    const run = await startCli(home.home, ['-z', 'go']).ended;
    expect(run).toEqual({ code: 1, stdout: '', stderr: 'hermes: The model is not there. (Model.Unavailable)\n' });
  });

  it('shows message and hint of a refused request', async () => {
    const error = { code: 'config', message: 'The model is unknown.', hint: 'hermes model shows them.' };
    api.overrides.push({ prefix: '/api/messages', reply: [422, { error }], times: 1 });
    const run = await startCli(home.home, ['-z', 'go', '-m', 'x:y']).ended;
    expect(run).toMatchObject({ code: 1, stderr: 'hermes: The model is unknown.\n  hermes model shows them.\n' });
  });

  it('gets the answer once from a service that is killed under it and comes back elsewhere', async () => {
    api.agent.script = async (turn) => {
      turn.say('half ');
      await turn.gate('go');
      turn.say('whole');
    };
    const run = startCli(home.home, ['-z', 'go']);
    await until('the long poll', () => api.count('GET', '/api/messages/') === 1);
    await api.kill();
    await until('word of the outage', () => run.stderr().includes('the service is away'));
    api.agent.open('go');
    await api.start();
    expect(await run.ended).toMatchObject({ code: 0, stdout: 'half whole\n' });
    expect(run.stderr()).toContain('the service is back');
    expect(api.agent.turns).toHaveLength(1);
  });

  it('repeats a message whose acceptance it never heard of, under the same id', async () => {
    let accepted = 0;
    const submit = api.agent.accept.bind(api.agent);
    api.agent.accept = (...message) => {
      accepted += 1;
      const created = submit(...message);
      if (accepted === 1) void api.kill();
      return created;
    };
    const run = startCli(home.home, ['-z', 'go']);
    await until('the first try', () => accepted === 1);
    await api.start();
    expect(await run.ended).toMatchObject({ code: 0, stdout: 'you said go\n' });
    const ids = api.requests
      .filter((one) => one.method === 'POST')
      .map((one) => (one.body as { inboundId: string }).inboundId);
    expect(ids.length).toBeGreaterThan(1);
    expect(new Set(ids).size).toBe(1);
    expect(api.agent.turns).toHaveLength(1);
  });

  it('waits for an approval and says how to give it', async () => {
    api.agent.script = async (turn) => {
      const { decision } = await turn.ask({ kind: 'approval', title: 'run_command: rm -r old' });
      turn.say(decision);
    };
    const run = startCli(home.home, ['-z', 'go']);
    await until('the hint', () => run.stderr().includes('hermes approvals approve ask:c2/1/1/0'));
    const approve = await startCli(home.home, ['approvals', 'approve', 'ask:c2/1/1/0']).ended;
    expect(approve.code).toBe(0);
    expect(await run.ended).toMatchObject({ code: 0, stdout: 'approve\n' });
    expect(run.stderr().match(/waiting for an approval/g)).toHaveLength(1);
  });

  it('exits 3 instead of waiting with --no-wait', async () => {
    api.agent.script = async (turn) => {
      await turn.ask({ kind: 'question', title: 'Which?' });
    };
    const run = await startCli(home.home, ['-z', 'go', '--no-wait']).ended;
    expect(run).toMatchObject({ code: 3, stdout: '' });
    expect(run.stderr).toContain('hermes approvals answer ask:c2/1/1/0');
  });

  it('stops the turn on Ctrl-C and exits 130', async () => {
    api.agent.script = (turn) => turn.gate('never');
    const run = startCli(home.home, ['-z', 'go']);
    await until('the long poll', () => api.count('GET', '/api/messages/') === 1);
    run.child.kill('SIGINT');
    expect(await run.ended).toMatchObject({ code: 130, stdout: '' });
    expect(api.agent.turns[0]?.state).toBe('interrupted');
  });
});

describe('hermes without a terminal', () => {
  it('answers the lines of standard input one by one in the current conversation', async () => {
    const run = await startCli(home.home, [], 'one\n\ntwo\r\n').ended;
    expect(run).toEqual({ code: 0, stdout: 'you said one\nyou said two\n', stderr: '' });
    expect(api.agent.turns.map((turn) => [turn.conversationId, turn.turn])).toEqual([
      ['c1', 1],
      ['c1', 2],
    ]);
  });

  it('takes the line after a question as its answer', async () => {
    api.agent.script = async (turn) => {
      const { answer } = await turn.ask({ kind: 'question', title: 'Which colour?' });
      turn.say(`painted ${answer ?? ''}`);
    };
    const run = await startCli(home.home, [], 'paint\nblue\n').ended;
    expect(run).toMatchObject({ code: 0, stdout: 'painted blue\n' });
    expect(run.stderr).toContain('question: Which colour?');
  });

  it('goes on after a line that failed and exits 1', async () => {
    api.agent.script = (turn) => (turn.text === 'bad' ? Promise.reject(new Error('No.')) : echo(turn));
    const run = await startCli(home.home, ['-c', 'work'], 'bad\ngood\n').ended;
    expect(run).toEqual({ code: 1, stdout: 'you said good\n', stderr: 'hermes: No.\n' });
  });
});

describe('hermes', () => {
  it('names the nearest command for an unknown one', async () => {
    const run = await startCli(home.home, ['conversatons']).ended;
    expect(run.code).toBe(2);
    expect(run.stderr).toBe('hermes: There is no command "conversatons".\n  Did you mean: hermes conversations\n');
  });

  it('prints version and help', async () => {
    expect((await startCli(home.home, ['--version']).ended).stdout).toMatch(/^\d+\.\d+\.\d+/);
    const help = (await startCli(home.home, ['--help']).ended).stdout;
    for (const name of ['chat', 'status', 'conversations', 'backup'])
      expect(help).toMatch(new RegExp(`^  ${name} `, 'm'));
  });

  it('refuses a wrong option with exit code 2', async () => {
    const run = await startCli(home.home, ['--jsn']).ended;
    expect(run.code).toBe(2);
    expect(run.stderr).toContain('--jsn');
  });
});

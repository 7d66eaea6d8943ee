import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Script } from '../support/fake-agent.ts';
import { FakeApi } from '../support/fake-api.ts';
import { PtyChat } from '../support/pty-chat.ts';
import { temporaryHome } from '../support/run-cli.ts';

const echo: Script = (turn) => {
  turn.say(`you said ${turn.text}`);
  return Promise.resolve();
};

let home: ReturnType<typeof temporaryHome>;
let api: FakeApi;
let chat: PtyChat;

async function open(args: string[] = [], env: Record<string, string> = {}): Promise<void> {
  chat = new PtyChat(home.home, args, { columns: 80, rows: 24 }, env);
  await chat.shows('›');
}

beforeEach(async () => {
  home = temporaryHome();
  api = new FakeApi(home.home, echo);
  await api.start();
});
afterEach(async () => {
  chat.kill();
  await api.stop();
  home.remove();
});

describe('talking', () => {
  it('streams an answer as rendered Markdown and prints it once', async () => {
    api.agent.script = async (turn) => {
      turn.say('# Result\n\nThe **first');
      await turn.gate('middle');
      turn.say('** part.\n\n- one\n- two\n');
      await turn.gate('end');
      turn.say('\n```ts\nconst a = 1;\n```\n');
    };
    await open();
    chat.type('go on\r');
    await chat.shows('The **first');
    expect(chat.text()).toContain('# Result');
    api.agent.open('middle');
    await chat.shows('• two');
    api.agent.open('end');
    await chat.shows('const a = 1;');
    await chat.until('the turn is over', () => !chat.text().includes('Ctrl-C stops'));
    expect(chat.text()).toContain('The first part.');
    for (const once of ['# Result', 'The first part.', '• one', '• two', 'const a = 1;', '› go on']) {
      expect([once, chat.count(once)]).toEqual([once, 1]);
    }
  });

  it('shows tool calls in one line each, live and finished', async () => {
    api.agent.script = async (turn) => {
      turn.say('Looking.');
      const ls = turn.toolStarted('run_command', 'run_command: ls -la');
      await turn.gate('done');
      turn.toolFinished(ls);
      turn.say('Nothing there.');
    };
    await open();
    chat.type('look\r');
    await chat.shows('run_command: ls -la');
    await chat.shows('working');
    expect(chat.text()).not.toContain('✓ run_command');
    api.agent.open('done');
    await chat.shows('✓ run_command: ls -la 1.2 s');
    await chat.shows('Nothing there.');
    await chat.until('the turn is over', () => !chat.text().includes('Ctrl-C stops'));
    expect(chat.count('run_command: ls -la')).toBe(1);
    expect(chat.text().indexOf('Looking.')).toBeLessThan(chat.text().indexOf('✓ run_command'));
  });

  it('takes no escape sequence from the model', async () => {
    api.agent.script = (turn) => {
      turn.say('safe \u001b]0;owned\u0007\u001b[2J\u001b[31mred\u001b[0m text');
      return Promise.resolve();
    };
    await open();
    chat.type('x\r');
    await chat.shows('safe red text');
    expect(chat.raw).not.toContain('owned');
    expect(chat.raw).not.toContain('\u001b[2J');
  });

  it('writes no colours with NO_COLOR', async () => {
    await open([], { NO_COLOR: '1' });
    chat.type('a **bold** word\r');
    await chat.shows('you said a bold word');
    expect(chat.raw).not.toMatch(/\u001b\[[0-9;]*m/);
  });

  it('steers a running turn with what is typed meanwhile', async () => {
    api.agent.script = async (turn) => {
      turn.say('working on it');
      await turn.gate('steered');
      turn.say(`, now ${turn.steered.join('')}`);
    };
    await open();
    chat.type('begin\r');
    await chat.shows('working on it');
    chat.type('use blue\r');
    await chat.shows('› use blue');
    await chat.until('the message is there', () => api.agent.turns[0]?.steered.length === 1);
    api.agent.open('steered');
    await chat.shows('working on it, now use blue');
    expect(api.agent.turns).toHaveLength(1);
    expect(chat.count('› use blue')).toBe(1);
  });

  it('asks for approvals and questions and takes the answer from the input line', async () => {
    api.agent.script = async (turn) => {
      const first = await turn.ask({ kind: 'approval', title: 'run_command: rm -r old' });
      const second = await turn.ask({ kind: 'question', title: 'Which colour?', choices: ['red', 'blue'] });
      turn.say(`${first.decision} for ${first.scope}, ${second.answer ?? ''}`);
    };
    await open();
    chat.type('go\r');
    await chat.shows('? run_command: rm -r old');
    await chat.shows('Type y (once)');
    chat.type('c\r');
    await chat.shows('? Which colour?');
    expect(chat.text()).toContain('2. blue');
    chat.type('blue\r');
    await chat.shows('approve for conversation, blue');
  });
});

describe('Ctrl-C', () => {
  it('stops the turn, and leaves when nothing runs', async () => {
    api.agent.script = async (turn) => {
      turn.say('endless');
      await turn.gate('never');
    };
    await open();
    chat.type('go\r');
    await chat.shows('endless');
    chat.type('\u0003');
    await chat.shows('Interrupted.');
    expect(api.agent.turns[0]?.state).toBe('interrupted');
    await new Promise((done) => setTimeout(done, 2_100));
    chat.type('\u0003');
    expect(await chat.ended()).toBe(0);
  });

  it('pressed twice leaves a turn that cannot be stopped, and the work goes on', async () => {
    api.agent.script = (turn) => turn.gate('late');
    await open();
    chat.type('go\r');
    await chat.shows('thinking');
    api.overrides.push({
      prefix: '/api/conversations/c1/interrupt',
      reply: [409, { error: { code: 'x', message: 'No.' } }],
      times: 1,
    });
    chat.type('\u0003');
    await chat.shows('Ctrl-C again leaves');
    chat.type('\u0003');
    expect(await chat.ended()).toBe(0);
    expect(chat.text()).toContain('The work goes on');
    expect(api.agent.turns[0]?.state).toBe('running');
  });
});

describe('coming back', () => {
  it('shows what was said last and attaches to the running turn', async () => {
    api.agent.script = async (turn) => {
      turn.say('first half');
      await turn.gate('rest');
      turn.say(', second half');
    };
    await open();
    chat.type('long work\r');
    await chat.shows('first half');
    chat.type('\u0004');
    expect(await chat.ended()).toBe(0);
    chat.kill();
    await open();
    await chat.shows('first half');
    expect(chat.text()).toContain('› long work');
    api.agent.open('rest');
    await chat.shows('first half, second half');
    expect(chat.count('first half')).toBe(1);
  });

  it('prints an answer once when the service is killed while it streams', async () => {
    api.agent.script = async (turn) => {
      turn.say('Paragraph one is finished.\n\nParagraph two ');
      await turn.gate('while away');
      turn.say('goes on.\n\n');
      const call = turn.toolStarted('read_file', 'read_file: notes');
      turn.toolFinished(call);
      turn.say('Final words');
      await turn.gate('end');
      turn.say(' are here.');
    };
    await open();
    chat.type('go\r');
    await chat.shows('Paragraph two');
    await api.kill();
    api.agent.open('while away');
    await chat.shows('the service is away');
    chat.type('typed meanwhile\r');
    await api.start();
    await chat.shows('Final words');
    api.agent.open('end');
    await chat.shows('Final words are here.');
    await chat.until('the message arrived', () => api.agent.inbound.size === 2);
    const once = [
      'Paragraph one is finished.',
      'Paragraph two goes on.',
      'read_file',
      'Final words are here.',
      '› go',
      '› typed meanwhile',
    ];
    for (const text of once) expect([text, chat.count(text)]).toEqual([text, 1]);
    expect(chat.text()).not.toContain('the service is away');
  });

  it('gets the answer that was finished while the service was away', async () => {
    api.agent.script = async (turn) => {
      turn.say('Begun');
      await turn.gate('while away');
      turn.say(' and done.');
    };
    await open();
    chat.type('go\r');
    await chat.shows('Begun');
    await api.kill();
    api.agent.open('while away');
    await new Promise((done) => setTimeout(done, 200));
    await api.start();
    await chat.shows('Begun and done.');
    await chat.until('the turn is over', () => !chat.text().includes('Ctrl-C stops'));
    expect(chat.count('Begun')).toBe(1);
  });

  it('goes on in place when a second attempt says the same, and from the start when it says something else', async () => {
    api.agent.script = async (turn) => {
      turn.say('Same beginning.\n\nThe tail');
      await turn.gate('again');
      turn.newAttempt();
      turn.say('Same beginning.\n\nThe tail is long.\n\nMore');
      await turn.gate('other');
      turn.newAttempt();
      turn.say('Something else.');
    };
    await open();
    chat.type('go\r');
    await chat.shows('The tail');
    api.agent.open('again');
    await chat.shows('The tail is long.');
    expect(chat.count('Same beginning.')).toBe(1);
    api.agent.open('other');
    await chat.shows('Something else.');
    expect(chat.text()).toContain('The answer begins again:');
  });
});

describe('the input line', () => {
  it('keeps a paste of several lines as one message', async () => {
    await open();
    chat.type('\u001b[200~line one\rline two\u001b[201~');
    await chat.shows('line two');
    expect(api.agent.inbound.size).toBe(0);
    chat.type('\r');
    await chat.until('the message', () => api.agent.inbound.size === 1);
    expect([...api.agent.inbound.values()][0]?.text).toBe('line one\nline two');
  });

  it('goes on in the next line after a backslash', async () => {
    await open();
    chat.type('one\\\rtwo\r');
    await chat.until('the message', () => api.agent.inbound.size === 1);
    expect([...api.agent.inbound.values()][0]?.text).toBe('one\ntwo');
  });

  it('recalls what was typed, also in the next chat, from a file for its owner alone', async () => {
    await open();
    chat.type('first words\r');
    await chat.shows('you said first words');
    chat.type('\u0004');
    await chat.ended();
    chat.kill();
    const file = join(home.home, 'chat-history');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).toBe('"first words"\n');
    await open();
    chat.type('\u001b[A!\r');
    await chat.shows('you said first words!');
  });

  it('completes commands and their arguments', async () => {
    await open();
    chat.type('/mod\t');
    await chat.shows('› /model');
    chat.type('fake:t\t');
    await chat.shows('› /model fake:two');
    chat.type('\r');
    await chat.shows('From the next step on: fake:two');
    expect(api.agent.view('c1').model).toBe('fake:two');
  });

  it('names the nearest command for an unknown one', async () => {
    await open();
    chat.type('/modle\r');
    await chat.shows('Did you mean /model?');
  });

  it('stays usable and is redrawn whole when the terminal is resized', async () => {
    api.agent.script = async (turn) => {
      turn.say('A first paragraph that is done.\n\nword '.concat('word '.repeat(40)));
      await turn.gate('end');
      turn.say('last.');
    };
    await open();
    chat.type('go\r');
    await chat.shows('A first paragraph that is done.');
    chat.type('half a line that is rather long so that it has to wrap in a narrow terminal');
    await chat.shows('narrow terminal');
    chat.resize(40, 20);
    await new Promise((done) => setTimeout(done, 300));
    chat.resize(100, 30);
    await new Promise((done) => setTimeout(done, 300));
    chat.type('!\r');
    await chat.until('the message', () => api.agent.inbound.size === 2);
    expect([...api.agent.inbound.values()][1]?.text).toMatch(/^half a line .* terminal!$/);
    api.agent.open('end');
    await chat.shows('word last.');
    await chat.until('the turn is over', () => !chat.text().includes('Ctrl-C stops'));
    expect(chat.count('A first paragraph that is done.')).toBe(1);
    expect(chat.count('word last.')).toBe(1);
    for (const once of ['Hermes · a new', '› go', '› half a line']) expect([once, chat.count(once)]).toEqual([once, 1]);
  });
});

describe('slash commands', () => {
  it('begin, title, list and resume conversations', async () => {
    await open();
    chat.type('/new Second\r');
    await chat.shows('Hermes · Second');
    chat.type('hello\r');
    await chat.shows('you said hello');
    expect([...api.agent.inbound.values()][0]?.conversationId).toBe('c2');
    expect(api.agent.currentId()).toBe('c2');
    chat.type('/title Renamed\r');
    await chat.shows('Title: Renamed');
    chat.type('/conv\r');
    await chat.shows('Renamed');
    chat.type('/resume c1\r');
    await chat.until('the first conversation', () => api.agent.currentId() === 'c1');
  });

  it('take the last turn back into the input line', async () => {
    await open();
    chat.type('hello\r');
    await chat.shows('you said hello');
    chat.type('/undo\r');
    await chat.shows('› what you said');
  });

  it('leave with /quit', async () => {
    await open();
    chat.type('/quit\r');
    expect(await chat.ended()).toBe(0);
  });
});

import { describe, expect, it } from 'vitest';
import { readCommands } from '../../../src/models/demo-commands.ts';
import { answerDemo, createDemoProvider } from '../../../src/models/demo.ts';
import type { ModelMessage, ModelRequest } from '../../../src/models/provider.ts';
import { askUser } from '../../../src/tools/ask-user.ts';
import { editFile } from '../../../src/tools/edit-file.ts';
import { listFiles } from '../../../src/tools/list-files.ts';
import { loadConversation } from '../../../src/tools/load-conversation.ts';
import { memory } from '../../../src/tools/memory.ts';
import { process as processTool } from '../../../src/tools/process.ts';
import { readFile } from '../../../src/tools/read-file.ts';
import { runCommand } from '../../../src/tools/run-command.ts';
import { searchConversations } from '../../../src/tools/search-conversations.ts';
import { searchFiles } from '../../../src/tools/search-files.ts';
import { todo } from '../../../src/tools/todo.ts';
import { webFetch } from '../../../src/tools/web-fetch.ts';
import { writeFile } from '../../../src/tools/write-file.ts';

const tools = [
  askUser,
  editFile,
  listFiles,
  loadConversation,
  memory,
  processTool,
  readFile,
  runCommand,
  searchConversations,
  searchFiles,
  todo,
  webFetch,
  writeFile,
];

function request(messages: readonly (ModelMessage | string)[], names = tools.map((tool) => tool.name)): ModelRequest {
  return {
    model: 'demo',
    system: '',
    messages: messages.map((message) => (typeof message === 'string' ? { role: 'user', text: message } : message)),
    tools: names.map((name) => ({ name, description: '', parameters: {} })),
  };
}

const phrases: readonly [string, string, Record<string, unknown>][] = [
  ['run ls -la', 'run_command', { command: 'ls -la' }],
  ['Please run `echo "a b"`', 'run_command', { command: 'echo "a b"' }],
  ['$ make test', 'run_command', { command: 'make test' }],
  ['start npm run dev in the background', 'run_command', { command: 'npm run dev', background: true }],
  ['processes', 'process', { action: 'list' }],
  ['kill c/1/1/0', 'process', { action: 'kill', id: 'c/1/1/0' }],
  ['wait for c/1/1/0', 'process', { action: 'wait', id: 'c/1/1/0' }],
  ['output of c/1/1/0', 'process', { action: 'read', id: 'c/1/1/0' }],
  ['remember that I like tea.', 'memory', { action: 'add', text: 'I like tea.' }],
  ['forget m1', 'memory', { action: 'remove', id: 'm1' }],
  ['search conversations for holiday plans', 'search_conversations', { query: 'holiday plans' }],
  ['search holiday', 'search_conversations', { query: 'holiday' }],
  ['load conversation main-1', 'load_conversation', { id: 'main-1' }],
  ['find TODO in src', 'search_files', { pattern: 'TODO', path: 'src' }],
  ['find "two words"', 'search_files', { pattern: 'two words' }],
  ['find files *.md in docs', 'search_files', { pattern: '*.md', target: 'name', path: 'docs' }],
  ['fetch example.org', 'web_fetch', { url: 'https://example.org' }],
  ['fetch http://127.0.0.1:1/x', 'web_fetch', { url: 'http://127.0.0.1:1/x' }],
  ['read notes.txt', 'read_file', { path: 'notes.txt' }],
  ['write notes.txt: buy milk', 'write_file', { path: 'notes.txt', content: 'buy milk\n' }],
  ['write a.sh:\nrun one\nrun two\n', 'write_file', { path: 'a.sh', content: 'run one\nrun two\n' }],
  ['edit notes.txt: milk => bread', 'edit_file', { path: 'notes.txt', oldText: 'milk', newText: 'bread' }],
  ['list', 'list_files', {}],
  ['list files in src/models', 'list_files', { path: 'src/models' }],
  ['todo', 'todo', {}],
  [
    'todo: [x] call mum, buy milk',
    'todo',
    {
      items: [
        { text: 'call mum', state: 'done' },
        { text: 'buy milk', state: 'open' },
      ],
    },
  ],
  ['ask me which colour? (red/green)', 'ask_user', { question: 'which colour?', choices: ['red', 'green'] }],
  ['ask me how I am', 'ask_user', { question: 'how I am' }],
];

describe('plain words', () => {
  it.each(phrases)('%j', (words, name, args) => {
    expect(readCommands(words)).toEqual([{ name, args }]);
    // What the tool itself takes.
    expect(tools.find((tool) => tool.name === name)?.input.safeParse(args).success).toBe(true);
  });

  it('reach every tool', () => {
    expect(new Set(phrases.map(([, name]) => name))).toEqual(new Set(tools.map((tool) => tool.name)));
  });

  it('one per line are several calls', () => {
    expect(readCommands('run date\nread a.txt').map((call) => call.name)).toEqual(['run_command', 'read_file']);
  });

  it.each(['hello', 'what can you do?', 'runaway', 'I want to read the file and then write a poem about it'])(
    '%j ask for nothing',
    (words) => {
      expect(readCommands(words)).toEqual([]);
    },
  );
});

describe('an answer of demo', () => {
  const ls: ModelMessage = {
    role: 'assistant',
    text: '',
    toolCalls: [{ id: 'a', name: 'run_command', argumentsText: '{}' }],
  };
  const result: ModelMessage = { role: 'tool', callId: 'a', name: 'run_command', text: 'notes.txt\n[exit 0]' };

  it('is the call, then the result in words', () => {
    const first = answerDemo(request(['run ls']));
    expect(first).toMatchObject({
      text: '',
      finishReason: 'tool-calls',
      toolCalls: [{ name: 'run_command', argumentsText: '{"command":"ls"}' }],
    });
    const second = answerDemo(request(['run ls', ls, result]));
    expect(second.text).toContain('notes.txt');
    expect(second.toolCalls).toEqual([]);
  });

  it('says once in a conversation that it is no language model', () => {
    const first = answerDemo(request(['run ls', ls, result]));
    expect(first.text).toContain('no language model');
    const messages = ['run ls', ls, result, { role: 'assistant', text: first.text, toolCalls: [] } as const, 'hello'];
    expect(answerDemo(request(messages)).text).not.toContain('no language model');
  });

  it('is help with examples of the tools at hand where it understands nothing', () => {
    const { text } = answerDemo(request(['hello']));
    expect(text).toContain('run ls -la');
    expect(text).toContain('no language model');
    expect(answerDemo(request(['hello'], ['todo'])).text).not.toContain('run ls');
  });

  it('reports results and follows a message that came meanwhile', () => {
    const answer = answerDemo(request(['run ls', ls, result, 'read notes.txt']));
    expect(answer.text).toContain('notes.txt');
    expect(answer.toolCalls.map((call) => call.name)).toEqual(['read_file']);
  });

  it('does not take a note of the system for a wish', () => {
    const answer = answerDemo(request(['[note of the system: the turn was interrupted]', 'run ls']));
    expect(answer.text).toBe('');
    expect(answer.toolCalls).toHaveLength(1);
  });

  it('says where a tool is missing', () => {
    const answer = answerDemo(request(['run ls'], []));
    expect(answer.toolCalls).toEqual([]);
    expect(answer.text).toContain('no tool `run_command`');
  });

  it('keeps a result in its fence', () => {
    const fenced = { ...result, text: 'a\n```\nb' };
    expect(answerDemo(request(['run ls', ls, fenced])).text).toContain('````\na\n```\nb\n````');
  });

  it('is the same for the same request, with ids of its own for each call and step', () => {
    const one = request(['run date\nrun date']);
    expect(answerDemo(one)).toEqual(answerDemo(one));
    const ids = [one, request(['run date\nrun date', ls, result, 'run date'])].flatMap((each) =>
      answerDemo(each).toolCalls.map((call) => call.id),
    );
    expect(new Set(ids).size).toBe(3);
  });

  it('streams in small pieces and stops when told to', async () => {
    const heard: string[] = [];
    const provider = createDemoProvider();
    const { text } = await provider.generate(request(['hello']), {
      signal: new AbortController().signal,
      onDelta: (delta) => heard.push(delta.text),
    });
    expect(heard.join('')).toBe(text);
    expect(heard.length).toBeGreaterThan(5);

    const controller = new AbortController();
    const reason = new Error('enough');
    const stopped = provider.generate(request(['hello']), {
      signal: controller.signal,
      onDelta: () => controller.abort(reason),
    });
    await expect(stopped).rejects.toBe(reason);
  });
});

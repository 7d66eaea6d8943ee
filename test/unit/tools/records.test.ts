import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conversationId, openToolBench, personId, type ToolBench } from './support/tool-bench.ts';

let bench: ToolBench;
beforeAll(async () => {
  bench = await openToolBench();
});
afterAll(() => bench.close());

describe('todo', () => {
  it('replaces and reads the list of the conversation', async () => {
    expect((await bench.call('todo', {})).text).toBe('The list is empty.');
    const items = [
      { text: 'look', state: 'done' },
      { text: 'leap', state: 'doing' },
      { text: 'land', state: 'open' },
    ];
    await bench.call('todo', { items });
    const read = await bench.call('todo', {});
    expect(read.text).toBe('[x] look\n[>] leap\n[ ] land');
    expect(read.preview).toBe('1 of 3 done');
  });
});

describe('ask_user', () => {
  it('plans a question and returns the answer', async () => {
    const args = { question: 'Which colour?', choices: ['red', 'blue'] };
    const planned = await bench.plan('ask_user', args);
    expect(planned).toMatchObject({ plan: { question: { text: 'Which colour?', choices: ['red', 'blue'] } } });
    expect((await bench.call('ask_user', args, { answer: 'green, please' })).text).toBe('green, please');
    expect((await bench.call('ask_user', args, { answer: '2' })).text).toBe('blue');
    expect((await bench.call('ask_user', { question: 'How many?' }, { answer: '2' })).text).toBe('2');
    expect((await bench.call('ask_user', args)).status).toBe('error');
  });
});

describe('memory', () => {
  it('keeps a fact once, changes it and drops it', async () => {
    const options = { callKey: 'main/2/1/0' };
    const add = { action: 'add', text: 'Ada prefers tea.' };
    await bench.call('memory', add, options);
    await bench.call('memory', add, { ...options, attempt: 2 });
    await bench.call('memory', { action: 'add', text: 'ada prefers  tea' });
    const [fact, ...others] = await bench.store.memories.list(personId);
    expect(others).toEqual([]);
    const id = fact?.id ?? '';
    expect((await bench.call('memory', { action: 'replace', id, text: 'Ada prefers coffee.' })).status).toBe('ok');
    expect((await bench.store.memories.list(personId)).map((one) => one.text)).toEqual(['Ada prefers coffee.']);
    const removal = { callKey: 'main/2/2/0' };
    expect((await bench.call('memory', { action: 'remove', id }, removal)).status).toBe('ok');
    expect((await bench.call('memory', { action: 'remove', id }, { ...removal, attempt: 2 })).status).toBe('ok');
    expect(await bench.store.memories.list(personId)).toEqual([]);
  });

  it('shows what is kept when an id is unknown, and asks for what is missing', async () => {
    await bench.call('memory', { action: 'add', text: 'Ada lives in Turin.' });
    const unknown = await bench.call('memory', { action: 'remove', id: 'm-none' });
    expect(unknown.status).toBe('error');
    expect(unknown.text).toContain('Ada lives in Turin.');
    expect((await bench.call('memory', { action: 'add' })).text).toContain('needs text');
    expect((await bench.call('memory', { action: 'replace', text: 'x' })).text).toContain('needs id');
  });

  it('keeps no secrets', async () => {
    const result = await bench.call('memory', { action: 'add', text: 'The password: hunter2-hunter2' });
    expect(result).toMatchObject({ status: 'error' });
  });
});

describe('search_conversations and load_conversation', () => {
  it('finds and loads what was said', async () => {
    await bench.store.inbox.accept({
      id: 'inbound-1',
      conversationId,
      personId,
      platform: 'cli',
      text: 'The parrot is called Ulysses.',
    });
    await bench.store.steps.begin({ conversationId, turn: 1, step: 1, inboundIds: ['inbound-1'] });
    const found = await bench.call('search_conversations', { query: 'what is the name of the parrot?' });
    expect(found.text).toContain('Ulysses');
    expect(found.text).toContain(`in ${conversationId}`);
    expect((await bench.call('load_conversation', { id: conversationId })).text).toContain('Ulysses');
    expect((await bench.call('search_conversations', { query: 'zeppelin' })).text).toContain('Nothing found');
    expect((await bench.call('load_conversation', { id: 'nope' })).status).toBe('error');
  });
});

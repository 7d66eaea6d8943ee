import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createOpenAiCompatible } from '../../../src/models/openai-compatible.ts';
import type { ModelRequest } from '../../../src/models/provider.ts';
import {
  calls,
  events,
  finishEvent,
  huge,
  openStream,
  raw,
  startModelServer,
  status,
  text,
  textEvent,
  type ModelServer,
} from '../../support/model-server.ts';
import { ask, delta, key, prompt, provider, request } from './ask.ts';

let server: ModelServer;
beforeEach(async () => {
  server = await startModelServer();
});
afterEach(() => server.stop());

const here = () => ({ baseUrl: server.baseUrl });
const callDelta = (...pieces: Record<string, unknown>[]) => delta({ tool_calls: pieces });

describe('an answer', () => {
  it('streams as it comes and arrives whole, with usage', async () => {
    server.next(
      text('The quick brown fox jumps over the lazy dog.', { usage: { prompt_tokens: 11, completion_tokens: 7 } }),
    );
    const { answer, heard } = await ask(here());
    expect(answer).toEqual({
      text: 'The quick brown fox jumps over the lazy dog.',
      reasoning: '',
      toolCalls: [],
      usage: { inputTokens: 11, outputTokens: 7, cachedInputTokens: 0 },
      finishReason: 'stop',
      model: 'test-model',
    });
    expect(heard.answer).toBe(answer.text);
    expect(heard.deltas).toBeGreaterThan(1);
  });

  it('sends the system prompt, the transcript, the tools and the key', async () => {
    await ask({ ...here(), headers: { 'x-extra': 'yes' } }, { maxOutputTokens: 99 });
    const [sent] = server.requests;
    expect(sent?.headers['authorization']).toBe(`Bearer ${key}`);
    expect(sent?.headers['x-extra']).toBe('yes');
    expect(sent?.body).toMatchObject({
      model: 'test-model',
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: 99,
      messages: [
        { role: 'system', content: 'You are a plain assistant.' },
        { role: 'user', content: prompt },
      ],
      tools: [{ type: 'function', function: { name: 'run_command' } }],
    });
  });

  it('goes out without a key where none is set', async () => {
    await createOpenAiCompatible({ id: 'ollama', baseUrl: server.baseUrl }).generate(request, {
      signal: new AbortController().signal,
      onDelta: () => undefined,
    });
    expect(server.requests[0]?.headers['authorization']).toBeUndefined();
  });

  it('keeps reasoning apart from the answer, whatever it is called', async () => {
    server.next(
      events(
        delta({ reasoning: 'Let me ' }),
        delta({ reasoning: 'see.' }),
        delta({ content: 'Four.' }, 'stop'),
        '[DONE]',
      ),
      events(delta({ reasoning_content: 'Let me see.' }), delta({ content: 'Four.' }, 'stop'), '[DONE]'),
      events(
        delta({ content: '<thi' }),
        delta({ content: 'nk>Let me see.</th' }),
        delta({ content: 'ink>\n\nFour.' }, 'stop'),
        '[DONE]',
      ),
    );
    for (let round = 0; round < 3; round += 1) {
      const { answer, heard } = await ask(here());
      expect(answer).toMatchObject({ text: 'Four.', reasoning: 'Let me see.' });
      expect(heard).toMatchObject({ answer: 'Four.', reasoning: 'Let me see.' });
    }
  });

  it('brings calls with text before them', async () => {
    server.next(
      calls(
        'Looking.',
        { name: 'run_command', args: { command: 'ls' }, id: 'call_1' },
        { name: 'read_file', args: '{"pa' },
      ),
    );
    const { answer } = await ask(here());
    expect(answer.text).toBe('Looking.');
    expect(answer.finishReason).toBe('tool-calls');
    expect(answer.toolCalls).toEqual([
      { id: 'call_1', name: 'run_command', argumentsText: '{"command":"ls"}' },
      { id: expect.stringMatching(/^call_/) as string, name: 'read_file', argumentsText: '{"pa' },
    ]);
  });

  it('takes a completion that was not streamed', async () => {
    server.next(
      raw((_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(
          JSON.stringify({ model: 'm', choices: [{ message: { content: 'In one piece.' }, finish_reason: 'stop' }] }),
        );
      }),
    );
    expect((await ask(here())).answer.text).toBe('In one piece.');
  });

  it('is complete without [DONE] once a finish reason came, even when the connection then breaks', async () => {
    server.next(
      events(delta({ content: 'Enough.' }, 'stop')),
      raw(async (asked, response) => {
        openStream(response);
        response.write(textEvent(asked, 'Enough.'));
        response.write(finishEvent(asked).replace('data: [DONE]\n\n', ''));
        await sleep(30);
        response.destroy();
      }),
    );
    expect((await ask(here())).answer.text).toBe('Enough.');
    expect((await ask(here())).answer.text).toBe('Enough.');
  });

  it('does not wait for a connection that stays open after [DONE]', async () => {
    server.next(
      raw((asked, response) => {
        openStream(response);
        response.write(textEvent(asked, 'Done.') + finishEvent(asked));
      }),
    );
    expect((await ask({ ...here(), stallTimeoutMs: 5000 })).answer.text).toBe('Done.');
  });

  it('may be 5 MB long', async () => {
    server.next(huge(5 * 1024 * 1024));
    const { answer, heard } = await ask(here());
    expect(answer.text).toHaveLength(5 * 1024 * 1024);
    expect(heard.answer).toHaveLength(5 * 1024 * 1024);
  });

  it('may be 5 MB long in one event', async () => {
    server.next(events(delta({ content: 'x'.repeat(5 * 1024 * 1024) }, 'stop'), '[DONE]'));
    expect((await ask(here())).answer.text).toHaveLength(5 * 1024 * 1024);
  });

  it('is heard while it is still being written', async () => {
    let release: () => void = () => undefined;
    const heard = new Promise<void>((resolve) => (release = resolve));
    server.next(
      raw(async (asked, response) => {
        openStream(response);
        response.write(textEvent(asked, 'first'));
        // The second half waits until the caller has seen the first.
        await heard;
        response.end(textEvent(asked, ' second') + finishEvent(asked));
      }),
    );
    const answer = await provider(here()).generate(request, {
      signal: new AbortController().signal,
      onDelta: () => release(),
    });
    expect(answer.text).toBe('first second');
  });
});

describe('usage', () => {
  it('takes cost and cached tokens where they are told', async () => {
    const usage = {
      prompt_tokens: 100,
      completion_tokens: 5,
      prompt_tokens_details: { cached_tokens: 80 },
      cost: 0.0123,
    };
    server.next(events(delta({ content: 'hi' }, 'stop'), { choices: [], usage }, '[DONE]'));
    expect((await ask(here())).answer.usage).toEqual({
      inputTokens: 100,
      outputTokens: 5,
      cachedInputTokens: 80,
      costUsd: 0.0123,
    });
  });

  it('is estimated by length where the server tells none', async () => {
    server.next(events(delta({ content: 'x'.repeat(400) }, 'stop'), '[DONE]'));
    const { usage } = (await ask(here())).answer;
    expect(usage.outputTokens).toBe(100);
    expect(usage.inputTokens).toBeGreaterThan(10);
  });

  it('is not asked for again once a server has refused to tell it', async () => {
    server.when(
      (asked) => 'stream_options' in asked.body,
      status(400, { message: 'Unrecognized request argument supplied: stream_options' }),
    );
    const one = provider(here());
    const control = { signal: new AbortController().signal, onDelta: () => undefined };
    expect((await one.generate(request, control)).text).toBe('ok');
    expect((await one.generate(request, control)).text).toBe('ok');
    expect(server.requests.map((asked) => 'stream_options' in asked.body)).toEqual([true, false, false]);
  });
});

describe('tool calls of servers that stream them their own way', () => {
  const fn = (name: string | undefined, args: unknown) => ({
    ...(name === undefined ? {} : { name }),
    arguments: args,
  });
  const cases: { title: string; stream: unknown[]; names: string[]; args: string[] }[] = [
    {
      title: 'several, interleaved by index',
      stream: [
        callDelta({ index: 0, id: 'a', function: fn('one', '{"x"') }, { index: 1, id: 'b', function: fn('two', '') }),
        callDelta({ index: 1, function: fn(undefined, '{"y":2}') }),
        callDelta({ index: 0, function: fn(undefined, ':1}') }),
      ],
      names: ['one', 'two'],
      args: ['{"x":1}', '{"y":2}'],
    },
    {
      title: 'without ids',
      stream: [callDelta({ index: 0, function: fn('one', '{}') }), callDelta({ index: 1, function: fn('two', '{}') })],
      names: ['one', 'two'],
      args: ['{}', '{}'],
    },
    {
      title: 'with the same id twice',
      stream: [
        callDelta({ index: 0, id: 'a', function: fn('one', '{}') }),
        callDelta({ index: 1, id: 'a', function: fn('two', '{}') }),
      ],
      names: ['one', 'two'],
      args: ['{}', '{}'],
    },
    {
      title: 'with id and name in every piece',
      stream: [
        callDelta({ index: 0, id: 'a', function: fn('one', '{"x"') }),
        callDelta({ index: 0, id: 'a', function: fn('one', ':1}') }),
      ],
      names: ['one'],
      args: ['{"x":1}'],
    },
    {
      title: 'all at index 0 with ids of their own',
      stream: [
        callDelta({ index: 0, id: 'a', function: fn('one', '{"x":1}') }),
        callDelta({ index: 0, id: 'b', function: fn('one', '{"x":2}') }),
      ],
      names: ['one', 'one'],
      args: ['{"x":1}', '{"x":2}'],
    },
    {
      title: 'all at index 0 without ids',
      stream: [
        callDelta({ index: 0, function: fn('one', '{"x":1}') }),
        callDelta({ index: 0, function: fn('one', '{"x":2}') }),
      ],
      names: ['one', 'one'],
      args: ['{"x":1}', '{"x":2}'],
    },
    {
      title: 'whole and without index',
      stream: [callDelta({ id: 'a', function: fn('one', '{"x":1}') }, { id: 'b', function: fn('two', '{"y":2}') })],
      names: ['one', 'two'],
      args: ['{"x":1}', '{"y":2}'],
    },
    {
      title: 'in pieces with neither index nor id',
      stream: [callDelta({ function: fn('one', '{"x"') }), callDelta({ function: fn(undefined, ':1}') })],
      names: ['one'],
      args: ['{"x":1}'],
    },
    {
      title: 'with arguments as an object',
      stream: [callDelta({ index: 0, id: 'a', function: fn('one', { x: 1 }) })],
      names: ['one'],
      args: ['{"x":1}'],
    },
    {
      title: 'with a name in two pieces',
      stream: [
        callDelta({ index: 0, id: 'a', function: fn('run_', '') }),
        callDelta({ index: 0, function: fn('command', '{}') }),
      ],
      names: ['run_command'],
      args: ['{}'],
    },
    {
      title: 'without name and arguments',
      stream: [callDelta({ index: 0, id: 'a', function: {} })],
      names: ['unnamed'],
      args: ['{}'],
    },
  ];
  it.each(cases)('$title', async ({ stream, names, args }) => {
    server.next(events(...stream, delta({}, 'stop'), '[DONE]'));
    const { toolCalls, finishReason } = (await ask(here())).answer;
    expect(toolCalls.map((call) => call.name)).toEqual(names);
    expect(toolCalls.map((call) => call.argumentsText)).toEqual(args);
    expect(new Set(toolCalls.map((call) => call.id)).size).toBe(names.length);
    expect(finishReason).toBe('tool-calls');
  });
});

describe('an old transcript', () => {
  it('is made acceptable: names, ids and arguments', async () => {
    await ask(here(), {
      messages: [
        { role: 'user', text: 'go' },
        {
          role: 'assistant',
          text: '',
          toolCalls: [
            { id: 'functions.run command:0', name: 'run command!', argumentsText: '{"broken' },
            { id: 'call_1', name: 'read_file', argumentsText: '{"path":"a"}' },
          ],
        },
        { role: 'tool', callId: 'functions.run command:0', name: 'run command!', text: 'no such tool' },
        { role: 'tool', callId: 'call_1', name: 'read_file', text: 'content' },
      ],
    });
    const messages = server.requests[0]?.body.messages ?? [];
    const [first, second] = messages[2]?.tool_calls ?? [];
    expect(first?.function.name).toBe('run_command_');
    expect(JSON.parse(first?.function.arguments ?? '')).toEqual({ invalid_json: '{"broken' });
    expect(first?.id).toMatch(/^[\w-]{1,40}$/);
    expect(messages[3]?.tool_call_id).toBe(first?.id);
    expect(second).toMatchObject({ id: 'call_1', function: { name: 'read_file', arguments: '{"path":"a"}' } });
  });

  it('gets the reasoning field a server insists on, once it does', async () => {
    server.when(
      (asked) => !JSON.stringify(asked.body.messages).includes('reasoning_content'),
      status(400, {
        message: 'thinking is enabled but reasoning_content is missing in assistant tool call message at index 2',
      }),
    );
    const messages: ModelRequest['messages'] = [
      { role: 'user', text: 'go' },
      { role: 'assistant', text: '', toolCalls: [{ id: 'a', name: 'x', argumentsText: '{}' }] },
      { role: 'tool', callId: 'a', name: 'x', text: 'r' },
    ];
    expect((await ask(here(), { messages })).answer.text).toBe('ok');
    expect(server.requests).toHaveLength(2);
  });

  it('is marked for caching where a Claude stands behind the endpoint', async () => {
    await ask({ ...here(), quirks: { cacheControl: true } }, { model: 'anthropic/claude-x' });
    const cached = { cache_control: { type: 'ephemeral' } };
    expect(server.requests[0]?.body.messages).toMatchObject([{ content: [cached] }, { content: [cached] }]);
  });
});

describe('models', () => {
  it('are listed', async () => {
    const models = await provider(here()).listModels(new AbortController().signal);
    expect(models.map((model) => model.name)).toContain('gpt-4o');
  });

  it('are not listed by a server that is gone', async () => {
    const gone = provider(here());
    await server.stop();
    await expect(gone.listModels(new AbortController().signal)).rejects.toMatchObject({ code: 'Model.Unavailable' });
  });

  it('need no request to be warmed up for', async () => {
    await provider(here()).warmUp();
    expect(server.requests).toHaveLength(0);
  });
});

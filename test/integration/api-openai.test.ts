import OpenAI, { APIError } from 'openai';
import { describe, expect, it, vi } from 'vitest';
import { openApi } from '../unit/gateway/support/gateway.ts';

const soon = { timeout: 8_000, interval: 5 };

async function openClient() {
  const api = await openApi();
  const client = new OpenAI({ apiKey: api.token, baseURL: `${api.url}/v1` });
  const ask = (text: string, options: OpenAI.RequestOptions = {}) =>
    client.chat.completions.create({ model: 'hermes', messages: [{ role: 'user', content: text }] }, options);
  return { ...api, client, ask };
}

describe('chat completions with the openai package', () => {
  it('answers', async () => {
    const { client, store } = await openClient();
    const { data, response } = await client.chat.completions
      .create({
        model: 'any-name',
        messages: [{ role: 'user', content: 'hello' }],
        temperature: 0.2,
        max_completion_tokens: 100,
      })
      .withResponse();
    expect(data).toMatchObject({
      object: 'chat.completion',
      model: 'any-name',
      choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'echo: hello' } }],
      usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
    });
    expect(response.headers.get('x-hermes-turn')).toBe('1');
    const conversation = await store.conversations.get(response.headers.get('x-hermes-conversation') ?? '');
    expect(conversation).toMatchObject({ platform: 'api' });
  });

  it('streams', async () => {
    const { client, conversations } = await openClient();
    conversations.script = (play) => {
      play.say(['Once ', 'upon ', 'a time']);
      return Promise.resolve('Once upon a time');
    };
    const { data: stream, response } = await client.chat.completions
      .create({
        model: 'hermes',
        stream: true,
        stream_options: { include_usage: true },
        messages: [{ role: 'user', content: 'a story' }],
      })
      .withResponse();
    expect(response.headers.get('x-hermes-turn')).toBe('1');
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks[0]?.choices[0]?.delta).toMatchObject({ role: 'assistant' });
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').filter((text) => text !== '')).toEqual([
      'Once ',
      'upon ',
      'a time',
    ]);
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 15 } });
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
  });

  it('streams each delta as it comes', async () => {
    const { client, conversations } = await openClient();
    const steps: (() => void)[] = [];
    const step = () => new Promise<void>((resolve) => steps.push(resolve));
    conversations.script = async (play) => {
      for (const [seq, text] of ['a', 'b', 'c'].entries()) {
        await step();
        play.publish({ kind: 'delta', step: 1, attempt: 1, seq, text, channel: 'answer' } as never);
      }
      await step();
      return 'abc';
    };
    const going = client.chat.completions.create({
      model: 'hermes',
      stream: true,
      messages: [{ role: 'user', content: 'x' }],
    });
    let seen = '';
    const reading = going.then(async (stream) => {
      for await (const chunk of stream) seen += chunk.choices[0]?.delta.content ?? '';
    });
    for (const expected of ['a', 'ab', 'abc']) {
      await vi.waitFor(() => expect(steps.length).toBe(expected.length), soon);
      steps.at(-1)?.();
      await vi.waitFor(() => expect(seen).toBe(expected), soon);
    }
    await vi.waitFor(() => expect(steps.length).toBe(4), soon);
    steps.at(-1)?.();
    await reading;
    expect(seen).toBe('abc');
  });

  it('begins a conversation of its own with what was said before', async () => {
    const { client, store } = await openClient();
    const { response } = await client.chat.completions
      .create({
        model: 'hermes',
        messages: [
          { role: 'system', content: 'Speak like a pirate.' },
          {
            role: 'user',
            content: [
              { type: 'text', text: 'My name' },
              { type: 'text', text: 'is Anna.' },
            ],
          },
          { role: 'assistant', content: 'Aye, Anna.' },
          { role: 'user', content: 'Who am I?' },
        ],
      })
      .withResponse();
    const id = response.headers.get('x-hermes-conversation') ?? '';
    expect((await store.conversations.get(id))?.instructions).toBe('Speak like a pirate.');
    const messages = await store.transcript.load(id, { fromTurn: 0 });
    expect(messages.map(({ role, text }) => [role, text])).toEqual([
      ['user', 'My name\nis Anna.'],
      ['assistant', 'Aye, Anna.'],
      ['user', 'Who am I?'],
      ['assistant', 'echo: Who am I?'],
    ]);
  });

  it('continues a named conversation with the last message', async () => {
    const { ask, json, store } = await openClient();
    const headers = { 'X-Hermes-Conversation': encodeURIComponent('Küche') };
    await ask('one', { headers });
    await ask('two', { headers });
    const row = await store.conversations.find('anna', 'Küche');
    expect(row).toMatchObject({ name: 'Küche', lastTurn: 2 });
    await json('GET', `/api/conversations/${encodeURIComponent('Küche')}`);
    await ask('three', { headers: { 'X-Hermes-Conversation': row?.id ?? '' } });
    expect((await store.conversations.find('anna', 'Küche'))?.lastTurn).toBe(3);
  });

  it('gives two requests at once two turns', async () => {
    const { ask } = await openClient();
    const headers = { 'X-Hermes-Conversation': 'shared' };
    const answers = await Promise.all(['one', 'two', 'three'].map((text) => ask(text, { headers })));
    expect(answers.map((answer) => answer.choices[0]?.message.content)).toEqual([
      'echo: one',
      'echo: two',
      'echo: three',
    ]);
  });

  it('gives the question when the turn waits, and takes the next message as the answer', async () => {
    const { ask, conversations } = await openClient();
    conversations.script = async (play) => {
      const { answer } = await play.ask({ kind: 'question', title: 'Which colour?', choices: ['red', 'green'] });
      return `painted ${answer ?? ''}`;
    };
    const headers = { 'X-Hermes-Conversation': 'paint' };
    const question = await ask('paint it', { headers });
    expect(question.choices[0]?.message.content).toContain('Which colour?\n1. red\n2. green');
    expect(question).toMatchObject({ hermes: { state: 'waiting', turn: 1 } });
    const done = await ask('2', { headers });
    expect(done.choices[0]?.message.content).toBe('painted green');
    expect(done).toMatchObject({ hermes: { state: 'done', turn: 1 } });
  });

  it('tells of a failed turn in words, once, without being asked again', async () => {
    const { ask, client, conversations } = await openClient();
    conversations.script = () =>
      Promise.resolve({ code: 'Model.RateLimited', message: 'The provider says: slow down.' });
    const failure = await ask('hello').catch((error: unknown) => error);
    expect(failure).toMatchObject({
      status: 429,
      code: 'rate_limit_exceeded',
      message: expect.stringContaining('slow down') as string,
    });
    expect(conversations.signals).toHaveLength(1);
    const messages = [{ role: 'user' as const, content: 'hello' }];
    const streamed = await client.chat.completions
      .create({ model: 'hermes', stream: true, messages })
      .catch((error: unknown) => error);
    expect(streamed).toMatchObject({ status: 429 });
    conversations.script = (play) => {
      play.say(['half an ans']);
      return Promise.resolve({ code: 'Model.Unavailable', message: 'The provider is gone.' });
    };
    const stream = await client.chat.completions.create({ model: 'hermes', stream: true, messages });
    const read = async () => {
      for await (const chunk of stream) expect(chunk.choices).toBeDefined();
    };
    await expect(read()).rejects.toThrow('The provider is gone.');
  });

  it('goes on without its client', async () => {
    const { ask, conversations, store } = await openClient();
    let finish = (): void => undefined;
    conversations.script = () => new Promise((resolve) => (finish = () => resolve('finished alone')));
    const leave = new AbortController();
    const going = ask('hello', { signal: leave.signal, headers: { 'X-Hermes-Conversation': 'left' } }).catch(
      () => 'left',
    );
    await vi.waitFor(() => expect(conversations.signals).toHaveLength(1), soon);
    leave.abort();
    expect(await going).toBe('left');
    finish();
    const { id } = (await store.conversations.find('anna', 'left')) ?? { id: '' };
    await vi.waitFor(async () => expect((await store.turns.last(id))?.answer).toBe('finished alone'), soon);
  });

  it('refuses what it cannot do, in words', async () => {
    const { client, ask, conversations } = await openClient();
    const refused = async (body: object) => {
      const request = { model: 'hermes', messages: [{ role: 'user', content: 'x' }], ...body };
      const error: unknown = await client.chat.completions
        .create(request as OpenAI.ChatCompletionCreateParamsNonStreaming)
        .catch((reason: unknown) => reason);
      if (error instanceof APIError)
        return { status: error.status as number, param: error.param, message: error.message };
      throw new Error('it was not refused');
    };
    const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } };
    expect(await refused({ messages: [{ role: 'user', content: [image] }] })).toMatchObject({
      status: 400,
      param: 'messages',
      message: expect.stringContaining('Images are not supported') as string,
    });
    expect(await refused({ tools: [{ type: 'function', function: { name: 'f' } }] })).toMatchObject({
      status: 400,
      param: 'tools',
    });
    expect(await refused({ n: 2 })).toMatchObject({ status: 400, param: 'n' });
    expect(await refused({ response_format: { type: 'json_object' } })).toMatchObject({ param: 'response_format' });
    expect(await refused({ messages: [] })).toMatchObject({ status: 400, param: 'messages' });
    expect(await refused({ messages: [{ role: 'assistant', content: 'x' }] })).toMatchObject({ param: 'messages' });
    await expect(ask('x', { headers: { 'X-Hermes-Conversation': ' ' } })).rejects.toMatchObject({ status: 400 });
    expect(conversations.signals).toEqual([]);
  });

  it('wants the right key', async () => {
    const { url } = await openClient();
    const client = new OpenAI({ apiKey: 'wrong', baseURL: `${url}/v1` });
    const failure: unknown = await client.models.list().catch((error: unknown) => error);
    expect(failure).toMatchObject({ status: 401, code: 'invalid_api_key', type: 'authentication_error' });
  });
});

describe('an idempotency key', () => {
  const headers = { 'Idempotency-Key': 'key-1' };

  it('gives a repeated request the first answer', async () => {
    const { ask, conversations } = await openClient();
    const first = await ask('hello', { headers });
    const second = await ask('hello', { headers });
    expect(second).toEqual(first);
    expect(conversations.signals).toHaveLength(1);
  });

  it('holds while the first request still runs, streamed or not', async () => {
    const { client, conversations } = await openClient();
    let finish = (): void => undefined;
    conversations.script = async (play) => {
      play.say(['Once ', 'upon ']);
      await new Promise<void>((resolve) => (finish = resolve));
      play.publish({ kind: 'delta', step: 1, attempt: 1, seq: 2, text: 'a time', channel: 'answer' } as never);
      return 'Once upon a time';
    };
    const read = async () => {
      const stream = await client.chat.completions.create(
        { model: 'hermes', stream: true, messages: [{ role: 'user', content: 'a story' }] },
        { headers },
      );
      let text = '';
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
      return text;
    };
    const first = read();
    await vi.waitFor(() => expect(conversations.signals).toHaveLength(1), soon);
    const second = read();
    await new Promise((resolve) => setTimeout(resolve, 150));
    finish();
    expect(await Promise.all([first, second])).toEqual(['Once upon a time', 'Once upon a time']);
    expect(await read()).toBe('Once upon a time');
    expect(conversations.signals).toHaveLength(1);
  });

  it('makes one turn of requests that come at the same moment', async () => {
    const { ask, conversations, json } = await openClient();
    const answers = await Promise.all(Array.from({ length: 6 }, () => ask('hello', { headers })));
    expect(new Set(answers.map((answer) => answer.id)).size).toBe(1);
    expect(new Set(conversations.signals.map((signal) => signal.inboundId)).size).toBe(1);
    const { conversations: all } = await json<{ conversations: { platform: string }[] }>('GET', '/api/conversations');
    expect(all.filter(({ platform }) => platform === 'api')).toHaveLength(1);
  });

  it('belongs to one request only', async () => {
    const { ask, conversations } = await openClient();
    await ask('hello', { headers });
    await expect(ask('something else', { headers })).rejects.toMatchObject({ status: 422 });
    await expect(ask('hello', { headers: { ...headers, 'X-Hermes-Conversation': 'x' } })).rejects.toMatchObject({
      status: 422,
    });
    expect(conversations.signals).toHaveLength(1);
  });

  it('gives a failed turn again as it failed', async () => {
    const { ask, conversations } = await openClient();
    conversations.script = () => Promise.resolve({ code: 'Model.Authentication', message: 'No such key.' });
    for (const attempt of [1, 2]) {
      await expect(ask('hello', { headers }), `attempt ${String(attempt)}`).rejects.toMatchObject({ status: 502 });
    }
    expect(conversations.signals).toHaveLength(1);
  });

  it('is used up by a request whose service died before it could send the message', async () => {
    const { ask, conversations, store } = await openClient();
    let dies = true;
    const accept = store.inbox.accept.bind(store.inbox);
    (store.inbox as { accept: typeof accept }).accept = (message) =>
      dies ? Promise.reject(new Error('killed')) : accept(message);
    await expect(ask('hello', { headers, maxRetries: 0 })).rejects.toMatchObject({ status: 500 });
    dies = false;
    const answer = await ask('hello', { headers });
    expect(answer.choices[0]?.message.content).toBe('echo: hello');
    expect(conversations.signals).toHaveLength(1);
  });

  it('does not run again what was deleted since', async () => {
    const { ask, store, conversations } = await openClient();
    const answer = await ask('hello', { headers });
    await store.conversations.delete(
      (answer as unknown as { hermes: { conversationId: string } }).hermes.conversationId,
    );
    await expect(ask('hello', { headers })).rejects.toMatchObject({ status: 409 });
    expect(conversations.signals).toHaveLength(1);
  });
});

describe('responses with the openai package', () => {
  it('answers, and can be asked for again', async () => {
    const { client } = await openClient();
    const response = await client.responses.create({ model: 'hermes', input: 'hello', instructions: 'Be brief.' });
    expect(response).toMatchObject({
      object: 'response',
      status: 'completed',
      model: 'hermes',
      output_text: 'echo: hello',
    });
    expect(response.usage).toMatchObject({ input_tokens: 10, output_tokens: 5, total_tokens: 15 });
    const again = await client.responses.retrieve(response.id);
    expect(again).toMatchObject({ id: response.id, status: 'completed', instructions: 'Be brief.' });
    expect(again.output).toEqual(response.output);
    await expect(client.responses.retrieve('resp_nothing')).rejects.toMatchObject({ status: 404 });
  });

  it('streams', async () => {
    const { client, conversations } = await openClient();
    conversations.script = (play) => {
      play.say(['Let me look.']);
      play.publish({ kind: 'tool-started', step: 1, callKey: 'k', name: 'n', summary: 's' } as never);
      play.say(['It is ', 'four.'], 1, 2);
      return Promise.resolve('It is four.');
    };
    const stream = client.responses.stream({ model: 'hermes', input: 'how much?' });
    const types: string[] = [];
    const numbers: number[] = [];
    for await (const event of stream) {
      types.push(event.type);
      numbers.push(event.sequence_number);
    }
    expect(numbers).toEqual(numbers.map((_, index) => index));
    expect(types.slice(0, 5)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
    ]);
    expect(types.at(-1)).toBe('response.completed');
    const final = await stream.finalResponse();
    expect(final.output.map((item) => (item.type === 'message' ? item.content : []))).toMatchObject([
      [{ text: 'Let me look.' }],
      [{ text: 'It is four.' }],
    ]);
  });

  it('follows another response in its conversation', async () => {
    const { client, store } = await openClient();
    const first = await client.responses.create({ model: 'hermes', input: 'one' });
    const second = await client.responses.create({ model: 'hermes', input: 'two', previous_response_id: first.id });
    expect(second.previous_response_id).toBe(first.id);
    const row = await store.inbox.get(first.id);
    expect(await store.inbox.get(second.id)).toMatchObject({ conversationId: row?.conversationId, turn: 2 });
  });

  it('branches off where it follows an earlier one', async () => {
    const { client, store } = await openClient();
    const first = await client.responses.create({ model: 'hermes', input: 'one' });
    await client.responses.create({ model: 'hermes', input: 'two', previous_response_id: first.id });
    const branch = await client.responses.create({
      model: 'hermes',
      input: 'other two',
      previous_response_id: first.id,
    });
    const id = (await store.inbox.get(branch.id))?.conversationId ?? '';
    expect(id).not.toBe((await store.inbox.get(first.id))?.conversationId);
    const messages = await store.transcript.load(id, { fromTurn: 0 });
    expect(messages.map(({ text }) => text)).toEqual(['one', 'echo: one', 'other two', 'echo: other two']);
    await expect(
      client.responses.create({ model: 'hermes', input: 'x', previous_response_id: 'resp_no' }),
    ).rejects.toMatchObject({ status: 404 });
  });

  it('keeps the first answer of a repeated request that follows another', async () => {
    const { client, store, conversations } = await openClient();
    const first = await client.responses.create({ model: 'hermes', input: 'one' });
    const follow = () =>
      client.responses.create(
        { model: 'hermes', input: 'two', previous_response_id: first.id },
        { headers: { 'Idempotency-Key': 'follow' } },
      );
    const answers = [await follow(), await follow()];
    expect(answers[0]?.id).toBe(answers[1]?.id);
    expect(conversations.signals).toHaveLength(2);
    const id = (await store.inbox.get(first.id))?.conversationId ?? '';
    expect((await store.transcript.load(id, { fromTurn: 0 })).map(({ text }) => text)).toEqual([
      'one',
      'echo: one',
      'two',
      'echo: two',
    ]);
  });
});

describe('models with the openai package', () => {
  it('are the agent itself and what the provider offers', async () => {
    const { client } = await openClient();
    const ids = (await client.models.list()).data.map((model) => model.id);
    expect(ids).toEqual(['hermes', 'test:large']);
    expect(await client.models.retrieve('hermes')).toMatchObject({ id: 'hermes', object: 'model' });
    await expect(client.models.retrieve('nothing')).rejects.toMatchObject({ status: 404 });
  });

  it('are used when they are asked for by their full name', async () => {
    const { client, store } = await openClient();
    const { response } = await client.chat.completions
      .create({ model: 'test:large', messages: [{ role: 'user', content: 'x' }] })
      .withResponse();
    const id = response.headers.get('x-hermes-conversation') ?? '';
    expect((await store.conversations.get(id))?.model).toBe('test:large');
  });
});

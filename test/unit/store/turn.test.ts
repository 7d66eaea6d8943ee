import { describe, expect, it } from 'vitest';
import { openTalk, toolStep } from './support/open-temp-store.ts';

describe('a turn in the store', () => {
  it('goes from an accepted message to an answer', async () => {
    const { store, talk, answer } = await openTalk();
    const accepted = await store.inbox.accept({
      id: 'in-1',
      conversationId: talk.id,
      personId: 'anna',
      platform: 'telegram',
      text: 'good morning',
      busyMode: 'queue',
      replyTo: { platform: 'telegram', chat: '42', thread: '7' },
    });
    expect(accepted).toMatchObject({ created: true, row: { state: 'received', turn: null, busyMode: 'queue' } });
    expect(accepted.row.replyTo).toEqual({ platform: 'telegram', chat: '42', thread: '7' });
    await store.inbox.markSignalled('in-1');

    const begun = await store.steps.begin({ conversationId: talk.id, turn: 1, step: 1, inboundIds: ['in-1'] });
    expect(begun).toMatchObject({ journal: null, attempt: 1, taken: ['in-1'] });
    // The conversation was begun elsewhere and has moved with its person.
    expect([begun.conversation.platform, begun.platform]).toEqual(['cli', 'telegram']);
    expect(begun.conversation).toMatchObject({ lastTurn: 1, messageCount: 1 });
    expect(await store.turns.running()).toHaveLength(1);

    const committed = await answer(1, 1, { text: 'Good morning!', reasoning: 'be polite', title: 'Greetings' });
    expect(committed.committed).toBe(true);
    expect(await store.outbox.get(`${talk.id}/1`)).toMatchObject({
      kind: 'text',
      state: 'new',
      to: { platform: 'telegram', chat: '42', thread: '7' },
      text: 'Good morning!',
    });

    const messages = await store.transcript.load(talk.id, { fromTurn: 0 });
    expect(messages.map(({ role, slot, text, speaker }) => ({ role, slot, text, speaker }))).toEqual([
      { role: 'user', slot: 0, text: 'good morning', speaker: 'anna' },
      { role: 'assistant', slot: 900, text: 'Good morning!', speaker: 'assistant' },
    ]);
    expect(messages[1]?.reasoning).toBe('be polite');
    expect(await store.inbox.get('in-1')).toMatchObject({ state: 'taken', turn: 1 });
    expect(await store.turns.ofInbound('in-1')).toMatchObject({
      state: 'done',
      answer: 'Good morning!',
      steps: 1,
      model: 'test-model',
      inboundIds: ['in-1'],
      usage: { inputTokens: 10, outputTokens: 5, costUsd: 0.25 },
    });
    expect(await store.turns.running()).toEqual([]);
    expect(await store.conversations.get(talk.id)).toMatchObject({ title: 'Greetings', messageCount: 2 });
    expect(await store.usage.costSince('anna', '2020-01-01T00:00:00Z')).toBe(0.25);
  });

  it('takes a message in once, whatever is repeated', async () => {
    const { store, talk, say } = await openTalk();
    await say(1, 'hello');
    const again = await store.inbox.accept({
      id: 'in-1',
      conversationId: talk.id,
      personId: 'anna',
      platform: 'cli',
      text: 'something else',
    });
    expect(again).toMatchObject({ created: false, row: { text: 'hello' } });
    const second = await store.steps.begin({ conversationId: talk.id, turn: 1, step: 1, inboundIds: ['in-1'] });
    expect(second).toMatchObject({ journal: null, attempt: 2, taken: ['in-1'] });
    expect(await store.transcript.load(talk.id, { fromTurn: 0 })).toHaveLength(1);
  });

  it('writes nothing for a turn whose messages another turn has taken', async () => {
    const { store, talk, say } = await openTalk();
    await say(1, 'hello');
    const repeat = await store.steps.begin({ conversationId: talk.id, turn: 2, step: 1, inboundIds: ['in-1'] });
    expect(repeat).toMatchObject({ journal: null, taken: [] });
    expect(await store.turns.get(talk.id, 2)).toBeNull();
    expect(repeat.conversation.lastTurn).toBe(1);
  });

  it('takes in a steering message with a later step, after what is there', async () => {
    const { store, talk, say, answer } = await openTalk();
    await say(1, 'build it');
    await answer(1, 1, toolStep(talk.id, 1, 1, [0]));
    await store.toolCalls.finish(`${talk.id}/1/1/0`, { status: 'ok', text: 'built', preview: 'built', durationMs: 3 });
    await store.inbox.accept({
      id: 'steer-1',
      conversationId: talk.id,
      personId: 'anna',
      platform: 'cli',
      text: 'and test',
    });
    await store.steps.begin({ conversationId: talk.id, turn: 1, step: 2, inboundIds: ['steer-1'] });
    const messages = await store.transcript.load(talk.id, { fromTurn: 1, toTurn: 1 });
    expect(messages.map(({ role, text }) => [role, text])).toEqual([
      ['user', 'build it'],
      ['assistant', ''],
      ['tool', 'built'],
      ['user', 'and test'],
    ]);
    expect((await store.turns.get(talk.id, 1))?.inboundIds).toEqual(['in-1', 'steer-1']);
  });

  it('keeps the first answer of a step, and returns it to every later attempt', async () => {
    const { store, talk, say, answer } = await openTalk();
    await say(1, 'hello');
    const first = await answer(1, 1, { text: 'first' });
    const second = await answer(1, 1, {
      text: 'second',
      outcome: { ...first.outcome, preview: 'second' } as typeof first.outcome,
    });
    expect(second).toEqual({ committed: false, outcome: first.outcome });
    const begun = await store.steps.begin({ conversationId: talk.id, turn: 1, step: 1, inboundIds: ['in-1'] });
    expect(begun).toMatchObject({ journal: first.outcome, attempt: 1, taken: ['in-1'] });
    expect((await store.turns.get(talk.id, 1))?.answer).toBe('first');
    expect(begun.conversation.usage.costUsd).toBe(0.25);
  });

  it('orders tool results by call and keeps the first result of each', async () => {
    const { store, talk, say, answer } = await openTalk();
    await say(1, 'look around');
    await answer(1, 1, {
      ...toolStep(talk.id, 1, 1, [0, 1]),
      toolCalls: [
        { id: 'call-0', name: 'run_command', argumentsText: '{}' },
        { id: 'call-1', name: 'run_command', argumentsText: '{}' },
        { id: 'call-2', name: 'no_such_tool', argumentsText: '{' },
      ],
      rejected: [{ index: 2, toolCallId: 'call-2', name: 'no_such_tool', text: 'There is no such tool.' }],
    });
    expect(await store.toolCalls.start(`${talk.id}/1/1/1`)).toMatchObject({ state: 'planned', attempts: 0 });
    expect(await store.toolCalls.start(`${talk.id}/1/1/1`)).toMatchObject({ state: 'started', attempts: 1 });
    const done = { status: 'ok', text: 'one', preview: 'one', durationMs: 12.4 } as const;
    await store.toolCalls.finish(`${talk.id}/1/1/1`, done);
    const late = await store.toolCalls.finish(`${talk.id}/1/1/1`, { ...done, status: 'error', text: 'other' });
    expect(late).toMatchObject({ state: 'done', status: 'ok', preview: 'one' });
    await store.toolCalls.finish(`${talk.id}/1/1/0`, { ...done, text: 'zero' });
    expect(await store.toolCalls.start(`${talk.id}/1/1/0`)).toMatchObject({ state: 'done', status: 'ok' });

    const messages = await store.transcript.load(talk.id, { fromTurn: 1 });
    expect(messages.filter((row) => row.role === 'tool').map((row) => [row.toolCallId, row.text])).toEqual([
      ['call-0', 'zero'],
      ['call-1', 'one'],
      ['call-2', 'There is no such tool.'],
    ]);
    const turn = await store.turns.get(talk.id, 1);
    expect(turn?.toolCalls.map((call) => [call.name, call.status, call.durationMs])).toEqual([
      ['run_command', 'ok', 12],
      ['run_command', 'ok', 12],
    ]);
    expect((await store.conversations.get(talk.id))?.messageCount).toBe(5);
  });
});

describe('ending a turn without an answer', () => {
  it('gives every open call a result, takes in what was left and closes questions', async () => {
    const { store, talk, say, answer } = await openTalk();
    await say(1, 'deploy');
    await answer(1, 1, {
      ...toolStep(talk.id, 1, 1, [0, 1, 2], 'once'),
      approvals: [
        {
          id: 'ask:2',
          kind: 'approval',
          title: 'deploy?',
          detail: '',
          choices: [],
          tool: 'run_command',
          ruleKey: 'deploy',
          callKey: `${talk.id}/1/1/2`,
        },
      ],
    });
    await store.toolCalls.finish(`${talk.id}/1/1/0`, { status: 'ok', text: 'ok', preview: 'ok', durationMs: 1 });
    await store.toolCalls.start(`${talk.id}/1/1/1`);
    await store.inbox.accept({
      id: 'late',
      conversationId: talk.id,
      personId: 'anna',
      platform: 'cli',
      text: 'wait, stop',
    });
    const end = {
      conversationId: talk.id,
      turn: 1,
      state: 'interrupted',
      inboundIds: ['in-1', 'late'],
      notice: 'Interrupted.',
      errorCode: null,
    } as const;
    const turn = await store.turns.finalise(end);
    expect(turn).toMatchObject({ state: 'interrupted', answer: 'Interrupted.', inboundIds: ['in-1', 'late'] });
    expect(turn.toolCalls.map((call) => call.status)).toEqual(['ok', 'uncertain', 'cancelled']);

    const messages = await store.transcript.load(talk.id, { fromTurn: 1 });
    expect(messages.map((row) => [row.role, row.toolCallId, row.toolStatus])).toEqual([
      ['user', null, null],
      ['assistant', null, null],
      ['tool', 'call-0', 'ok'],
      ['tool', 'call-1', 'uncertain'],
      ['tool', 'call-2', 'cancelled'],
      ['user', null, null],
      ['notice', null, null],
    ]);
    expect((await store.conversations.get(talk.id))?.messageCount).toBe(messages.length);
    expect(await store.approvals.get('ask:2')).toMatchObject({ state: 'closed', relayed: false });
    expect(await store.approvals.unrelayed(10)).toEqual([]);
    expect((await store.toolCalls.uncertain(10)).map((call) => call.callKey)).toEqual([`${talk.id}/1/1/1`]);
    expect(await store.inbox.pending(talk.id)).toEqual([]);

    expect(await store.turns.finalise({ ...end, state: 'failed', notice: 'again' })).toEqual(turn);
    expect(await store.transcript.load(talk.id, { fromTurn: 1 })).toEqual(messages);
  });

  it('makes the turn when no step ever began', async () => {
    const { store, talk } = await openTalk();
    await store.inbox.accept({ id: 'in-1', conversationId: talk.id, personId: 'anna', platform: 'cli', text: 'hi' });
    const end = { conversationId: talk.id, turn: 1, inboundIds: ['in-1'], notice: 'It failed.' };
    await store.turns.finalise({ ...end, state: 'failed', errorCode: 'Model.Authentication' });
    expect(await store.turns.last(talk.id)).toMatchObject({
      turn: 1,
      state: 'failed',
      steps: 0,
      errorCode: 'Model.Authentication',
    });
    const messages = await store.transcript.load(talk.id, { fromTurn: 0 });
    expect(messages.map((row) => [row.role, row.text])).toEqual([
      ['user', 'hi'],
      ['notice', 'It failed.'],
    ]);
  });

  it('drops an answer that comes after the end, but not what it cost', async () => {
    const { store, talk, say, answer } = await openTalk();
    await say(1, 'hello');
    const end = { conversationId: talk.id, turn: 1, inboundIds: [], notice: 'Stopped.', errorCode: null };
    await store.turns.finalise({ ...end, state: 'interrupted' });
    expect((await answer(1, 1)).committed).toBe(false);
    expect((await store.transcript.load(talk.id, { fromTurn: 1 })).map((row) => row.role)).toEqual(['user', 'notice']);
    expect(await store.usage.costSince('anna', '2020-01-01T00:00:00Z')).toBe(0.25);
    await expect(
      store.steps.begin({ conversationId: talk.id, turn: 1, step: 2, inboundIds: [] }),
    ).rejects.toMatchObject({ code: 'Storage.Conflict', retryable: false });
  });
});

describe('the transcript', () => {
  it('is paged from its end, in the order of the talk', async () => {
    const { store, talk, say, answer } = await openTalk();
    for (let turn = 1; turn <= 5; turn++) {
      await say(turn, `question ${turn}`);
      await answer(turn, 1, { text: `answer ${turn}` });
    }
    const newest = await store.transcript.page(talk.id, { limit: 3 });
    expect(newest.map((row) => row.text)).toEqual(['answer 4', 'question 5', 'answer 5']);
    const older = await store.transcript.page(talk.id, { limit: 3, beforeId: newest[0]?.id ?? 0 });
    expect(older.map((row) => row.text)).toEqual(['question 3', 'answer 3', 'question 4']);
  });

  it('hides a turn that is undone and gives back what was asked', async () => {
    const { store, talk, say, answer } = await openTalk();
    await say(1, 'remember the zebra');
    await answer(1, 1, { text: 'The zebra it is.' });
    await say(2, 'and the giraffe');
    await expect(store.transcript.hideTurn(talk.id, 2)).rejects.toMatchObject({ code: 'Storage.Conflict' });
    await answer(2, 1, { text: 'Noted.' });
    expect(await store.transcript.hideTurn(talk.id, 2)).toBe('and the giraffe');
    expect(await store.transcript.hideTurn(talk.id, 2)).toBe('and the giraffe');
    expect(await store.transcript.load(talk.id, { fromTurn: 0 })).toHaveLength(2);
    expect(await store.turns.last(talk.id)).toMatchObject({ turn: 1 });
    expect(await store.turns.get(talk.id, 2)).toMatchObject({ state: 'undone' });
    expect((await store.conversations.get(talk.id))?.messageCount).toBe(2);
    const hits = await store.search.search({ personId: 'anna', text: 'giraffe', maxResults: 5 });
    expect(hits).toEqual([]);
  });

  it('is seeded once with an imported talk', async () => {
    const { store, talk } = await openTalk();
    const imported = [
      { role: 'user', text: 'what is a yak' },
      { role: 'assistant', text: 'a large animal' },
    ] as const;
    await store.transcript.seed(talk.id, imported);
    await store.transcript.seed(talk.id, [...imported, ...imported]);
    const rows = await store.transcript.load(talk.id, { fromTurn: 0 });
    expect(rows.map((row) => [row.turn, row.role, row.text])).toEqual([
      [0, 'user', 'what is a yak'],
      [0, 'assistant', 'a large animal'],
    ]);
    expect(await store.turns.last(talk.id)).toBeNull();
  });
});

import { describe, expect, it } from 'vitest';
import { openTalk, openTempStore } from './support/open-temp-store.ts';

const question = {
  kind: 'approval',
  title: 'rm -rf build?',
  detail: 'in /srv',
  choices: ['yes', 'no'],
  tool: 'run_command',
  ruleKey: 'rm -rf',
  callKey: null,
} as const;

describe('conversations', () => {
  it('are made once and found by id, name and newest title', async () => {
    const store = await openTempStore();
    const first = await store.conversations.create({
      id: 'a',
      name: 'work',
      title: 'Old',
      personId: 'anna',
      platform: 'cli',
    });
    expect(await store.conversations.create({ id: 'a', title: 'New', personId: 'anna', platform: 'api' })).toEqual(
      first,
    );
    await store.conversations.create({ id: 'c', title: 'Twice', personId: 'anna', platform: 'cli' });
    await store.conversations.create({ id: 'b', title: 'Twice', personId: 'anna', platform: 'cli' });
    await store.transcript.seed('c', [{ role: 'user', text: 'newer' }]);
    expect((await store.conversations.find('anna', 'a'))?.id).toBe('a');
    expect((await store.conversations.find('anna', 'work'))?.id).toBe('a');
    expect((await store.conversations.find('anna', 'Twice'))?.id).toBe('c');
    expect(await store.conversations.find('bert', 'a')).toBeNull();
    await expect(
      store.conversations.create({ id: 'd', name: 'work', personId: 'anna', platform: 'cli' }),
    ).rejects.toMatchObject({ code: 'Storage.Conflict', retryable: false });
    await expect(store.conversations.update('b', { name: 'work' })).rejects.toMatchObject({ code: 'Storage.Conflict' });
    await store.conversations.create({ id: 'e', name: 'work', personId: 'bert', platform: 'cli' });
  });

  it('keep what is not changed and unset what is set to null', async () => {
    const store = await openTempStore();
    await store.conversations.create({
      id: 'a',
      name: 'work',
      personId: 'anna',
      platform: 'cli',
      instructions: 'Be brief.',
    });
    await store.conversations.update('a', { model: 'openai:x', busyMode: 'queue', windowFromTurn: 3 });
    const row = await store.conversations.update('a', { model: null, title: 'Work' });
    expect(row).toMatchObject({
      name: 'work',
      model: null,
      busyMode: 'queue',
      windowFromTurn: 3,
      title: 'Work',
      instructions: 'Be brief.',
    });
    await expect(store.conversations.update('none', { title: 'x' })).rejects.toMatchObject({
      code: 'Storage.Conflict',
    });
  });

  it('have one that is current, made on first use and again after it was deleted', async () => {
    const store = await openTempStore();
    const main = await store.conversations.current('anna');
    expect(await store.conversations.current('anna')).toEqual(main);
    await store.conversations.create({ id: 'other', personId: 'anna', platform: 'cli' });
    await store.conversations.setCurrent('anna', 'other');
    expect((await store.conversations.current('anna')).id).toBe('other');
    await store.conversations.delete('other');
    const fresh = await store.conversations.current('anna');
    expect([main.id, 'other']).not.toContain(fresh.id);
    await expect(store.conversations.setCurrent('anna', 'none')).rejects.toMatchObject({ code: 'Storage.Conflict' });
  });

  it('are listed newest first, page by page, each once', async () => {
    const store = await openTempStore();
    for (const id of ['a', 'b', 'c', 'd', 'e'])
      await store.conversations.create({ id, personId: 'anna', platform: 'cli' });
    await store.conversations.create({ id: 'x', personId: 'bert', platform: 'cli' });
    const first = await store.conversations.list('anna', { limit: 3 });
    const second = await store.conversations.list('anna', { limit: 3, before: first.at(-1)?.id ?? '' });
    expect([...first, ...second].map((row) => row.id)).toHaveLength(5);
    expect(new Set([...first, ...second].map((row) => row.id))).toEqual(new Set(['a', 'b', 'c', 'd', 'e']));
  });

  it('take everything with them when they are deleted, except memories and what was spent', async () => {
    const { store, talk, say, answer } = await openTalk();
    await say(1, 'the password of the shed is walrus');
    await answer(1, 1);
    await store.blobs.put({ id: 'blob', conversationId: talk.id, mediaType: 'text/plain', bytes: Buffer.from('x') });
    await store.todos.write(talk.id, [{ text: 'a', state: 'open' }]);
    const chat = { platform: 'x', chat: '1' };
    await store.outbox.enqueue({ id: 'o', kind: 'text', conversationId: talk.id, to: chat, text: 't' });
    await store.approvals.ask({ ...question, id: 'ask', conversationId: talk.id, turn: 1 });
    await store.memories.add({ key: 'm', personId: 'anna', text: 'likes tea', conversationId: talk.id, turn: 1 });
    await store.conversations.delete(talk.id);
    await store.conversations.delete(talk.id);
    expect(await store.conversations.get(talk.id)).toBeNull();
    expect(await store.inbox.get('in-1')).toBeNull();
    expect(await store.transcript.load(talk.id, { fromTurn: 0 })).toEqual([]);
    expect(await store.turns.get(talk.id, 1)).toBeNull();
    expect(await store.blobs.get('blob')).toBeNull();
    expect(await store.todos.read(talk.id)).toEqual([]);
    expect(await store.approvals.get('ask')).toBeNull();
    expect(await store.outbox.get('o')).toBeNull();
    expect(await store.search.search({ personId: 'anna', text: 'walrus', maxResults: 5 })).toEqual([]);
    expect(await store.memories.list('anna')).toHaveLength(1);
    expect(await store.usage.costSince('anna', '2020-01-01T00:00:00Z')).toBe(0.25);
  });
});

describe('the inbox', () => {
  it('gives the relay what is not signalled yet, oldest first', async () => {
    const { store, talk } = await openTalk();
    const accept = (id: string) =>
      store.inbox.accept({ id, conversationId: talk.id, personId: 'anna', platform: 'cli', text: id });
    for (const id of ['z', 'm', 'a']) await accept(id);
    expect((await store.inbox.unsignalled(2)).map((row) => row.id)).toEqual(['z', 'm']);
    await store.inbox.markSignalled('z');
    expect((await store.inbox.unsignalled(9)).map((row) => row.id)).toEqual(['m', 'a']);
    expect((await store.inbox.untaken(0, 9)).map((row) => row.id)).toEqual(['z']);
    expect(await store.inbox.untaken(60_000, 9)).toEqual([]);
    await store.steps.begin({ conversationId: talk.id, turn: 1, step: 1, inboundIds: ['z'] });
    await store.inbox.markSignalled('z');
    expect((await store.inbox.get('z'))?.state).toBe('taken');
    expect(await store.inbox.untaken(0, 9)).toEqual([]);
    expect((await store.inbox.pending(talk.id)).map((row) => row.id)).toEqual(['m', 'a']);
  });

  it('refuses a message for a conversation that does not exist', async () => {
    const store = await openTempStore();
    await expect(
      store.inbox.accept({ id: 'x', conversationId: 'none', personId: 'anna', platform: 'cli', text: 'hi' }),
    ).rejects.toMatchObject({ code: 'Storage.Conflict', retryable: false });
  });
});

describe('approvals', () => {
  it('are decided once, remembered as a rule, and relayed', async () => {
    const { store, talk } = await openTalk();
    const asked = await store.approvals.ask({ ...question, id: 'ask:1', conversationId: talk.id, turn: 1 });
    expect(asked).toMatchObject({ state: 'waiting', personId: 'anna', choices: ['yes', 'no'] });
    expect(
      await store.approvals.ask({ ...question, id: 'ask:1', title: 'other', conversationId: talk.id, turn: 1 }),
    ).toEqual(asked);
    expect(await store.approvals.list({ state: 'waiting', limit: 5 })).toEqual([asked]);

    const word = { id: 'ask:1', scope: 'conversation', answer: null, by: 'anna' } as const;
    const first = await store.approvals.decide({ ...word, decision: 'approve' });
    expect(first).toMatchObject({ decided: true, row: { state: 'approved', decidedBy: 'anna', relayed: false } });
    expect(await store.approvals.decide({ ...word, decision: 'deny' })).toEqual({ decided: false, row: first.row });
    await store.approvals.close('ask:1', 'too late');
    expect((await store.approvals.unrelayed(5)).map((row) => row.id)).toEqual(['ask:1']);
    await store.approvals.markRelayed('ask:1');
    expect(await store.approvals.unrelayed(5)).toEqual([]);

    const rule = { personId: 'anna', conversationId: talk.id, tool: 'run_command', ruleKey: 'rm -rf' };
    expect(await store.rules.allows(rule)).toBe(true);
    expect(await store.rules.allows({ ...rule, conversationId: 'another' })).toBe(false);
    expect(await store.rules.allows({ ...rule, personId: 'bert' })).toBe(false);
    const [kept] = await store.rules.list('anna');
    expect(kept).toMatchObject({ tool: 'run_command', ruleKey: 'rm -rf', conversationId: talk.id });
    expect(await store.rules.remove(kept?.id ?? '')).toBe(true);
    expect(await store.rules.remove(kept?.id ?? '')).toBe(false);
    expect(await store.rules.allows(rule)).toBe(false);
  });

  it('make a rule for every conversation once, and none when they are refused or asked once', async () => {
    const { store, talk } = await openTalk();
    for (const [id, decision, scope] of [
      ['1', 'approve', 'always'],
      ['2', 'approve', 'always'],
      ['3', 'deny', 'always'],
      ['4', 'approve', 'once'],
    ] as const) {
      await store.approvals.ask({ ...question, id, ruleKey: id < '3' ? 'same' : id, conversationId: talk.id, turn: 1 });
      await store.approvals.decide({ id, decision, scope, answer: null, by: 'anna' });
    }
    expect((await store.rules.list('anna')).map((rule) => [rule.ruleKey, rule.conversationId])).toEqual([
      ['same', null],
    ]);
    const rule = { personId: 'anna', conversationId: 'any', tool: 'run_command', ruleKey: 'same' };
    expect(await store.rules.allows(rule)).toBe(true);
  });

  it('take no word after they are closed', async () => {
    const { store, talk } = await openTalk();
    await store.approvals.ask({ ...question, id: 'ask', conversationId: talk.id, turn: 1 });
    await store.approvals.close('ask', 'the turn went on');
    const late = await store.approvals.decide({
      id: 'ask',
      decision: 'approve',
      scope: 'always',
      answer: null,
      by: 'anna',
    });
    expect(late).toMatchObject({ decided: false, row: { state: 'closed' } });
    expect(await store.rules.list('anna')).toEqual([]);
  });
});

describe('idempotency keys', () => {
  it('belong to the first request', async () => {
    const store = await openTempStore();
    const entry = { key: 'k', requestHash: 'h', inboundId: 'i', conversationId: 'c' };
    expect(await store.idempotency.find('k')).toBeNull();
    expect(await store.idempotency.reserve(entry)).toEqual({ existing: null, mismatch: false });
    const existing = { inboundId: 'i', conversationId: 'c' };
    expect(await store.idempotency.reserve({ ...entry, inboundId: 'j' })).toEqual({ existing, mismatch: false });
    expect(await store.idempotency.reserve({ ...entry, requestHash: 'g' })).toEqual({ existing, mismatch: true });
    expect(await store.idempotency.find('k')).toEqual(existing);
  });
});

describe('blobs, todos, memories, usage', () => {
  it('returns a range of a blob with its whole size', async () => {
    const { store, talk } = await openTalk();
    const bytes = Buffer.from([0, 1, 2, 255, 254, 0, 7]);
    const blob = { id: 'b', conversationId: talk.id, mediaType: 'application/octet-stream', bytes };
    await store.blobs.put(blob);
    await store.blobs.put({ ...blob, bytes: Buffer.from('other') });
    expect((await store.blobs.get('b'))?.bytes).toEqual(bytes);
    expect(await store.blobs.get('b', { offset: 2, maxBytes: 3 })).toEqual({
      bytes: bytes.subarray(2, 5),
      sizeBytes: 7,
      mediaType: 'application/octet-stream',
    });
    expect((await store.blobs.get('b', { offset: 90, maxBytes: 3 }))?.bytes).toEqual(Buffer.alloc(0));
    expect(await store.blobs.get('none')).toBeNull();
  });

  it('replaces a todo list as a whole', async () => {
    const { store, talk } = await openTalk();
    expect(await store.todos.read(talk.id)).toEqual([]);
    await store.todos.write(talk.id, [{ text: 'a', state: 'open' }]);
    await store.todos.write(talk.id, [{ text: 'b', state: 'done' }]);
    expect(await store.todos.read(talk.id)).toEqual([{ text: 'b', state: 'done' }]);
  });

  it('adds a memory once per key, and does not bring back one that was removed', async () => {
    const store = await openTempStore();
    const entry = { key: 'talk/1/1/0', personId: 'anna', text: 'likes tea', conversationId: 'talk', turn: 1 };
    const added = await store.memories.add(entry);
    expect(await store.memories.add({ ...entry, text: 'likes beer' })).toEqual(added);
    expect(await store.memories.replace(added.id, 'bert', 'x')).toBe(false);
    expect(await store.memories.replace(added.id, 'anna', 'likes coffee')).toBe(true);
    expect((await store.memories.list('anna')).map((memory) => memory.text)).toEqual(['likes coffee']);
    expect(await store.memories.remove(added.id, 'anna')).toBe(true);
    expect(await store.memories.remove(added.id, 'anna')).toBe(false);
    await store.memories.add(entry);
    expect(await store.memories.list('anna')).toEqual([]);
  });

  it('adds up usage per day and model, and per person from a moment on', async () => {
    const { store, say, answer } = await openTalk();
    await say(1, 'a');
    await answer(1, 1);
    await say(2, 'b');
    await answer(2, 1);
    const today = new Date().toISOString().slice(0, 10);
    expect(await store.usage.byDay(1)).toEqual([
      { day: today, model: 'test-model', calls: 2, inputTokens: 20, outputTokens: 10, costUsd: 0.5 },
    ]);
    expect(await store.usage.costSince('bert', '2020-01-01T00:00:00Z')).toBe(0);
    expect(await store.usage.costSince('anna', '2999-01-01T00:00:00+02:00')).toBe(0);
  });
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { ownMigrationsDir } from '../../../src/store/migrate.ts';
import type { NewOutboxMessage } from '../../../src/store/outbox-ports.ts';
import { openTalk, openTempStore } from './support/open-temp-store.ts';

const lane = { account: 'telegram', chat: '1' };
const message = (id: string, more: Partial<NewOutboxMessage> = {}): NewOutboxMessage => ({
  id,
  kind: 'text',
  to: { platform: 'telegram', chat: '1' },
  conversationId: null,
  text: id,
  ...more,
});
const later = '2999-01-01T00:00:00.000Z';

describe('the outbox', () => {
  it('keeps a message once, and what it was first', async () => {
    const store = await openTempStore();
    const first = await store.outbox.enqueue(message('a', { to: { platform: 'telegram', chat: '1', thread: '7' } }));
    expect(first).toMatchObject({ state: 'new', to: { platform: 'telegram', chat: '1', thread: '7' }, parts: null });
    expect(await store.outbox.enqueue(message('a', { text: 'other' }))).toEqual(first);
  });

  it('gives the messages of a chat in their order, and of a chat only the first decides when it is due', async () => {
    const { outbox } = await openTempStore();
    for (const id of ['z', 'm', 'a']) await outbox.enqueue(message(id));
    await outbox.enqueue(message('other', { to: { platform: 'telegram', chat: '2' } }));
    await outbox.enqueue(message('elsewhere', { to: { platform: 'slack', chat: '1' } }));
    const due = (): Promise<unknown> => outbox.dueLanes(['telegram'], new Date().toISOString(), 10);
    expect(await due()).toEqual([lane, { account: 'telegram', chat: '2' }]);
    await outbox.change({ id: 'z', nextTryAt: later, attempts: 1 });
    expect(await due()).toEqual([{ account: 'telegram', chat: '2' }]);
    expect(await outbox.head(lane)).toMatchObject({ id: 'z', attempts: 1 });
    await outbox.change({ id: 'z', state: 'sent', nextTryAt: null });
    expect(await outbox.head(lane)).toMatchObject({ id: 'm' });
    expect(await outbox.lastSent(lane)).toBe(1);
    expect(await outbox.counts()).toContainEqual({ account: 'telegram', waiting: 3, ambiguous: 0 });
    expect(await outbox.failLane(lane, 'gone')).toBe(2);
    expect(await outbox.head(lane)).toBeNull();
    expect((await outbox.problems(10)).map((row) => [row.id, row.error])).toEqual([
      ['a', 'gone'],
      ['m', 'gone'],
    ]);
  });

  it('changes several messages at once, and leaves what is not named', async () => {
    const { outbox } = await openTempStore();
    await outbox.enqueue(message('a'));
    await outbox.enqueue(message('b'));
    const parts = [{ carries: 'text', text: 'x', state: 'new' }] as const;
    await outbox.change({ id: 'a', parts, buttons: [{ label: 'Yes', decision: 'approve' }] }, { id: 'b', error: 'e' });
    expect(await outbox.get('a')).toMatchObject({ parts, buttons: [{ label: 'Yes' }], state: 'new', error: null });
    expect(await outbox.get('b')).toMatchObject({ parts: null, error: 'e' });
  });

  it('finds a question by what its buttons carry', async () => {
    const { outbox } = await openTempStore();
    const { token } = await outbox.enqueue(message('ask:1', { kind: 'ask', approvalId: 'ask:1' }));
    await outbox.enqueue(message('plain'));
    expect(token).toMatch(/^[0-9a-f]{16}$/);
    expect(await outbox.byToken(token)).toMatchObject({ id: 'ask:1' });
    expect(await outbox.byToken('0123456789abcdef')).toBeNull();
  });

  it('lets go of bytes of its own once they are sent', async () => {
    const { outbox } = await openTempStore();
    const file = { name: 'f', mediaType: 'x/y', sizeBytes: 3, kind: 'document', source: { ownId: 'f/1' } } as const;
    await outbox.enqueue(message('f', { kind: 'file', file, bytes: Buffer.from('abc') }));
    expect(await outbox.readFile('f/1', { offset: 1, maxBytes: 5 })).toEqual(Buffer.from('bc'));
    await outbox.change({ id: 'f', state: 'ambiguous' });
    expect(await outbox.readFile('f/1', { offset: 0, maxBytes: 1 })).toEqual(Buffer.from('a'));
    await outbox.change({ id: 'f', state: 'sent' });
    expect(await outbox.readFile('f/1', { offset: 0, maxBytes: 1 })).toBeNull();
  });

  it('knows live messages whose turn has ended, and nothing waits behind them', async () => {
    const { store, talk, say, answer } = await openTalk();
    await say(1, 'hello');
    const parts = [{ carries: 'text', text: '…', state: 'sending' }] as const;
    await store.outbox.enqueue(message('live', { kind: 'live', conversationId: talk.id, turn: 1, parts }));
    expect(await store.outbox.head(lane)).toBeNull();
    expect(await store.outbox.openLives({ conversationId: talk.id, turn: 1 })).toHaveLength(1);
    expect(await store.outbox.openLives(lane)).toHaveLength(1);
    expect(await store.outbox.endedLives(5)).toEqual([]);
    await answer(1, 1);
    expect(await store.outbox.endedLives(5)).toMatchObject([{ id: 'live', state: 'sending', open: true }]);
    await store.outbox.change({ id: 'live', open: false });
    expect(await store.outbox.endedLives(5)).toEqual([]);
  });

  it('forgets what was sent long ago, and nothing else', async () => {
    const { outbox } = await openTempStore();
    for (const id of ['sent', 'new', 'failed', 'open']) await outbox.enqueue(message(id));
    await outbox.change(
      { id: 'sent', state: 'sent' },
      { id: 'failed', state: 'failed' },
      { id: 'open', state: 'sent', open: true },
    );
    expect(await outbox.prune('2020-01-01T00:00:00.000Z')).toBe(0);
    expect(await outbox.prune(later)).toBe(1);
    expect(await outbox.get('sent')).toBeNull();
  });
});

it('messages of before the outbox had parts are kept', () => {
  const database = new BetterSqlite3(':memory:');
  const run = (name: string): unknown =>
    database.exec(readFileSync(join(ownMigrationsDir, name, 'migration.sql'), 'utf8'));
  run('20261122000000_first');
  database.exec(`
    INSERT INTO Conversation (id, title, personId, platform, createdAt, updatedAt) VALUES ('c', '', 'p', 'cli', '1', '1');
    INSERT INTO Outbox (id, conversationId, "to", text, state, platformMessageId, createdAt, updatedAt)
    VALUES ('c/1/part-0', 'c', '{"platform":"telegram","chat":"5"}', 'hi', 'sent', '77', '1', '1'),
           ('c/1/part-1', 'c', '{"platform":"telegram","chat":"5","thread":"t"}', 'ho', 'sending', NULL, '1', '2')`);
  run('20261123120000_outbox');
  const rows = database.prepare('SELECT * FROM Outbox ORDER BY seq').all() as { parts: string }[];
  expect(rows).toMatchObject([
    { id: 'c/1/part-0', account: 'telegram', chat: '5', thread: null, state: 'sent' },
    { id: 'c/1/part-1', account: 'telegram', chat: '5', thread: 't', state: 'sending' },
  ]);
  expect(rows.map((row) => JSON.parse(row.parts) as unknown)).toEqual([
    [{ carries: 'text', text: 'hi', state: 'sent', startedAt: '1', messageId: '77' }],
    [{ carries: 'text', text: 'ho', state: 'sending', startedAt: '2' }],
  ]);
  database.close();
});

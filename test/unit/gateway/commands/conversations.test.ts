import { describe, expect, it, vi } from 'vitest';
import { PortError } from '../../../../src/lib/port-error.ts';
import { openChats } from './support/chat.ts';

const soon = { timeout: 5_000, interval: 5 };

describe('commands about conversations', () => {
  it('/new makes one conversation for one key, and goes on with it', async () => {
    const { told, store } = await openChats();
    const before = await store.conversations.current('anna');
    expect(await told('/new Trip to Rome', {}, 'telegram:update/1')).toBe('A new conversation: **Trip to Rome**');
    const made = await store.conversations.current('anna');
    expect(made).toMatchObject({ title: 'Trip to Rome', personId: 'anna', platform: 'telegram' });
    expect(made.id).not.toBe(before.id);
    await told('/reset Trip to Rome', {}, 'telegram:update/1');
    expect(await store.conversations.list('anna', { limit: 10 })).toHaveLength(2);
    await told('/new', {}, 'telegram:update/2');
    expect(await store.conversations.list('anna', { limit: 10 })).toHaveLength(3);
  });

  it('/conversations and /resume see only what is the own person’s', async () => {
    const { told, store } = await openChats();
    const rome = await store.conversations.create({ id: 'rome', personId: 'anna', platform: 'cli', title: 'Rome' });
    await store.conversations.create({ id: 'secret', personId: 'bert', platform: 'cli', title: 'Robbery' });
    const list = await told('/conversations');
    expect(list).toContain('**Rome** `rome`');
    expect(list).not.toContain('Robbery');
    expect(await told('/resume Robbery')).toBe('refused: There is no conversation "Robbery".');
    expect(await told('/resume secret')).toBe('refused: There is no conversation "secret".');
    expect(await told('/resume rom')).toMatch(/^Going on with \*\*Rome\*\*/);
    expect((await store.conversations.current('anna')).id).toBe(rome.id);
  });

  it('/resume names what words could mean', async () => {
    const { told, store } = await openChats();
    for (const id of ['a', 'b']) {
      await store.conversations.create({ id, personId: 'anna', platform: 'cli', title: `Garden ${id}` });
    }
    expect(await told('/resume garden')).toMatch(/^refused: "garden" could be .*Garden/);
    expect(await told('/resume den b')).toMatch(/^Going on with \*\*Garden b\*\*/);
  });

  it('/title and /busy change the conversation, and tell the one that runs', async () => {
    const { told, store, conversations } = await openChats();
    expect(await told('/title')).toBe('It has no title yet.');
    expect(await told('/title Rome')).toBe('Title: **Rome**');
    expect(await told('/busy')).toBe('A message while a turn runs: steer (as configured)');
    expect(await told('/busy q')).toBe('A message while a turn runs: queue');
    expect(await told('/busy sometimes')).toMatch(/^refused: "sometimes" is none of/);
    expect(await store.conversations.current('anna')).toMatchObject({ title: 'Rome', busyMode: 'queue' });
    await vi.waitFor(() => expect(conversations.configured.at(-1)).toEqual({ title: 'Rome', busyMode: 'queue' }), soon);
    expect(await told('/busy default')).toBe('A message while a turn runs: steer (as configured)');
  });

  it('/model is shown to everybody and changed by admins', async () => {
    const { told, store } = await openChats();
    expect(await told('/model')).toBe('Model: `test:small` (as configured)');
    expect(await told('/model test:large')).toMatch(/^refused: .model changes the agent itself/);
    expect((await store.conversations.current('anna')).model).toBeNull();
    const admin = { isAdmin: true };
    expect(await told('/model', admin)).toContain('- `test:large`');
    expect(await told('/model large', admin)).toMatch(/^refused: "large" is no model/);
    expect(await told('/model test:large', admin)).toBe('From the next step on: `test:large`');
    expect((await store.conversations.current('anna')).model).toBe('test:large');
    expect(await told('/model default', admin)).toBe('From the next step on: the configured model');
  });

  it('/model answers while the provider is away', async () => {
    const { told } = await openChats({
      listModels: () => Promise.reject(new PortError('Model.Unavailable', 'the provider is away')),
    });
    expect(await told('/model')).toMatch(/as configured.*the provider is away/);
  });

  it('/history shows the last words without secrets', async () => {
    const { told, say, store } = await openChats();
    expect(await told('/history')).toBe('Nothing has been said yet.');
    const { conversationId } = await say('my password is hunter2');
    await vi.waitFor(async () => expect((await store.turns.last(conversationId))?.state).toBe('done'), soon);
    expect(await told('/history')).toBe('**You** my password is [secret]\n\n**Agent** echo: my password is [secret]');
    expect(await told('/history many')).toMatch(/^refused: "many" is no number/);
  });

  it('/help lists what there is, and /status, /usage what concerns the asker', async () => {
    const { told } = await openChats();
    const help = await told('/help');
    for (const word of ['/new', '/link', '/handoff PLATFORM', '/voice']) expect(help).toContain(word);
    for (const word of ['/quit', '/sethome']) expect(help).not.toContain(word);
    expect(await told('/help', { isAdmin: true })).toContain('/sethome');
    expect(await told('/help new')).toContain('(also /reset)');
    expect(await told('/help quit')).toMatch(/^refused: There is no command/);
    expect(await told('/status')).toBe('- **(untitled)**: idle\n- a message while a turn runs: steer');
    expect(await told('/usage')).toBe('This conversation: 0 in, 0 out, $0');
    expect(await told('/quit')).toBe('refused: /quit is for the terminal only.');
    expect(await told('/bogus')).toBe('refused: There is no command /bogus.');
  });

  it('/status tells admins of the service and /usage of everybody', async () => {
    const status = {
      ready: true,
      version: '1.2.3',
      home: '/home/anna/.hermes',
      api: { url: 'http://127.0.0.1:1', tokenFile: '/x' },
      temporal: { address: '127.0.0.1:7233', uiUrl: null, pid: null },
      worker: { pid: null },
      gateway: { pid: null },
      model: 'test:small',
      backend: 'local',
      openTurns: 2,
      waitingApprovals: 1,
    };
    const { told, say, store } = await openChats({ status: () => Promise.resolve(status) });
    const text = await told('/status', { isAdmin: true });
    expect(text).toContain('- service 1.2.3, ready; model `test:small`, backend `local`');
    expect(text).toContain('- telegram: connected');
    expect(text).not.toContain('/home/anna');
    const { conversationId } = await say('hello');
    await vi.waitFor(async () => expect((await store.turns.last(conversationId))?.state).toBe('done'), soon);
    expect(await told('/usage', { isAdmin: true })).toMatch(
      /\n- \d{4}-\d\d-\d\d `scripted` 1 calls: 10 in, 5 out, \$0\.25$/,
    );
    expect(await told('/usage')).not.toContain('scripted');
  });
});

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openChats } from './support/chat.ts';

const phone = { account: 'slack', userId: 'u2', personId: 'slack-u2' };
const hourMs = 3_600_000;

type Chats = Awaited<ReturnType<typeof openChats>>;

async function codeOf({ told }: Chats, who = {}): Promise<string> {
  return /`\/link (\w{4}-\w{4})`/.exec(await told('/link', who))?.[1] ?? 'no code';
}

async function personOf({ store }: Chats, account: string, userId: string) {
  return (await store.platformUsers.get(account, userId))?.personId;
}

/** A talk with something said in it. */
async function talkOf({ store }: Chats, personId: string, title: string): Promise<void> {
  const row = await store.conversations.create({ id: `talk-${personId}`, personId, platform: 'cli', title });
  await store.transcript.seed(row.id, [{ role: 'user', text: 'hello' }]);
  await store.conversations.setCurrent(personId, row.id);
}

describe('linked accounts', () => {
  it('share person and conversations once the code of one is typed on the other', async () => {
    const chats = await openChats();
    const { told, store } = chats;
    await talkOf(chats, 'anna', 'Rome');
    await talkOf(chats, 'slack-u2', 'Office');
    const code = await codeOf(chats);
    expect(code).toMatch(/^[A-HJ-NP-Z2-9]{4}-[A-HJ-NP-Z2-9]{4}$/);
    const text = await told(`/link ${code.toLowerCase().replace('-', ' ')}`, phone);
    expect(text).toContain('- **Rome**');
    expect(text).toContain('What was said here before is not among them');
    expect(await personOf(chats, 'slack', 'u2')).toBe('anna');
    expect((await (await chats.speaker(phone)).conversation()).title).toBe('Rome');
    expect((await store.conversations.current('slack-u2')).title).toBe('Office');
    const [giver] = await store.conversations.list('anna', { limit: 1 });
    expect(giver?.title).toBe('Rome');
  });

  it('tell whoever gave the code', async () => {
    const chats = await openChats();
    await chats.told(`/link ${await codeOf(chats)}`, phone, 'slack:event/9');
    expect(await chats.store.outbox.get('event/slack/slack:event/9/linked')).toMatchObject({
      to: { platform: 'telegram', chat: 'chat-u1' },
      text: 'slack (name of u2) now shares your conversations and memory.',
    });
  });

  it('use a code once; the same command repeated says the same', async () => {
    const chats = await openChats();
    const code = await codeOf(chats);
    const first = await chats.told(`/link ${code}`, phone, 'slack:event/1');
    expect(first).toMatch(/^This account is joined to telegram/);
    expect(await chats.told(`/link ${code}`, phone, 'slack:event/1')).toBe(first);
    const third = { account: 'slack', userId: 'u3', personId: 'slack-u3' };
    expect(await chats.told(`/link ${code}`, third)).toMatch(/^refused: That code is wrong or has expired \(4 tries/);
    expect(await personOf(chats, 'slack', 'u3')).toBe('slack-u3');
  });

  it('keep no code in the store, and refuse one after ten minutes', async () => {
    const chats = await openChats();
    const code = await codeOf(chats);
    const written = ['', '-wal'].map((end) => readFileSync(`${chats.store.file}${end}`, 'latin1')).join('');
    expect(written).toContain('LinkCode');
    expect(written).not.toContain(code.replace('-', ''));
    expect(written).not.toContain(code);
    chats.clock.ms += 10 * 60_000;
    expect(await chats.told(`/link ${code}`, phone)).toMatch(/^refused: That code is wrong or has expired/);
    expect(await personOf(chats, 'slack', 'u2')).toBe('slack-u2');
  });

  it('refuse the code of somebody who was turned away', async () => {
    const chats = await openChats();
    const code = await codeOf(chats);
    await chats.store.platformUsers.remove('telegram', 'u1');
    expect(await chats.told(`/link ${code}`, phone)).toMatch(/^refused: That code is wrong/);
  });

  it('lock an account for an hour after five wrong codes, counting each command once', async () => {
    const chats = await openChats();
    const { told, clock } = chats;
    for (const left of [4, 3, 2, 1]) {
      const key = `slack:event/${String(left)}`;
      const words = `refused: That code is wrong or has expired (${String(left)} tries left).`;
      expect(await told('/link AAAA-AAAA', phone, key)).toBe(words);
      expect(await told('/link AAAA-AAAA', phone, key)).toBe(words);
    }
    expect(await told('/link AAAA-AAAA', phone)).toBe('refused: Too many wrong codes. Try again in 60 min.');
    const code = await codeOf(chats);
    expect(await told(`/link ${code}`, phone)).toMatch(/^refused: Too many wrong codes/);
    clock.ms += hourMs + 1;
    expect(await told(`/link ${await codeOf(chats)}`, phone)).toMatch(/^This account is joined/);
  });

  it('are left by /unlink, back to what the account was before', async () => {
    const chats = await openChats();
    const { told } = chats;
    const first = { userId: 'u5', personId: 'telegram-u5' };
    expect(await told('/unlink', first)).toBe('refused: This account is joined to no other.');
    await told(`/link ${await codeOf(chats, { isAdmin: true })}`, phone);
    expect(await chats.store.platformUsers.get('slack', 'u2')).toMatchObject({ personId: 'anna', role: 'admin' });
    const alone = 'This account is on its own again: its conversations and memory are its own.';
    expect(await told('/unlink', phone, 'slack:event/2')).toBe(alone);
    expect(await chats.store.platformUsers.get('slack', 'u2')).toMatchObject({ personId: 'slack-u2', role: 'user' });
    expect(await told('/unlink', phone, 'slack:event/2')).toBe(alone);
    expect(await told('/unlink', phone)).toBe('refused: This account is joined to no other.');
  });

  it('where the shared talks began, /unlink names the other account', async () => {
    const chats = await openChats();
    const first = { userId: 'u5', personId: 'telegram-u5' };
    await chats.told(`/link ${await codeOf(chats, first)}`, phone);
    expect(await chats.told('/unlink', first)).toBe(
      'refused: The shared conversations began here. Write /unlink on the other account (slack).',
    );
  });

  it('let an account that was paired as the owner’s go its own way', async () => {
    const chats = await openChats();
    const paired = { account: 'slack', userId: 'u6', personId: 'owner' };
    expect(await chats.told('/unlink', paired)).toMatch(/^This account is on its own again/);
    expect(await personOf(chats, 'slack', 'u6')).toBe('slack-u6');
  });

  it('are a matter of direct chats', async () => {
    const { told } = await openChats();
    const group = { group: 'G1', isAdmin: true };
    for (const line of ['/link', '/link AAAA-AAAA', '/unlink', '/handoff slack']) {
      expect(await told(line, group)).toMatch(/^refused: .* works in a direct chat/);
    }
  });

  it('say so when there is nothing to join', async () => {
    const chats = await openChats();
    const code = await codeOf(chats);
    expect(await chats.told(`/link ${code}`)).toBe('This account shares those conversations already.');
    expect(await chats.told(`/link ${code}`, phone)).toMatch(/^This account is joined/);
  });

  it('let a stranger with a code in, and nobody else', async () => {
    const chats = await openChats();
    const { links, store } = chats;
    const sender = { id: 'u8', name: 'Anna' };
    const direct = { id: 'D8', kind: 'direct' } as const;
    const code = await codeOf(chats);
    const type = (key: string, typed: string, chat: { id: string; kind: 'direct' | 'group' } = direct) =>
      links.redeemAsStranger('slack', sender, chat, { key, code: typed });
    expect(await type('slack:event/1', 'ZZZZ-ZZZZ')).toMatch(/^That code is wrong or has expired \(4 tries left\)/);
    expect(await type('slack:event/2', code, { id: 'G1', kind: 'group' })).toBe('');
    expect(await store.platformUsers.get('slack', 'u8')).toBeNull();
    expect(await type('slack:event/3', code)).toMatch(/^This account is joined to telegram/);
    expect(await type('slack:event/3', code)).toMatch(/^This account is joined to telegram/);
    expect(await store.platformUsers.get('slack', 'u8')).toMatchObject({
      personId: 'anna',
      role: 'user',
      via: 'pairing',
      directChat: 'D8',
    });
  });

  it('let somebody in whom the configuration let in before, and not as who they were then', async () => {
    const chats = await openChats();
    const { links, store } = chats;
    const was = { account: 'slack', directChat: null, since: '2026-11-01T00:00:00.000Z' } as const;
    await store.platformUsers.put({
      ...was,
      userId: 'u8',
      personId: 'owner',
      role: 'admin',
      via: 'owner',
      name: 'Eve',
    });
    const sender = { id: 'u8', name: 'Eve\u001b[2J' };
    const code = await codeOf(chats);
    const chat = { id: 'D8', kind: 'direct' } as const;
    const type = () => links.redeemAsStranger('slack', sender, chat, { key: 'slack:event/3', code });
    expect(await type()).toMatch(/^This account is joined to telegram/);
    expect(await type()).toMatch(/^This account is joined to telegram/);
    const user = await store.platformUsers.get('slack', 'u8');
    expect(user).toMatchObject({ personId: 'anna', role: 'user', via: 'pairing', directChat: 'D8', name: 'Eve [2J' });
    await chats.told('/unlink', { account: 'slack', userId: 'u8' });
    expect(await store.platformUsers.get('slack', 'u8')).toMatchObject({ personId: 'slack-u8', role: 'user' });
  });

  it('let a stranger in again whose person lives on with the account that gives the code', async () => {
    const chats = await openChats();
    const { links, store } = chats;
    await chats.speaker({ account: 'telegram', userId: 'u9', personId: 'slack-u8' });
    const code = await codeOf(chats, { userId: 'u9' });
    const chat = { id: 'D8', kind: 'direct' } as const;
    const sender = { id: 'u8', name: 'Eve' };
    const text = await links.redeemAsStranger('slack', sender, chat, { key: 'slack:event/1', code });
    expect(text).toMatch(/^This account is joined to telegram/);
    expect(await store.platformUsers.get('slack', 'u8')).toMatchObject({ personId: 'slack-u8', via: 'pairing' });
  });

  it('tell a stranger once that no more codes are taken', async () => {
    const chats = await openChats();
    const type = (key: string) =>
      chats.links.redeemAsStranger(
        'slack',
        { id: 'u8', name: 'Eve' },
        { id: 'D8', kind: 'direct' },
        { key, code: 'Z' },
      );
    const said: string[] = [];
    for (let count = 1; count <= 8; count += 1) {
      said.push(await type(`slack:event/${String(count)}`));
      chats.clock.ms += 1_000;
    }
    expect(said.slice(3)).toEqual([
      expect.stringMatching(/1 tries left/),
      'Too many wrong codes. Try again in 60 min.',
      '',
      '',
      '',
    ]);
  });
});

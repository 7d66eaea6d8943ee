import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { command, group, message, openInbound, soon } from './support/inbound.ts';

const burst = { deps: { burstPauseMs: () => 500 } };

describe('messages that follow each other closely', () => {
  it('become one turn with all words and files in order, under the name of the first', async () => {
    const { inbox, idle, given, connection } = await openInbound(burst);
    await inbox.accept(message('one', { key: 'k-1' }));
    await inbox.accept(message('two', { files: [connection.file('a.txt', 'A')] }));
    await inbox.accept(message('', { files: [connection.file('b.txt', 'BB')] }));
    await idle();
    const rows = await given();
    expect(rows.map(({ id }) => id)).toEqual(['telegram:k-1']);
    expect(rows[0]?.text.split('\n')).toEqual([
      'one',
      'two',
      expect.stringMatching(/^\[document a\.txt, 1 B, text\/plain; save_attachment "[0-9a-f]{12}" puts/) as string,
      expect.stringMatching(/^\[document b\.txt, 2 B/) as string,
    ]);
  });

  it('are two turns when there is a pause between them', async () => {
    const { inbox, idle, texts } = await openInbound({ deps: { burstPauseMs: () => 100 } });
    await inbox.accept(message('one'));
    await sleep(200);
    await inbox.accept(message('two'));
    await idle();
    expect(await texts()).toEqual(['one', 'two']);
  });

  it('are two turns when they were written apart and only come together', async () => {
    const { inbox, idle, texts } = await openInbound(burst);
    await inbox.accept(message('this morning', { at: '2026-01-01T08:00:00.000Z' }));
    await inbox.accept(message('tonight', { at: '2026-01-01T20:00:00.000Z' }));
    await idle();
    expect(await texts()).toEqual(['this morning', 'tonight']);
  });

  it('end where somebody else speaks or a command is given, which waits for no pause', async () => {
    const { inbox, idle, texts, commands } = await openInbound({
      ...burst,
      conduct: { groups: ['*'] },
      deps: { burstPauseMs: () => 60_000 },
    });
    await inbox.accept(message('a', { chat: group }));
    await inbox.accept(message('b', { chat: group, sender: { id: '8', name: 'Bert' } }));
    await inbox.accept(command('status', '', { chat: group }));
    await idle();
    expect(await texts()).toEqual(['Anna: a', 'Bert: b']);
    expect(commands).toHaveLength(1);
  });

  it('take the rest of an album along, of which only the first part addresses the agent', async () => {
    const { inbox, idle, texts, connection } = await openInbound({ ...burst, conduct: { groups: ['*'] } });
    const photo = (name: string) => [connection.file(name, 'x', { kind: 'image', mediaType: 'image/jpeg' })];
    await inbox.accept(message('look', { chat: group, files: photo('1.jpg') }));
    await inbox.accept(message('', { chat: group, addressed: false, files: photo('2.jpg') }));
    await idle();
    await inbox.accept(message('', { chat: group, addressed: false, files: photo('3.jpg') }));
    await idle();
    const all = await texts();
    expect(all).toHaveLength(1);
    expect(all[0]).toMatch(/^Anna: look\n\[image 1\.jpg.*\n\[image 2\.jpg/);
    expect(connection.fetched).toEqual(['1.jpg', '2.jpg']);
  });

  it('are answered even if they never pause', async () => {
    const { inbox, texts, inbound } = await openInbound({ deps: { burstPauseMs: () => 40 } });
    const talk = new AbortController();
    const talking = (async () => {
      for (let index = 0; !talk.signal.aborted && index < 200; index += 1) {
        await inbox.accept(message(String(index)));
        await sleep(10);
      }
    })();
    await vi.waitFor(async () => expect((await texts()).length).toBeGreaterThan(0), soon);
    talk.abort();
    await talking;
    await inbound.stop();
  });
});

describe('an edited message', () => {
  it('counts with its last words while its turn has not begun', async () => {
    const { inbox, idle, texts } = await openInbound(burst);
    await inbox.accept(message('helo', { messageId: 'm' }));
    await inbox.accept(message('second'));
    await inbox.accept(message('hello', { messageId: 'm', edited: true }));
    await idle();
    expect(await texts()).toEqual(['hello\nsecond']);
  });

  it('counts without a pause, too, when it is there in time', async () => {
    const { inbox, inbound, idle, texts } = await openInbound({ start: false });
    await inbox.accept(message('helo', { messageId: 'm' }));
    await inbox.accept(message('hello', { messageId: 'm', edited: true }));
    await inbound.start();
    await idle();
    expect(await texts()).toEqual(['hello']);
  });

  it('changes nothing afterwards', async () => {
    const { inbox, idle, texts } = await openInbound();
    await inbox.accept(message('helo', { messageId: 'm' }));
    await idle();
    await inbox.accept(message('hello', { messageId: 'm', edited: true }));
    await idle();
    expect(await texts()).toEqual(['helo']);
  });
});

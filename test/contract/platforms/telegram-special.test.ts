import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { telegram } from '../../../src/gateway/platforms/telegram/descriptor.ts';
import { createMemoryInbox } from '../../support/platforms/memory-inbox.ts';
import { TelegramServer } from '../../support/platforms/telegram-server.ts';
import { openBench, until, type Bench } from './bench.ts';

const anna = { id: '1001', name: 'Anna' };
const ben = { id: '1002', name: 'Ben' };
const direct = { id: anna.id, kind: 'direct' as const };
const other = { id: ben.id, kind: 'direct' as const };
const group = { id: '-4001', kind: 'group' as const, title: 'Kitchen' };

describe('telegram', () => {
  let server: TelegramServer;
  let bench: Bench;
  const options = () => ({ key: bench.key(), signal: AbortSignal.timeout(20_000) });
  const outbound = () => bench.connection().outbound;
  const sendImage = (mediaType: string) =>
    outbound().sendFile(
      { chat: direct.id },
      {
        kind: 'image',
        name: 'chart; of "it".png',
        mediaType,
        sizeBytes: 4,
        open: () => Promise.resolve(Readable.from([Buffer.from('data')])),
      },
      options(),
    );

  beforeEach(async () => {
    server = new TelegramServer();
    bench = await openBench(telegram, server);
    await server.says({ chat: direct, from: anna, text: 'hello' });
    await bench.message('hello');
  });
  afterEach(() => bench.close());

  it('one conflict is borne, since it may be the last connection of the account itself', async () => {
    server.intrude(1);
    await until('it waits', () => bench.inbox.states.at(-1)?.state === 'waiting');
    await until('it is connected again', () => bench.inbox.states.at(-1)?.state === 'connected');
    expect(bench.inbox.states.some(({ state }) => state === 'failed')).toBe(false);
  });

  it('another program that receives with the same token ends the connection, which says what to do', async () => {
    await bench.disconnect();
    server.intrude(5);
    const connection = await bench.openWith({});
    const error = await bench.refusal(connection.run(createMemoryInbox(), AbortSignal.timeout(20_000)));
    expect(error.code).toBe('Platform.Conflict');
    expect(error.message).toContain('end the other program');
  });

  it('blocking the bot and taking it out of a group are told', async () => {
    server.blocks(direct, anna);
    server.blocks(group, ben);
    await until('both came', () => bench.inbox.events.filter(({ kind }) => kind === 'gone').length === 2);
    expect(bench.inbox.events.filter(({ kind }) => kind === 'gone')).toMatchObject([
      { chat: { id: direct.id, kind: 'direct' }, sender: { id: anna.id }, reason: 'the person has blocked the bot' },
      { chat: { id: group.id, kind: 'group' }, sender: { id: ben.id }, reason: 'the bot was taken out of the group' },
    ]);
  });

  it('a group that became a supergroup is told, and answers to its old id arrive under the new one', async () => {
    await server.says({ chat: group, from: anna, text: 'in here', mention: true });
    await bench.message('in here');
    server.migrates(group, anna, '-1009001');
    const event = await bench.inbox.event(({ kind }) => kind === 'gone');
    expect(event).toMatchObject({ chat: { id: group.id }, reason: expect.stringContaining('-1009001') as string });
    await outbound().sendText({ chat: group.id }, { text: 'still here' }, options());
    await outbound().sendText({ chat: group.id }, { text: 'and again' }, options());
    const texts = server.messages({ ...group, id: '-1009001' }).map(({ text }) => text);
    expect(texts).toEqual(['still here', 'and again']);
  });

  it('a picture the platform cannot show as one goes as a document, under its name', async () => {
    server.refusePhotos();
    await sendImage('image/png');
    expect(server.messages(direct)).toHaveLength(1);
    expect(server.messages(direct)[0]?.files).toMatchObject([
      { name: 'chart; of "it".png', bytes: Buffer.from('data') },
    ]);
  });

  it('a kind of picture that it never shows as one goes as a document at once', async () => {
    await sendImage('image/svg+xml');
    expect(server.messages(direct)[0]?.files).toMatchObject([{ mediaType: 'application/octet-stream' }]);
  });

  it('broken HTML is refused as a message, not as a failure of the platform', async () => {
    const error = await bench.refusal(outbound().sendText({ chat: direct.id }, { text: '<b>half' }, options()));
    expect(error).toMatchObject({ code: 'Platform.MessageRejected', retryable: false });
    expect(error.message).toContain("can't parse entities");
  });

  it('a batch of which one update is refused is asked for whole, in any order', async () => {
    await until('all is acknowledged', () => server.unacknowledged() === 0);
    const before = server.askedOffset();
    bench.inbox.refuse('before');
    server.swapNext();
    await server.says({ chat: direct, from: anna, text: 'first' });
    await server.says({ chat: other, from: ben, text: 'second' });
    await until('both are offered', () => new Set(bench.inbox.offers).size >= 3);
    await until('it asks again', () => bench.inbox.offers.length >= 5);
    expect(server.askedOffset()).toBe(before);
    expect(server.unacknowledged()).toBe(2);
    bench.inbox.refuse(null);
    await Promise.all([bench.message('first'), bench.message('second')]);
    await until('all is acknowledged', () => server.unacknowledged() === 0);
  });

  it('after a week of silence it asks for everything, since update ids may have begun anew', async () => {
    await until('all is acknowledged', () => server.unacknowledged() === 0);
    await bench.disconnect();
    const heardAt = Date.now() - 8 * 24 * 3_600_000;
    await bench.inbox.save({ cursor: JSON.stringify({ offset: 900_000_000, heardAt }) });
    await server.says({ chat: direct, from: anna, text: 'after the holidays' });
    await bench.connect();
    await bench.message('after the holidays');
    await until('the new ids are followed', () => server.unacknowledged() === 0);
    expect(server.askedOffset()).toBeLessThan(900_000_000);
  });

  it('a press that was answered too late counts all the same', async () => {
    const late = { chat: direct, sender: anna, at: new Date().toISOString(), data: 'a:0', messageId: '1' };
    await outbound().acknowledgeButton?.({ kind: 'button', key: 'press/gone', ...late }, 'Approved.');
    expect(server.pressAnswers()).toEqual([]);
  });

  it('commands the platform would refuse are left out, so that the others are registered', async () => {
    const commands = ['new', 'Größe', 'too-long'.repeat(9)].map((name) => ({ name, args: '', help: 'x'.repeat(400) }));
    await outbound().registerCommands?.(commands);
    expect(server.commands()).toEqual(['new']);
  });

  it('without a token it cannot be opened', async () => {
    await expect(bench.openWith({ token: null })).rejects.toMatchObject({ code: 'Config.Invalid' });
  });
});

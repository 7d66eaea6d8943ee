import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { discord } from '../../../src/gateway/platforms/discord/descriptor.ts';
import type { PlatformEvent } from '../../../src/gateway/platforms/platform.ts';
import { discordCast as cast } from '../../support/platforms/discord-cast.ts';
import { DiscordServer } from '../../support/platforms/discord-server.ts';
import type { TestChat } from '../../support/platforms/platform-server.ts';
import { openBench, until, type Bench } from './bench.ts';

let server: DiscordServer;
let bench: Bench;

beforeEach(async () => {
  server = new DiscordServer([cast.group, cast.thread]);
  bench = await openBench(discord, server);
});
afterEach(() => bench.close());

const say = (text: string, chat: TestChat = cast.direct) =>
  server.says({ chat, from: cast.anna, text, mention: chat.kind === 'group' });
const texts = () => bench.inbox.events.map((event) => (event.kind === 'message' ? event.text : event.kind));
const savedSequence = async () => {
  const saved = JSON.parse((await bench.inbox.load('session')) ?? 'null') as { sequence: number } | null;
  return saved?.sequence ?? 0;
};

describe('the session with Discord', () => {
  it('is resumed by the next process, and none is begun', async () => {
    await say('one');
    await bench.message('one');
    await bench.disconnect();
    await say('two');
    await bench.connect();
    await bench.message('two');
    expect(server.gateway.identifies).toHaveLength(1);
    expect(server.gateway.resumes).toHaveLength(1);
    // 1000 and 1001 would have ended it.
    expect(server.gateway.closes.every((code) => code !== 1000 && code !== 1001)).toBe(true);
  });

  it('is saved no further than what was accepted', async () => {
    await say('kept');
    await bench.message('kept');
    const before = await savedSequence();
    bench.inbox.hold(true);
    await say('held');
    await until('it is offered', () => bench.inbox.offers.length > 1);
    await sleep(100);
    expect(await savedSequence()).toBeLessThanOrEqual(before + 1);
    const heldAt = server.gateway.lastSequence();
    expect(await savedSequence()).toBeLessThan(heldAt);
    bench.inbox.hold(false);
    await bench.message('held');
    await until('it is saved', () => server.unacknowledged() === 0);
    await bench.disconnect();
    expect(await savedSequence()).toBeGreaterThanOrEqual(heldAt);
  });

  it('is kept while Discord cannot be reached', async () => {
    await say('before');
    await bench.message('before');
    await server.stop();
    await say('meanwhile');
    await sleep(1_500);
    await server.start();
    await bench.message('meanwhile');
    expect(server.gateway.identifies).toHaveLength(1);
  });

  it('moves to another connection when Discord asks for it', async () => {
    await say('before');
    await bench.message('before');
    server.gateway.askToReconnect();
    await say('after');
    await bench.message('after');
    await until('it is resumed', () => server.gateway.resumes.length === 1);
    expect(texts()).toEqual(['before', 'after']);
  });
});

describe('when Discord has dropped the session', () => {
  it('chats that are known are read up, each in its order, before anything new', async () => {
    for (const chat of [cast.direct, cast.group, cast.thread]) await say(`hello ${chat.thread ?? chat.id}`, chat);
    await bench.message(`hello ${cast.thread.thread}`);
    await bench.disconnect();
    server.gateway.dropSession();
    for (const text of ['missed 1', 'missed 2', 'missed 3']) await say(text);
    await say('missed in the group', cast.group);
    await say('missed in the thread', cast.thread);
    await bench.connect();
    await say('new');
    await bench.message('new');
    const came = texts().slice(3);
    expect(came.filter((text) => /^missed \d/.test(text))).toEqual(['missed 1', 'missed 2', 'missed 3']);
    expect(came.at(-1)).toBe('new');
    expect(came).toHaveLength(6);
    const inThread = await bench.message('missed in the thread');
    expect(inThread.chat).toMatchObject({ id: cast.group.id, thread: cast.thread.thread, kind: 'group' });
    expect(inThread.addressed).toBe(true);
  });

  it('more than one page is read up', async () => {
    await say('hello');
    await bench.message('hello');
    await bench.disconnect();
    server.gateway.dropSession();
    const missed = Array.from({ length: 230 }, (_, index) => `missed ${index}`);
    for (const text of missed) await say(text);
    await bench.connect();
    await bench.message('missed 229');
    expect(texts().slice(1)).toEqual(missed);
  });

  it('a process that ends while it reads up reads up again', async () => {
    await say('hello');
    await bench.message('hello');
    await bench.disconnect();
    server.gateway.dropSession();
    await say('missed 1');
    await say('missed 2');
    bench.inbox.refuse('before');
    // Not connected, in its own words, until it has read up.
    const dying = new AbortController();
    const reading = (await bench.openWith({})).run(bench.inbox, dying.signal).catch(() => undefined);
    await until('it is offered', () => bench.inbox.offers.length > 2);
    dying.abort();
    await reading;
    bench.inbox.refuse(null);
    await bench.connect();
    await bench.message('missed 2');
    expect(texts()).toEqual(['hello', 'missed 1', 'missed 2']);
  });

  it('a chat that cannot be read any more is forgotten and holds up nothing', async () => {
    await say('hello');
    await say('hello there', cast.group);
    await bench.message('hello there');
    await bench.disconnect();
    server.gateway.dropSession();
    server.hide(cast.group);
    await say('missed');
    await bench.connect();
    await bench.message('missed');
    await bench.disconnect();
    expect(await bench.inbox.names('heard/')).toEqual([`heard/${cast.direct.id}`]);
  });
});

describe('what Discord refuses is said with what to do', () => {
  const refusedWith = async (code: number) => {
    await bench.disconnect();
    server.gateway.closeWith = code;
    server.gateway.dropSession();
    const connection = await bench.openWith({});
    return bench.refusal(connection.run(bench.inbox, AbortSignal.timeout(20_000)));
  };

  it('a token that the gateway does not take', async () => {
    const error = await refusedWith(4004);
    expect(error.code).toBe('Platform.Authentication');
    expect(error.message).toContain('gateway.discord.token');
  });

  it('an intent that is not switched on', async () => {
    const error = await refusedWith(4014);
    expect(error.code).toBe('Platform.Authentication');
    expect(error.message).toContain('Message Content Intent');
  });

  it('no token at all', async () => {
    const error = await bench.refusal(bench.openWith({ token: null }));
    expect(error.code).toBe('Config.Invalid');
  });
});

describe('the address of the gateway', () => {
  it('is the one of the settings where there is one, also for a resume', async () => {
    await bench.disconnect();
    server.gateway.named = 'ws://127.0.0.1:1/nowhere';
    const connection = await bench.openWith({ gatewayUrl: server.gatewayUrl() });
    const ending = new AbortController();
    const run = connection.run(bench.inbox, ending.signal);
    await say('by the given address');
    await bench.message('by the given address');
    server.cutConnections();
    await say('and once more');
    await bench.message('and once more');
    ending.abort();
    await run;
  });
});

describe('slash commands and buttons', () => {
  const event = (kind: PlatformEvent['kind']) => bench.inbox.event((one) => one.kind === kind);

  it('a command is answered within three seconds, for the person alone', async () => {
    await server.command({ chat: cast.group, from: cast.anna, name: 'status', args: '' });
    await event('command');
    await until('it is answered', () => server.callbacks.length === 1);
    expect(server.callbacks[0]).toMatchObject({ flags: 64 });
    expect(server.callbacks[0]?.afterMs).toBeLessThan(3_000);
  });

  it('nothing is answered before the event is kept, and a repeat is not answered twice', async () => {
    bench.inbox.hold(true);
    await server.command({ chat: cast.direct, from: cast.anna, name: 'status', args: '' });
    await until('it is offered', () => bench.inbox.offers.length > 0);
    await sleep(200);
    expect(server.callbacks).toHaveLength(0);
    bench.inbox.hold(false);
    await until('it is answered', () => server.callbacks.length === 1);
    await server.repeatLast();
    await say('next');
    await bench.message('next');
    expect(server.callbacks).toHaveLength(1);
  });

  it('the press of a button before a restart has been acknowledged; words for it are lost without harm', async () => {
    const to = { chat: cast.direct.id };
    const buttons = [{ label: 'Yes', data: '0123456789abcdef:0' }];
    const options = { key: bench.key(), signal: AbortSignal.timeout(20_000) };
    const { messageId } = await bench.connection().outbound.sendText(to, { text: 'May it?', buttons }, options);
    await server.presses({ chat: cast.direct, from: cast.anna, messageId, data: '0123456789abcdef:0' });
    const press = (await event('button')) as Extract<PlatformEvent, { kind: 'button' }>;
    await until('it is acknowledged', () => server.callbacks.length === 1);
    await bench.disconnect();
    await bench.connect();
    await bench.connection().outbound.acknowledgeButton?.(press, 'Allowed.');
    expect(server.pressAnswers()).toEqual([]);
  });
});

import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import independent from 'telegram-test-api';
import type { PlatformConnection } from '../../../src/gateway/platforms/platform.ts';
import { telegram } from '../../../src/gateway/platforms/telegram/descriptor.ts';
import { createMemoryInbox, type MemoryInbox } from '../../support/platforms/memory-inbox.ts';
import { TelegramServer } from '../../support/platforms/telegram-server.ts';
import { until } from './bench.ts';

const anna = { id: '1001', name: 'Anna' };
const direct = { id: anna.id, kind: 'direct' as const };
const log = { debug: () => undefined, info: () => undefined, warn: () => undefined };

/** A place where the Bot API is spoken, and a person in a direct chat there. */
interface Place {
  readonly settings: { readonly token: string; readonly apiRoot: string };
  says(text: string): Promise<unknown>;
  command(name: string, args: string): Promise<unknown>;
  presses(messageId: string, data: string): Promise<unknown>;
  /** Texts of the agent as they are now. */
  texts(): readonly string[];
  close(): Promise<unknown>;
}

const places: readonly { readonly name: string; readonly open: () => Promise<Place> }[] = [
  { name: 'the server of these tests', open: openOwn },
  { name: 'an independent server', open: openOther },
];

describe.each(places)('telegram against $name', ({ open }) => {
  const closing: (() => Promise<unknown>)[] = [];
  const options = () => ({ key: 'second-opinion', signal: AbortSignal.timeout(20_000) });
  const connect = async (): Promise<{ place: Place; connection: PlatformConnection; inbox: MemoryInbox }> => {
    const place = await open();
    const inbox = createMemoryInbox();
    const connection = await telegram.open({ id: 'telegram', settings: place.settings, log });
    const stopping = new AbortController();
    const run = connection.run(inbox, stopping.signal);
    closing.push(async () => {
      stopping.abort();
      await run;
      await connection.close();
      await place.close();
    });
    await until('connected', () => inbox.states.at(-1)?.state === 'connected');
    return { place, connection, inbox };
  };

  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  it('messages and commands come in, in order, once', async () => {
    const { place, inbox, connection } = await connect();
    await place.says('hello from outside');
    await inbox.event((event) => event.kind === 'message');
    await place.command('status', 'of it all');
    await inbox.event((event) => event.kind === 'command');
    await place.says('and on');
    await inbox.event((event) => event.kind === 'message' && event.text === 'and on');
    expect(inbox.events).toMatchObject([
      { kind: 'message', text: 'hello from outside', addressed: true, sender: anna, chat: { id: anna.id } },
      { kind: 'command', name: 'status', args: 'of it all' },
      { kind: 'message', text: 'and on' },
    ]);
    expect(new Set(inbox.events.map(({ key }) => key)).size).toBe(3);
    await connection.probe();
    expect((await connection.identify()).id).toMatch(/^\d+$/);
  });

  it('a text goes out, is edited, and its button is pressed', async () => {
    const { place, inbox, connection } = await connect();
    await place.says('may I?');
    await inbox.event((event) => event.kind === 'message');
    const buttons = [{ label: 'Yes', data: '0123456789abcdef:0' }];
    const to = { chat: anna.id };
    const { messageId } = await connection.outbound.sendText(to, { text: '<b>Run</b> it?', buttons }, options());
    expect(place.texts()).toEqual(['<b>Run</b> it?']);
    await place.presses(messageId, '0123456789abcdef:0');
    const event = await inbox.event(({ kind }) => kind === 'button');
    expect(event).toMatchObject({ data: '0123456789abcdef:0', messageId, chat: { id: anna.id, kind: 'direct' } });
    await connection.outbound.edit(to, messageId, { text: 'It runs.' }, options());
    expect(place.texts()).toEqual(['It runs.']);
  });
});

async function openOwn(): Promise<Place> {
  const server = new TelegramServer();
  await server.start();
  return {
    settings: server.settings(),
    says: (text) => server.says({ chat: direct, from: anna, text }),
    command: (name, args) => server.command({ chat: direct, from: anna, name, args }),
    presses: (messageId, data) => server.presses({ chat: direct, from: anna, messageId, data }),
    texts: () => server.messages(direct).map(({ text }) => text),
    close: () => server.stop(),
  };
}

/** What of it is used here; its own types are those of another kind of module. */
interface Independent {
  readonly config: { readonly apiURL: string };
  readonly storage: { readonly botMessages: readonly { readonly message: { readonly text: string } }[] };
  start(): Promise<void>;
  stop(): Promise<unknown>;
  getClient(token: string, person: object): IndependentPerson;
}
interface IndependentPerson {
  makeMessage(text: string): object;
  makeCommand(text: string): object;
  makeCallbackQuery(data: string, options: object): object;
  sendMessage(message: object): Promise<unknown>;
  sendCommand(command: object): Promise<unknown>;
  sendCallback(press: object): Promise<unknown>;
}
const IndependentServer = independent as unknown as new (at: { port: number; host: string }) => Independent;

async function openOther(): Promise<Place> {
  const server = new IndependentServer({ port: await freePort(), host: '127.0.0.1' });
  await server.start();
  const token = '7700000002:an-independent-token-of-a-test';
  const person = { userId: Number(anna.id), chatId: Number(anna.id), firstName: anna.name, userName: 'anna' };
  const client = server.getClient(token, person);
  return {
    settings: { token, apiRoot: server.config.apiURL },
    says: (text) => client.sendMessage(client.makeMessage(text)),
    command: (name, args) => client.sendCommand(client.makeCommand(`/${name} ${args}`)),
    presses: (messageId, data) => {
      const chat = { id: Number(anna.id), type: 'private', first_name: anna.name };
      const message = { message_id: Number(messageId), chat };
      return client.sendCallback(client.makeCallbackQuery(data, { message }));
    },
    texts: () => server.storage.botMessages.map(({ message }) => message.text),
    close: () => server.stop(),
  };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

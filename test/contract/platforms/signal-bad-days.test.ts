import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PlatformConnection } from '../../../src/gateway/platforms/platform.ts';
import { signal } from '../../../src/gateway/platforms/signal/descriptor.ts';
import { PortError } from '../../../src/lib/port-error.ts';
import { createMemoryInbox, type MemoryInbox } from '../../support/platforms/memory-inbox.ts';
import { createSignalServer, signalAccount, type SignalServer } from '../../support/platforms/signal-server.ts';
import { until } from './bench.ts';

const anna = { id: 'a11ce000-0000-4000-8000-00000000000a', name: 'Anna' };
const direct = { id: anna.id, kind: 'direct' as const };
const group = { id: 'Pmpi+EfPWmsxiomLe9Nx2XF9HOE483p6iKiFj65iMwI=', kind: 'group' as const };
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined };

let server: SignalServer;
let inbox: MemoryInbox;
const open: PlatformConnection[] = [];
let over: AbortController;
let runs: Promise<unknown>[] = [];

beforeEach(async () => {
  server = createSignalServer();
  await server.start();
  inbox = createMemoryInbox();
  over = new AbortController();
});
afterEach(async () => {
  over.abort();
  await Promise.all(runs);
  runs = [];
  for (const one of open.splice(0)) await one.close();
  await server.stop();
});

async function connection(further: object = {}): Promise<PlatformConnection> {
  const settings = { noteToSelf: false, ...server.settings(), ...further } as never;
  const one = await signal.open({ id: 'signal', settings, log: silent });
  open.push(one);
  return one;
}

async function connected(further: object = {}): Promise<PlatformConnection> {
  const one = await connection(further);
  runs.push(one.run(inbox, over.signal));
  await until('connected', () => inbox.states.at(-1)?.state === 'connected');
  return one;
}

async function refusal(work: Promise<unknown>): Promise<PortError> {
  const error = await work.then(
    () => expect.fail('it is fulfilled'),
    (reason: unknown) => reason,
  );
  if (!PortError.is(error)) throw error;
  return error;
}

const options = () => ({ key: 'a key', signal: AbortSignal.timeout(20_000) });
const sendsOne = async () =>
  refusal((await connection()).outbound.sendText({ chat: anna.id }, { text: 'hello' }, options()));
const results = (type: string, further: object = {}) => ({ response: { results: [{ type, ...further }] } });

describe('what the daemon says when it does not send', () => {
  it('a key nobody trusts is rejected with what to do', async () => {
    server.refuse('send', { code: -4, message: 'Failed to send message due to untrusted identities' });
    const error = await sendsOne();
    expect(error.code).toBe('Platform.MessageRejected');
    expect(error.message).toContain('signal-cli -a ACCOUNT trust');
  });

  it('a rate limit without a time waits a minute, one with a time as long as told', async () => {
    server.refuse('send', { code: -5, message: 'Failed to send message due to rate limiting' });
    expect(await sendsOne()).toMatchObject({ code: 'Platform.RateLimited', retryAfterMs: 60_000 });
    const data = results('RATE_LIMIT_FAILURE', { token: 'challenge-token', retryAfterSeconds: 3_600 });
    server.refuse('send', { code: -1, message: 'Failed to send message', data });
    const error = await sendsOne();
    expect(error).toMatchObject({ code: 'Platform.RateLimited', retryAfterMs: 3_600_000 });
    expect(JSON.stringify([error.message, error.details])).not.toContain('challenge-token');
  });

  it('a network that failed on the way leaves a text ambiguous and an edit to be repeated', async () => {
    server.refuse('send', { code: -1, message: 'Failed to send message', data: results('NETWORK_FAILURE') });
    expect((await sendsOne()).code).toBe('Platform.Ambiguous');
    server.refuse('send', { code: -3, message: 'Failed to send message: timeout' });
    const edit = (await connection()).outbound.edit({ chat: anna.id }, '1790000000000', { text: 'x' }, options());
    expect((await refusal(edit)).code).toBe('Platform.Unavailable');
  });

  it('a Signal that was never reached has sent nothing', async () => {
    const message = 'Failed to send message: chat.signal.org (UnknownHostException)';
    server.refuse('send', { code: -32603, message });
    expect((await sendsOne()).code).toBe('Platform.Unavailable');
  });

  it('a group the account has left is gone', async () => {
    server.refuse('send', { code: -1, message: 'User is not a group member' });
    expect((await sendsOne()).code).toBe('Platform.RecipientGone');
  });

  it.each([
    [401, 'Platform.Authentication'],
    [404, 'Platform.Unavailable'],
    [413, 'Platform.MessageRejected'],
    [429, 'Platform.RateLimited'],
    [502, 'Platform.Ambiguous'],
    [503, 'Platform.Unavailable'],
  ])('status %i of a proxy is %s', async (status, code) => {
    server.answerWith(status, { 'retry-after': '7' });
    const error = await sendsOne();
    expect(error.code).toBe(code);
    if (status === 429) expect(error.retryAfterMs).toBe(7_000);
  });

  it('a daemon that knows itself under another host name says which setting is wrong', async () => {
    server.answerWith(421);
    const error = await sendsOne();
    expect(error.code).toBe('Platform.Unavailable');
    expect(error.message).toContain('gateway.signal.url');
  });
});

describe('what is sent', () => {
  it('styles as ranges of the plain text', async () => {
    const { outbound } = await connection();
    await outbound.sendText({ chat: group.id }, { text: 'a *bold* and `code` \\* b' }, options());
    expect(server.calls.at(-1)?.params).toEqual({
      account: signalAccount.number,
      groupId: group.id,
      message: 'a bold and code * b',
      textStyle: ['2:4:BOLD', '11:4:MONOSPACE'],
    });
  });

  it('a voice note is marked as one, its media type without parameters', async () => {
    const { outbound } = await connection();
    const { Readable } = await import('node:stream');
    const file = { kind: 'voice' as const, name: 'a=b;c.ogg', mediaType: 'audio/ogg; codecs=opus', sizeBytes: 3 };
    const open = () => Promise.resolve(Readable.from([Buffer.from('abc')]));
    await outbound.sendFile({ chat: '+4915150000002' }, { ...file, open }, options());
    expect(server.calls.at(-1)?.params).toMatchObject({ recipient: ['+4915150000002'], voiceNote: true });
    const [seen] = server.messages({ id: '+4915150000002', kind: 'direct' });
    expect(seen?.files[0]).toMatchObject({ name: 'a=b;c.ogg', mediaType: 'audio/ogg' });
  });
});

describe('what comes', () => {
  it('from a daemon that gives no ids, once each, held while it cannot be kept', async () => {
    await server.stop();
    server = createSignalServer({ ids: false });
    await server.start();
    await connected();
    inbox.refuse('before');
    await server.says({ chat: direct, from: anna, text: 'first' });
    await server.says({ chat: direct, from: anna, text: 'second' });
    await until('offered again and again', () => inbox.offers.length > 3);
    expect(inbox.states.at(-1)?.state).toBe('waiting');
    inbox.refuse(null);
    await until('both', () => inbox.events.length === 2);
    expect(inbox.events.map((event) => (event.kind === 'message' ? event.text : ''))).toEqual(['first', 'second']);
    await until('connected', () => inbox.states.at(-1)?.state === 'connected');
  });

  it('reactions, receipts, typing and what the account wrote elsewhere are no events', async () => {
    await connected();
    const source = { sourceUuid: anna.id, sourceName: 'Anna', sourceDevice: 1, timestamp: 1_790_000_000_001 };
    const reaction = { emoji: '👍', targetAuthorUuid: signalAccount.uuid, targetSentTimestamp: 1, isRemove: false };
    server.envelope({ ...source, dataMessage: { message: null, reaction } });
    server.envelope({ ...source, receiptMessage: { when: 1, isDelivery: true } });
    server.envelope({ ...source, typingMessage: { action: 'STARTED' } });
    const sentMessage = { destinationUuid: signalAccount.uuid, message: 'a note', timestamp: 1 };
    server.envelope({ ...source, sourceUuid: signalAccount.uuid, syncMessage: { sentMessage } });
    await server.says({ chat: direct, from: anna, text: 'after them' });
    await until('the message', () => inbox.events.length > 0);
    expect(inbox.offers).toHaveLength(1);
  });

  it('notes to self are a conversation where that is wanted', async () => {
    const { outbound } = await connected({ noteToSelf: true });
    const source = { sourceUuid: signalAccount.uuid, sourceName: 'Me', sourceDevice: 1, timestamp: 1_790_000_000_001 };
    const sentMessage = { destinationUuid: signalAccount.uuid, message: 'a note', timestamp: 1 };
    server.envelope({ ...source, syncMessage: { sentMessage: { ...sentMessage, destinationUuid: anna.id } } });
    server.envelope({ ...source, syncMessage: { sentMessage } });
    const event = await inbox.event(({ kind }) => kind === 'message');
    expect(event).toMatchObject({ text: 'a note', addressed: true, chat: { id: signalAccount.uuid, kind: 'direct' } });
    expect(inbox.offers).toHaveLength(1);
    await outbound.sendText({ chat: signalAccount.number }, { text: 'noted' }, options());
    expect(server.calls.at(-1)?.params).toMatchObject({ noteToSelf: true });
  });

  it('a connection that dies in silence is noticed by the probe', async () => {
    const one = await connected();
    server.wedge(true);
    const began = Date.now();
    expect((await refusal(one.probe())).code).toBe('Platform.Unavailable');
    expect(Date.now() - began).toBeLessThan(10_000);
    server.wedge(false);
  });

  it('an account the daemon does not know ends the run with what to do', async () => {
    const one = await connection({ account: '+4915159999999' });
    const error = await refusal(one.run(inbox, over.signal));
    expect(error.code).toBe('Platform.Authentication');
    expect(error.message).toContain('listAccounts');
  });

  it('a daemon that is not there is waited for', async () => {
    await server.stop();
    const one = await connection();
    runs.push(one.run(inbox, over.signal));
    await until('waiting', () => inbox.states.at(-1)?.state === 'waiting');
    await sleep(50);
    await server.start();
    await until('connected', () => inbox.states.at(-1)?.state === 'connected', 15_000);
  });
});

it.each(['ftp://127.0.0.1', 'nonsense', ''])('the address %j is refused', async (url) => {
  expect((await refusal(connection({ url }))).code).toBe('Config.Invalid');
});

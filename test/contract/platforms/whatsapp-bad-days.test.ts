import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PlatformConnection } from '../../../src/gateway/platforms/platform.ts';
import { whatsapp } from '../../../src/gateway/platforms/whatsapp/descriptor.ts';
import { PortError } from '../../../src/lib/port-error.ts';
import { createMemoryInbox, type MemoryInbox } from '../../support/platforms/memory-inbox.ts';
import { createWhatsAppServer, type WhatsAppServer } from '../../support/platforms/whatsapp-server.ts';
import { until } from './bench.ts';

const anna = { id: '4915150000002', name: 'Anna' };
const direct = { id: anna.id, kind: 'direct' as const };
const to = { chat: anna.id };

let server: WhatsAppServer;
let inbox: MemoryInbox;
let over: AbortController;
let running: Promise<unknown>;
let connection: PlatformConnection;
const said: { fields: object; message: string }[] = [];

async function open(): Promise<void> {
  const line = (fields: object, message: string): void => void said.push({ fields, message });
  const log = { debug: line, info: line, warn: line };
  connection = await whatsapp.open({ id: 'whatsapp', settings: server.settings() as never, log });
  over = new AbortController();
  running = connection.run(inbox, over.signal);
  server.webhook?.((request) => connection.webhook?.(request, inbox) ?? Promise.resolve({ status: 404 }));
  await until('connected', () => inbox.states.at(-1)?.state === 'connected');
}

async function end(): Promise<void> {
  server.webhook?.(null);
  over.abort();
  await running;
  await connection.close();
}

beforeEach(async () => {
  said.length = 0;
  server = createWhatsAppServer();
  await server.start();
  inbox = createMemoryInbox();
  await open();
});
afterEach(async () => {
  await end();
  await server.stop();
});

async function refusal(work: Promise<unknown>): Promise<PortError> {
  const error = await work.then(
    () => expect.fail('it is fulfilled'),
    (reason: unknown) => reason,
  );
  if (!PortError.is(error)) throw error;
  return error;
}

const options = (key = 'a key') => ({ key, signal: AbortSignal.timeout(20_000) });
const send = (text = 'hello', key = 'a key') => connection.outbound.sendText(to, { text }, options(key));
const setting = (name: string) => server.settings()[name] as string;
const signed = (body: Buffer, secret = setting('appSecret')) => ({
  'X-Hub-Signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
});

describe('the webhook', () => {
  it('answers the challenge to who knows the word, and nobody else', async () => {
    const query = {
      'hub.mode': 'subscribe',
      'hub.challenge': '1158201444',
      'hub.verify_token': setting('verifyToken'),
    };
    expect(await server.call({ method: 'GET', query })).toMatchObject({ status: 200, body: '1158201444' });
    const others = [{ 'hub.verify_token': 'guess' }, { 'hub.mode': 'other' }, { 'hub.challenge': '<script>' }];
    for (const other of others) {
      const answer = await server.call({ method: 'GET', query: { ...query, ...other } });
      expect(answer.status).toBe(403);
      expect(answer.body).toBeUndefined();
    }
    expect((await server.call({ method: 'GET', query: {} })).status).toBe(403);
    expect((await server.call({ method: 'PUT' })).status).toBe(405);
  });

  it('refuses what is not signed with the secret over exactly these bytes', async () => {
    const body = Buffer.from('{"object":"whatsapp_business_account","entry":[]}');
    expect((await server.call({ body, headers: signed(body) })).status).toBe(200);
    const wrong = [
      {},
      signed(body, 'another secret'),
      signed(Buffer.concat([body, Buffer.from(' ')])),
      { 'x-hub-signature-256': 'sha256=' },
      { 'x-hub-signature-256': signed(body)['X-Hub-Signature-256'].slice(7) },
    ];
    for (const headers of wrong) expect((await server.call({ body, headers })).status).toBe(403);
  });

  it('is told to come again while nothing can be kept, and not for what cannot be read', async () => {
    inbox.refuse('before');
    await server.says({ chat: direct, from: anna, text: 'later' });
    await until('offered twice', () => inbox.offers.length >= 2);
    expect(inbox.states.at(-1)?.state).toBe('waiting');
    inbox.refuse(null);
    await until('kept', () => inbox.events.length === 1);
    await until('connected', () => inbox.states.at(-1)?.state === 'connected');
    const body = Buffer.from('no JSON');
    expect((await server.call({ body, headers: signed(body) })).status).toBe(200);
  });

  it('leaves other numbers of the same app alone', async () => {
    const metadata = { display_phone_number: '1', phone_number_id: '999' };
    const message = { from: anna.id, id: 'wamid.other', timestamp: '1790000000', type: 'text', text: { body: 'x' } };
    server.deliver({ metadata, messages: [message] });
    await until('it is answered', () => server.unacknowledged() === 0);
    expect(inbox.offers).toEqual([]);
  });
});

describe('what became of a message', () => {
  it('is known by its status when the answer was lost, after a restart too', async () => {
    server.fail({ kind: 'accepted-then-cut' });
    expect((await refusal(send('perhaps', 'lost'))).code).toBe('Platform.Ambiguous');
    await until('the status came', () => server.unacknowledged() === 0);
    await end();
    await open();
    const found = await connection.outbound.reconcile(to, 'lost', new Date().toISOString());
    expect(found).toEqual({ state: 'sent', messageId: server.messages(direct)[0]?.id });
  });

  it('stays unknown without a status: that none came proves nothing', async () => {
    server.fail({ kind: 'cut' });
    expect((await refusal(send('never read', 'cut'))).code).toBe('Platform.Ambiguous');
    server.statuses = false;
    server.fail({ kind: 'accepted-then-cut' });
    expect((await refusal(send('no status', 'silent'))).code).toBe('Platform.Ambiguous');
    for (const key of ['cut', 'silent']) {
      expect(await connection.outbound.reconcile(to, key, new Date().toISOString())).toEqual({ state: 'unknown' });
    }
    expect(server.messages(direct).map(({ text }) => text)).toEqual(['no status']);
  });

  it('is said where WhatsApp did not deliver it later on', async () => {
    server.statuses = false;
    const { messageId } = await send('too late');
    const callback = server.sent.at(-1)?.['biz_opaque_callback_data'];
    const errors = [{ code: 131047, title: 'Re-engagement message' }];
    const status = { id: messageId, status: 'failed', errors, biz_opaque_callback_data: callback };
    server.deliver({ statuses: [status] });
    await until('it is said', () => inbox.states.some(({ detail }) => detail?.includes('24 hours') === true));
    expect(said.some(({ message }) => message.includes('24 hours'))).toBe(true);
  });

  it('keeps only the latest statuses', async () => {
    for (let from = 0; from < 600; from += 100) {
      const statuses = Array.from({ length: 100 }, (_, index) => ({
        id: `wamid.${from + index}`,
        status: 'delivered',
        biz_opaque_callback_data: `callback-${from + index}`,
      }));
      server.deliver({ statuses });
    }
    await until('all came', () => server.unacknowledged() === 0);
    expect((await inbox.load('deliveries'))?.length).toBeLessThan(20_000);
    expect(await inbox.load('deliveries')).toContain('callback-599');
  });
});

describe('what WhatsApp says when it does not send', () => {
  it.each([
    [131047, 400, 'Platform.MessageRejected', /24 hours.*not sent by itself.*write again/],
    [470, 400, 'Platform.MessageRejected', /24 hours/],
    [131030, 400, 'Platform.MessageRejected', /API Setup/],
    [131026, 400, 'Platform.RecipientGone', /131026/],
    [130429, 400, 'Platform.RateLimited', /130429/],
    [131056, 400, 'Platform.RateLimited', /131056/],
    [10, 403, 'Platform.Authentication', /access token/],
    [131016, 503, 'Platform.Unavailable', /131016/],
    [131009, 400, 'Platform.MessageRejected', /131009/],
    [1, 500, 'Platform.Ambiguous', /code 1\b/],
    [99999, 500, 'Platform.Ambiguous', /code 99999\b/],
    [131053, 500, 'Platform.MessageRejected', /kind of file/],
  ])('code %i with status %i', async (code, status, type, words) => {
    server.refuse({ code, error_data: { details: 'details' } }, status);
    const error = await refusal(send());
    expect(error.code).toBe(type);
    expect(error.message).toMatch(words);
    if (type === 'Platform.RateLimited') expect(error.retryAfterMs).toBeGreaterThan(0);
  });

  it.each([
    [502, 'Platform.Ambiguous'],
    [503, 'Platform.Unavailable'],
    [404, 'Platform.MessageRejected'],
  ])('status %i of something in between', async (status, type) => {
    server.answerWith(status);
    expect((await refusal(send())).code).toBe(type);
  });

  it('a token that the API repeats is not repeated here', async () => {
    const accessToken = `EAAG${'x1'.repeat(30)}`;
    const settings = { ...server.settings(), accessToken } as never;
    const log = { debug: () => undefined, info: () => undefined, warn: () => undefined };
    const other = await whatsapp.open({ id: 'whatsapp', settings, log });
    const error = await refusal(other.identify());
    expect(error.code).toBe('Platform.Authentication');
    expect(error.message).not.toContain(accessToken.slice(0, 20));
    await other.close();
  });
});

describe('what is sent', () => {
  const choices = (count: number, label = 'A rather long label of a choice') =>
    Array.from({ length: count }, (_, index) => ({ label, data: `0123456789abcdef:${index}` }));

  it('few choices as buttons, many or below a long text as a list, titles short and distinct', async () => {
    await connection.outbound.sendText(to, { text: 'Which?', buttons: choices(3) }, options());
    await connection.outbound.sendText(to, { text: 'Which?', buttons: choices(4) }, options());
    await connection.outbound.sendText(to, { text: 'x'.repeat(4096), buttons: choices(2) }, options());
    const types = server.sent.map((body) => (body['interactive'] as { type: string }).type);
    expect(types).toEqual(['button', 'list', 'list']);
    for (const { buttons } of server.messages(direct)) {
      expect(new Set(buttons.map(({ label }) => label)).size).toBe(buttons.length);
    }
  });

  it('typing to nobody who has written is left out', async () => {
    await connection.outbound.typing(to, AbortSignal.timeout(5_000));
    expect(server.typings(direct)).toBe(0);
  });

  it('no edit', async () => {
    const edit = connection.outbound.edit(to, 'wamid.1', { text: 'x' }, options());
    expect((await refusal(edit)).code).toBe('Platform.MessageRejected');
  });
});

it.each(['accessToken', 'phoneNumberId', 'appSecret', 'verifyToken', 'apiUrl'])('%s must be set', async (key) => {
  const settings = { ...server.settings(), [key]: key === 'apiUrl' ? 'nonsense' : '' } as never;
  const log = { debug: () => undefined, info: () => undefined, warn: () => undefined };
  const error = await refusal(whatsapp.open({ id: 'whatsapp', settings, log }));
  expect(error.code).toBe('Config.Invalid');
  expect(error.message).toContain(key);
});

import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { whatsAppWeb } from '../../../src/gateway/platforms/whatsapp_web/descriptor.ts';
import type { TestChat } from '../../support/platforms/platform-server.ts';
import { paired } from '../../support/platforms/whatsapp-web-phone.ts';
import { createWhatsAppWebServer, type WhatsAppWebServer } from '../../support/platforms/whatsapp-web-server.ts';
import { openBench, until, type Bench } from './bench.ts';

const anna = { id: '4915550001', name: 'Anna' };
const direct: TestChat = { id: anna.id, kind: 'direct' };
const group: TestChat = { id: '120363000000000001@g.us', kind: 'group', title: 'Friends' };

describe('a linked device of WhatsApp', () => {
  let server: WhatsAppWebServer;
  let bench: Bench;
  const say = (text: string) => server.says({ chat: direct, from: anna, text });
  const failures = () => bench.inbox.states.filter(({ state }) => state === 'failed').map(({ detail }) => detail ?? '');
  const options = (key: string) => ({ key, signal: AbortSignal.timeout(20_000) });

  beforeEach(async () => {
    server = createWhatsAppWebServer();
    bench = await openBench(
      paired(whatsAppWeb, (shown) => server.phoneSees(shown)),
      server,
    );
  });
  afterEach(() => bench.close());

  it('is paired once by the code it shows, and stays so', async () => {
    expect(bench.inbox.shown).toHaveLength(1);
    await bench.disconnect();
    await bench.connect();
    await say('still you?');
    await bench.message('still you?');
    expect(server.pairings()).toBe(1);
    expect(bench.inbox.shown).toHaveLength(1);
  });

  it('says so when it is logged out, and pairs anew', async () => {
    await say('before');
    await bench.message('before');
    server.streamError(401);
    await until('it has failed', () => failures().length > 0);
    expect(failures()[0]).toMatch(/logged this device out.*scan the new QR code/);
    await until('it is paired again', () => server.pairings() === 2);
    await until('it is connected again', () => bench.inbox.states.at(-1)?.state === 'connected');
  });

  it('tells a send that nothing can be sent once it is logged out', async () => {
    server.fail({ kind: 'refused-token' });
    const work = bench.connection().outbound.sendText({ chat: anna.id }, { text: 'no luck' }, options('logged-out'));
    expect((await bench.refusal(work)).code).toMatch(/^Platform\.(Ambiguous|Authentication)$/);
    expect(server.messages(direct)).toEqual([]);
  });

  it('says who took its place when another program uses the device', async () => {
    server.streamError(440);
    await until('it has failed', () => failures().length > 0);
    expect(failures()[0]).toContain('Another program has taken over');
    expect(server.pairings()).toBe(1);
  });

  it('takes somebody for the same person by hidden id and by number', async () => {
    await say('by the hidden id');
    await bench.message('by the hidden id');
    server.addressBy('number');
    await say('by number');
    await bench.message('by number');
    server.addressBy('lid');
    await say('hidden again');
    const again = await bench.message('hidden again');
    expect(again).toMatchObject({ chat: direct, sender: anna });
    expect(bench.inbox.events.map(({ chat, sender }) => `${chat.id} ${sender.id}`)).toEqual(
      Array.from({ length: 3 }, () => `${anna.id} ${anna.id}`),
    );
  });

  it('sends a message once more to a phone that could not decrypt it, also after a restart', async () => {
    await say('hello');
    await bench.message('hello');
    const to = { chat: anna.id };
    const { messageId } = await bench.connection().outbound.sendText(to, { text: 'read this' }, options('again'));
    await bench.disconnect();
    await bench.connect();
    server.asksAgain(direct, messageId);
    await until('it came again', () => server.arrivals(messageId) === 2);
    expect(server.messages(direct)).toHaveLength(1);
  });

  it('takes what was missed before what is said while it is being taken', async () => {
    await say('hello');
    await bench.message('hello');
    await bench.disconnect();
    const missed = ['missed 1', 'missed 2', 'missed 3'];
    for (const text of missed) await say(text);
    const offered = bench.inbox.offers.length;
    bench.inbox.hold(true);
    await bench.connect();
    await until('the first one is offered', () => bench.inbox.offers.length > offered);
    await say('new');
    // Time enough for it to overtake the others.
    await new Promise((resolve) => setTimeout(resolve, 300));
    bench.inbox.hold(false);
    for (const text of ['new', ...missed]) await bench.message(text);
    const texts = bench.inbox.events.map((event) => (event.kind === 'message' ? event.text : event.kind));
    expect(texts).toEqual(['hello', ...missed, 'new']);
  });

  it('hears sound without words', async () => {
    const bytes = Buffer.alloc(10_000, 3);
    const file = { kind: 'audio' as const, name: 'song.mp3', mediaType: 'audio/mpeg', bytes };
    await server.says({ chat: direct, from: anna, text: '', files: [file] });
    const event = await bench.inbox.event(({ kind }) => kind === 'message');
    const [came] = event.kind === 'message' ? event.files : [];
    expect(came).toMatchObject({ kind: 'audio', mediaType: 'audio/mpeg', sizeBytes: bytes.length });
    const { stream } = await bench.connection().fetchFile(came?.reference ?? null, AbortSignal.timeout(20_000));
    expect((await buffer(stream)).equals(bytes)).toBe(true);
  });

  it('tells when it is taken out of a group', async () => {
    await server.says({ chat: group, from: anna, text: 'are you there?', mention: true });
    await bench.message('are you there?');
    server.removesFrom(group);
    const event = await bench.inbox.event(({ kind }) => kind === 'gone');
    expect(event.chat).toMatchObject({ id: group.id, kind: 'group' });
  });

  it.each([1, 2, 3, 4, 5])('loses nothing when the store fails at step %i of a message', async (step) => {
    await bench.disconnect();
    let left = -1;
    const broken = <T>(work: () => Promise<T>): Promise<T> => {
      left -= 1;
      return left >= 0 && left < 4 ? Promise.reject(new Error('the disk is full')) : work();
    };
    const whole = { ...bench.inbox };
    Object.assign(bench.inbox, {
      load: (name: string) => broken(() => whole.load(name)),
      save: (values: Record<string, string | null>) => broken(() => whole.save(values)),
    });
    await bench.connect();
    await say('the first');
    await bench.message('the first');
    // The next few reads and writes fail from here on, beginning at another one each time.
    left = 4 + step;
    await say('in spite of it all');
    await bench.message('in spite of it all');
    await until('it is acknowledged', () => server.unacknowledged() === 0);
    expect(bench.count('in spite of it all')).toBe(1);
  });

  it('refuses a version that is none before it connects', async () => {
    const error = await bench.refusal(bench.openWith({ version: 'newest' }));
    expect(error.code).toBe('Config.Invalid');
  });
});

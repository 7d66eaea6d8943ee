import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createApi } from '../../../src/gateway/platforms/discord/api.ts';
import { discord } from '../../../src/gateway/platforms/discord/descriptor.ts';
import { discordCast as cast } from '../../support/platforms/discord-cast.ts';
import { DiscordServer } from '../../support/platforms/discord-server.ts';
import { oggOpus } from '../../support/platforms/ogg-opus.ts';
import { openBench, type Bench } from './bench.ts';

let server: DiscordServer;
let bench: Bench;
const to = { chat: cast.direct.id };
const options = () => ({ key: bench.key(), signal: AbortSignal.timeout(20_000) });
const outbound = () => bench.connection().outbound;

beforeEach(async () => {
  server = new DiscordServer([cast.group, cast.thread]);
  bench = await openBench(discord, server);
});
afterEach(() => bench.close());

describe('what goes to Discord', () => {
  it('carries a nonce made of the key, and rings nobody', async () => {
    const key = `turn/${'x'.repeat(190)}`;
    const signal = AbortSignal.timeout(20_000);
    await outbound().sendText(to, { text: '@everyone <@1> look' }, { key, signal });
    await outbound().sendText(to, { text: 'another' }, options());
    const [first, second] = server.posted;
    expect(first).toMatchObject({ enforce_nonce: true, allowed_mentions: { parse: [] } });
    expect(String(first?.nonce)).toMatch(/^[\w-]{16,25}$/);
    expect(second?.nonce).not.toBe(first?.nonce);
  });

  it('is the same message for the same key after a restart too', async () => {
    const given = options();
    const first = await outbound().sendText(to, { text: 'only one' }, given);
    await bench.disconnect();
    await bench.connect();
    expect(await outbound().sendText(to, { text: 'only one' }, given)).toEqual(first);
    expect(server.messages(cast.direct)).toHaveLength(1);
    expect(await outbound().reconcile(to, given.key, new Date(0).toISOString())).toEqual({ state: 'unknown' });
  });

  it('a recording is a voice note, with its length and a picture of it', async () => {
    const bytes = oggOpus({ seconds: 3 });
    const file = { kind: 'voice' as const, name: 'answer.ogg', mediaType: 'audio/ogg', sizeBytes: bytes.length };
    await outbound().sendFile(to, { ...file, open: () => Promise.resolve(Readable.from([bytes])) }, options());
    const [posted] = server.posted;
    expect(posted?.flags).toBe(8192);
    expect(posted?.content).toBeUndefined();
    const [attachment] = (posted?.attachments ?? []) as { duration_secs?: number; waveform?: string }[];
    expect(attachment?.duration_secs).toBeCloseTo(3, 1);
    expect(Buffer.from(attachment?.waveform ?? '', 'base64').length).toBeGreaterThan(1);
    expect(server.messages(cast.direct)[0]?.files[0]?.bytes.equals(bytes)).toBe(true);
  });

  it('a recording with words beside it goes as a file, so that the words are not lost', async () => {
    const bytes = oggOpus({ seconds: 1 });
    const file = { kind: 'voice' as const, name: 'answer.ogg', mediaType: 'audio/ogg', sizeBytes: bytes.length };
    const open = () => Promise.resolve(Readable.from([bytes]));
    await outbound().sendFile(to, { ...file, caption: 'as you asked', open }, options());
    expect(server.posted[0]).toMatchObject({ content: 'as you asked' });
    expect(server.posted[0]?.flags).toBeUndefined();
  });

  it('a file that is too large is refused before a byte goes out, whatever size it claims', async () => {
    const file = { kind: 'document' as const, name: 'big.bin', mediaType: 'application/octet-stream' };
    const endless = () =>
      Promise.resolve(
        Readable.from(
          (function* () {
            for (let i = 0; i < 20; i += 1) yield Buffer.alloc(1024 * 1024);
          })(),
        ),
      );
    for (const sizeBytes of [11 * 1024 * 1024, 1]) {
      const error = await bench.refusal(outbound().sendFile(to, { ...file, sizeBytes, open: endless }, options()));
      expect(error.code).toBe('Platform.MessageRejected');
      expect(error.message).toContain('10 MB');
    }
    expect(server.posted).toHaveLength(0);
  });

  it('an id from outside stays one part of an address', async () => {
    await outbound().sendText({ chat: '../users/@me' }, { text: 'x' }, options());
    expect(server.requests.at(-1)).toBe('POST /api/v10/channels/%2E%2E%2Fusers%2F%40me/messages');
  });
});

describe('an answer that does not come in time, or says nothing', () => {
  it('an internal error after a message went out leaves open whether it arrived', async () => {
    server.fail({ kind: 'server-error' });
    const error = await bench.refusal(outbound().sendText(to, { text: 'perhaps' }, options()));
    expect(error.code).toBe('Platform.Ambiguous');
    server.fail({ kind: 'server-error' });
    const edit = outbound().edit(to, '1', { text: 'again' }, options());
    expect((await bench.refusal(edit)).code).toBe('Platform.Unavailable');
  });

  it('files have longer than texts, for slow lines', async () => {
    const slow = createServer((request, response) => {
      request.resume();
      setTimeout(() => response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"1"}'), 400);
    }).listen(0, '127.0.0.1');
    await once(slow, 'listening');
    const address = `http://127.0.0.1:${(slow.address() as AddressInfo).port}/api`;
    const api = createApi('token', address, { callMs: 100, fileMs: 10_000 });
    const call = { method: 'Post', path: '/channels/1/messages', body: { content: 'x' } } as const;
    expect((await bench.refusal(api.call(call))).code).toBe('Platform.Ambiguous');
    const files = [{ name: 'a.txt', data: Buffer.from('a') }];
    expect(await api.call({ ...call, files })).toEqual({ id: '1' });
    api.close();
    slow.close();
  });
});

describe('a limit of Discord', () => {
  it('is told for as long as it lasts, and nothing is asked of Discord meanwhile', async () => {
    // The client learns from the first answer which bucket the calls are counted in.
    server.exhaustNext(0);
    await outbound().sendText(to, { text: 'the first' }, options());
    server.exhaustNext(1_500);
    await outbound().sendText(to, { text: 'the last of the bucket' }, options());
    const before = server.posted.length;
    const error = await bench.refusal(outbound().sendText(to, { text: 'too many' }, options()));
    expect(error.code).toBe('Platform.RateLimited');
    expect(error.retryAfterMs).toBeGreaterThan(500);
    expect(error.retryAfterMs).toBeLessThanOrEqual(1_500);
    expect(server.posted).toHaveLength(before);
    await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs));
    await outbound().sendText(to, { text: 'in time' }, options());
  });

  it('an error carries neither what was written nor an address with a token', async () => {
    server.fail({ kind: 'rejected' });
    const error = await bench.refusal(outbound().sendText(to, { text: 'a private matter' }, options()));
    const printed = inspect(error, { depth: 12, showHidden: true });
    expect(printed).not.toContain('a private matter');
    expect(printed).not.toContain('http://');
    expect(error.cause).toBeUndefined();
  });
});

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { telegram } from '../../../src/gateway/platforms/telegram/descriptor.ts';
import { PortError } from '../../../src/lib/port-error.ts';

const log = { debug: () => undefined, info: () => undefined, warn: () => undefined };

/** The code with which a text is refused when the Bot API answers so. */
async function refusalOf(status: number, description: string): Promise<string> {
  const server = createServer((_, response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ ok: false, error_code: status, description }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const apiRoot = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const settings = { token: `1:${'x'.repeat(35)}`, apiRoot } as never;
  const connection = await telegram.open({ id: 'telegram', settings, log });
  try {
    const options = { key: 'a key', signal: AbortSignal.timeout(10_000) };
    await connection.outbound.sendText({ chat: '7' }, { text: 'hello' }, options);
    return 'sent';
  } catch (error) {
    return PortError.is(error) ? error.code : String(error);
  } finally {
    await connection.close();
    server.close();
  }
}

describe('a chat that takes nothing any more', () => {
  it.each([
    [400, 'Bad Request: chat not found'],
    [400, 'Bad Request: PEER_ID_INVALID'],
    [400, 'Bad Request: not enough rights to send text messages to the chat'],
    [400, 'Bad Request: have no rights to send a message'],
    [400, 'Bad Request: CHAT_WRITE_FORBIDDEN'],
    [403, 'Forbidden: user is deactivated'],
  ])('%i %s', async (status, description) => {
    expect(await refusalOf(status, description)).toBe('Platform.RecipientGone');
  });

  it.each([
    [400, "Bad Request: can't parse entities: byte offset 0"],
    [400, 'Bad Request: message thread not found'],
    [400, 'Bad Request: message is too long'],
    [400, 'Bad Request: not enough rights to send photos to the chat'],
  ])('is not one that refuses a message: %i %s', async (status, description) => {
    expect(await refusalOf(status, description)).toBe('Platform.MessageRejected');
  });
});

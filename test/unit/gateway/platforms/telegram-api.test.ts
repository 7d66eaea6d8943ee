import { createServer as createHttp } from 'node:http';
import { createServer as createTcp, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createTelegramApi } from '../../../../src/gateway/platforms/telegram/api.ts';
import { createTelegramOutbound } from '../../../../src/gateway/platforms/telegram/outbound.ts';

const token = '1:secret-token-of-a-bot';
const log = { debug: () => undefined, info: () => undefined, warn: () => undefined };
const closing: (() => void)[] = [];

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Sends a text over HTTP to what answers so. */
async function sendTo(answer: string, status = 200): Promise<unknown> {
  const server = createHttp((_, response) => {
    response.statusCode = status;
    response.end(answer);
  });
  const api = createTelegramApi(token, `http://${await listening(server)}/`);
  closing.push(() => api.close());
  const options = { key: 'k', signal: AbortSignal.timeout(10_000) };
  return createTelegramOutbound(api, log).sendText({ chat: '1' }, { text: 'hello' }, options);
}

describe('the client of the Bot API', () => {
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });

  it('a connection that is never made has sent nothing', async () => {
    const silent = createTcp((socket) => {
      closing.push(() => socket.destroy());
    });
    const api = createTelegramApi(token, `https://${await listening(silent)}`, 200);
    closing.push(() => api.close());
    const send = createTelegramOutbound(api, log).sendText(
      { chat: '1' },
      { text: 'hello' },
      { key: 'k', signal: AbortSignal.timeout(10_000) },
    );
    await expect(send).rejects.toMatchObject({ code: 'Platform.Unavailable' });
  });

  it.each([
    ['a page of a proxy', '<html>Sign in</html>', 200],
    ['an answer without a code', '{"ok":false}', 200],
    ['an answer without the message', '{"ok":true}', 200],
    ['an answer with another message', '{"ok":true,"result":{"message_id":"x"}}', 200],
    ['an error of the platform', '{"ok":false,"error_code":500,"description":"Internal Server Error"}', 500],
  ])('%s leaves open whether the text arrived', async (_, answer, status) => {
    await expect(sendTo(answer, status)).rejects.toMatchObject({ code: 'Platform.Ambiguous' });
  });

  it('a trailing slash of the address does no harm', async () => {
    expect(await sendTo('{"ok":true,"result":{"message_id":7}}')).toEqual({ messageId: '7' });
  });
});

import { describe, expect, it } from 'vitest';
import type { SendRequest } from '../../src/contracts/api-gateway.ts';
import { request as rawRequest } from 'node:http';
import type { WebhookRequest } from '../../src/gateway/platforms/platform.ts';
import { Refusal } from '../../src/gateway/refusal.ts';
import { openApi } from '../unit/gateway/support/gateway.ts';

describe('calls of platforms', () => {
  it('reach the account as they came, under any host name and without our token', async () => {
    const calls: [string, WebhookRequest][] = [];
    const api = await openApi({
      platforms: {
        webhook: (account, request) => {
          calls.push([account, request]);
          return Promise.resolve({ status: 201, headers: { 'x-seen': 'yes' }, body: 'taken' });
        },
      },
    });
    const answer = await call(`${api.url}/webhooks/whatsapp/work?hub.mode=subscribe`, {
      headers: { host: 'agent.example.org', 'content-type': 'application/x-www-form-urlencoded', 'x-signature': 'ab' },
      body: 'a=1&b=%20two',
    });
    expect(answer).toMatchObject({ status: 201, headers: { 'x-seen': 'yes' }, text: 'taken' });
    const [account, request] = calls[0] ?? [];
    expect(account).toBe('whatsapp/work');
    expect(request).toMatchObject({ method: 'POST', path: '/webhooks/whatsapp/work' });
    expect(request?.query).toEqual({ 'hub.mode': 'subscribe' });
    expect(request?.headers['x-signature']).toBe('ab');
    expect(request?.body.toString()).toBe('a=1&b=%20two');
  });

  it('are refused where nobody waits for them, and when they are too large', async () => {
    const api = await openApi({ platforms: { webhook: () => Promise.resolve(null) } });
    expect(await call(`${api.url}/webhooks/nobody`, { headers: {}, body: '{}' })).toMatchObject({ status: 404 });
    expect(await call(`${api.url}/webhooks/%zz`, { headers: {}, body: '{}' })).toMatchObject({ status: 404 });
    const large = await call(`${api.url}/webhooks/whatsapp`, { headers: {}, body: 'x'.repeat(4 * 1024 * 1024 + 1) });
    expect(large.status).toBe(413);
  });
});

describe('the API of the platforms', () => {
  it('wants the token', async () => {
    const api = await openApi();
    expect((await fetch(`${api.url}/api/gateway/accounts`)).status).toBe(401);
  });

  it('sends a message with a file of fifty megabytes', async () => {
    const sent: SendRequest[] = [];
    const api = await openApi({
      platforms: {
        send: (request) => {
          sent.push(request);
          return Promise.resolve({ state: 'sent', detail: '' });
        },
      },
    });
    const base64 = Buffer.alloc(50 * 1024 * 1024, 7).toString('base64');
    const files = [{ name: 'large.bin', mediaType: 'application/octet-stream', base64 }];
    const body = { key: 'send/12345678', to: 'telegram:home', text: 'here', files };
    expect(await api.json('POST', '/api/gateway/send', body)).toEqual({ state: 'sent', detail: '' });
    expect(sent[0]).toMatchObject({ to: 'telegram:home', waitMs: 15_000 });
    expect(sent[0]?.files[0]?.base64.length).toBe(base64.length);
  });

  it('says what is wrong with a request', async () => {
    const api = await openApi({
      platforms: { approve: () => Promise.reject(new Refusal('Api.NotFound', 'No such code.')) },
    });
    expect((await api.request('POST', '/api/gateway/send', { to: 'x' })).status).toBe(400);
    const refused = await api.request('POST', '/api/gateway/pairings/approve', { code: 'ABCDEFGH' });
    expect(refused.status).toBe(404);
    expect(await refused.text()).toContain('No such code.');
  });
});

/** `fetch` lets nobody choose the host name. */
function call(
  url: string,
  { headers, body }: { headers: Record<string, string>; body: string },
): Promise<{ status: number; headers: Record<string, unknown>; text: string }> {
  return new Promise((resolve, reject) => {
    const sending = rawRequest(url, { method: 'POST', headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    sending.on('error', reject);
    sending.end(body);
  });
}

import { expect, it } from 'vitest';
import type { Connections } from '../../../src/gateway/connections.ts';
import type { Outbound } from '../../../src/gateway/outbound/outbound.ts';
import { createPlatformControl } from '../../../src/gateway/platform-control.ts';

it('a message to an account that is switched off is said to wait, at once', async () => {
  const row = { id: 'k', to: { platform: 'telegram', chat: '1' }, state: 'new', error: null };
  const outbound = { sendDirect: () => Promise.resolve(['k']), get: () => Promise.resolve(row) } as unknown as Outbound;
  const connections = { list: () => [] } as unknown as Connections;
  const control = createPlatformControl({ connections, outbound, pairing: {} as never, isRunning: () => false });
  const began = Date.now();
  const done = await control.send({ key: 'k', to: 'telegram:1', text: 'x', files: [], waitMs: 5_000 });
  expect(done).toEqual({ state: 'waiting', detail: expect.stringContaining('telegram is switched off') as string });
  expect(Date.now() - began).toBeLessThan(2_500);
});

it('a message that was taken out of the way is not said to be sent', async () => {
  const row = { id: 'k', to: { platform: 'telegram', chat: '1' }, state: 'dropped', error: null };
  const outbound = { sendDirect: () => Promise.resolve(['k']), get: () => Promise.resolve(row) } as unknown as Outbound;
  const connections = { list: () => [{ id: 'telegram' }] } as unknown as Connections;
  const control = createPlatformControl({ connections, outbound, pairing: {} as never, isRunning: () => true });
  const done = await control.send({ key: 'k', to: 'telegram:1', text: 'x', files: [], waitMs: 50 });
  expect(done.state).toBe('failed');
});

it('a message without words is refused', async () => {
  const outbound = { sendDirect: () => Promise.resolve([]), get: () => Promise.resolve(null) } as unknown as Outbound;
  const connections = { list: () => [{ id: 'telegram' }] } as unknown as Connections;
  const control = createPlatformControl({ connections, outbound, pairing: {} as never, isRunning: () => true });
  const sending = control.send({ key: 'k', to: 'telegram:1', text: ' ', files: [], waitMs: 50 });
  await expect(sending).rejects.toThrow('There is nothing to send.');
});

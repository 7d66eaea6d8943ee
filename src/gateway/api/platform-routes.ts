import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { z } from 'zod';
import {
  accountListSchema,
  approvePairingSchema,
  outboxChangeSchema,
  outboxListSchema,
  pairingListSchema,
  pairingSchema,
  revokePairingSchema,
  sendRequestSchema,
  sendResponseSchema,
} from '../../contracts/api-gateway.ts';
import { Refusal } from '../refusal.ts';
import type { ApiContext } from './deps.ts';
import { readUpTo } from './guard.ts';
import { answers, bearer, body } from './schemas.ts';

export const sendPath = '/api/gateway/send';
/** Platforms send what happened, not files; the largest calls hold a few hundred messages. */
const maxWebhookBytes = 4 * 1024 * 1024;

const accountsRoute = createRoute({
  method: 'get',
  path: '/api/gateway/accounts',
  summary: 'List the accounts of chat platforms',
  security: bearer,
  responses: answers(accountListSchema, 'The enabled ones.'),
});
const pairingsRoute = createRoute({
  method: 'get',
  path: '/api/gateway/pairings',
  summary: 'List who may talk to the agent, and who asked to',
  security: bearer,
  responses: answers(pairingListSchema, 'Newest first.'),
});
const approveRoute = createRoute({
  method: 'post',
  path: '/api/gateway/pairings/approve',
  summary: 'Let somebody in by a pairing code',
  security: bearer,
  request: { body: body(approvePairingSchema.strict(), true) },
  responses: answers(pairingSchema, 'Who it was.'),
});
const revokeRoute = createRoute({
  method: 'post',
  path: '/api/gateway/pairings/revoke',
  summary: 'Let somebody in no more',
  security: bearer,
  request: { body: body(revokePairingSchema.strict(), true) },
  responses: answers(z.object({ revoked: z.boolean() }), 'Whether there was anything to take back.'),
});
const outboxRoute = createRoute({
  method: 'get',
  path: '/api/gateway/outbox',
  summary: 'List messages whose sending failed or is not certain',
  security: bearer,
  responses: answers(outboxListSchema, 'Newest first.'),
});
const changeOutboxRoute = createRoute({
  method: 'post',
  path: '/api/gateway/outbox',
  summary: 'Send such a message again, or let it be',
  security: bearer,
  request: { body: body(outboxChangeSchema.strict(), true) },
  responses: answers(z.object({}), 'Done.'),
});
const sendRoute = createRoute({
  method: 'post',
  path: sendPath,
  summary: 'Send a message without waking the agent',
  security: bearer,
  request: { body: body(sendRequestSchema.strict(), true) },
  responses: answers(sendResponseSchema, 'What became of it within `waitMs`.'),
});

export function platformRoutes(app: OpenAPIHono, { platforms }: ApiContext): void {
  app.openapi(accountsRoute, (c) => {
    const { running, accounts } = platforms.accounts();
    return c.json({ running, accounts: [...accounts] }, 200);
  });
  app.openapi(pairingsRoute, async (c) => c.json({ pairings: [...(await platforms.pairings())] }, 200));
  app.openapi(approveRoute, async (c) => c.json(await platforms.approve(c.req.valid('json')), 200));
  app.openapi(revokeRoute, async (c) => {
    const { account, userId } = c.req.valid('json');
    return c.json({ revoked: await platforms.revoke(account, userId) }, 200);
  });
  app.openapi(outboxRoute, async (c) => c.json({ messages: [...(await platforms.outbox())] }, 200));
  app.openapi(changeOutboxRoute, async (c) => {
    const { id, what } = c.req.valid('json');
    await platforms.changeOutbox(id, what);
    return c.json({}, 200);
  });
  app.openapi(sendRoute, async (c) => c.json(await platforms.send(c.req.valid('json')), 200));
}

/** A path that is no text names no account. */
function accountIn(url: URL): string {
  try {
    return decodeURIComponent(url.pathname.slice('/webhooks/'.length));
  } catch {
    throw new Refusal('Api.NotFound', 'Nobody here waits for such calls.');
  }
}

/** Platforms that call us: no token of ours, each checks its own signature; the body is read as it came. */
export function webhookRoute(app: OpenAPIHono, { platforms }: Pick<ApiContext, 'platforms'>): void {
  app.on(['GET', 'POST'], '/webhooks/*', async (c) => {
    const url = new URL(c.req.url);
    const accountId = accountIn(url);
    const sent = await readUpTo(c.req.raw.body, maxWebhookBytes);
    if (sent === null) throw new Refusal('Api.TooLarge', 'That is more than a platform sends at once.');
    const answer = await platforms.webhook(accountId, {
      method: c.req.method,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: Object.fromEntries(c.req.raw.headers),
      body: sent,
    });
    if (answer === null) throw new Refusal('Api.NotFound', 'Nobody here waits for such calls.');
    return new Response(answer.body ?? '', { status: answer.status, headers: { ...answer.headers } });
  });
}

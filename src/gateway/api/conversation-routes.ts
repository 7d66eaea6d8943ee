import { randomUUID } from 'node:crypto';
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { z } from 'zod';
import {
  configureRequestSchema,
  conversationListSchema,
  conversationSchema,
  createConversationRequestSchema,
  messageListSchema,
} from '../../contracts/api.ts';
import { configureConversation } from '../configure.ts';
import { refuseWhileBusy } from '../refuse-while-busy.ts';
import { conversationIdFor } from '../submit.ts';
import { watchConversation } from './conversation-events.ts';
import { findConversation, viewOf } from './conversation-lookup.ts';
import type { ApiContext } from './deps.ts';
import { eventStream } from './event-stream.ts';
import { answers, answersAs, bearer, body, conversationParam, whole } from './schemas.ts';
import { conversationView, messageView } from './views.ts';

const one = '/api/conversations/{idOrName}';

const listRoute = createRoute({
  method: 'get',
  path: '/api/conversations',
  summary: 'List conversations',
  security: bearer,
  request: {
    query: z.object({
      limit: whole({ min: 1, max: 500, default: 50 }),
      before: z.string().optional().describe('Id of the last conversation one has.'),
    }),
  },
  responses: answers(conversationListSchema, 'Newest first.'),
});

const createRouteOf = createRoute({
  method: 'post',
  path: '/api/conversations',
  summary: 'Begin a conversation',
  security: bearer,
  request: { body: body(createConversationRequestSchema.strict(), true) },
  responses: answers(conversationSchema, 'The new conversation. 409 when the name is taken.'),
});

const getRoute = createRoute({
  method: 'get',
  path: one,
  summary: 'One conversation',
  security: bearer,
  request: { params: conversationParam },
  responses: answers(conversationSchema, 'The conversation.'),
});

const configureRoute = createRoute({
  method: 'patch',
  path: one,
  summary: 'Change title, name, busy mode or model',
  description: 'The model takes effect at the next step, the rest at once.',
  security: bearer,
  request: { params: conversationParam, body: body(configureRequestSchema.strict(), true) },
  responses: answers(conversationSchema, 'The conversation as changed.'),
});

const deleteRoute = createRoute({
  method: 'delete',
  path: one,
  summary: 'Delete a conversation with all its messages',
  security: bearer,
  request: {
    params: conversationParam,
    query: z.object({
      force: z.stringbool().default(false).describe('Also while a turn runs; interrupts it first.'),
    }),
  },
  responses: answers(z.object({ id: z.string() }), 'It is gone.'),
});

const messagesRoute = createRoute({
  method: 'get',
  path: `${one}/messages`,
  summary: 'A page of the transcript',
  security: bearer,
  request: {
    params: conversationParam,
    query: z.object({
      limit: whole({ min: 1, max: 1_000, default: 50 }),
      beforeId: z.coerce.number().int().optional().describe('Id of the first message one has; pages back.'),
    }),
  },
  responses: answers(messageListSchema, 'The newest ones, in order.'),
});

const eventsRoute = createRoute({
  method: 'get',
  path: `${one}/events`,
  summary: 'Watch a conversation',
  description:
    'Server-sent events: one `snapshot`, one `backlog` (array of the events of the turn in progress, folded), then `live` ' +
    'for every event; a comment every 10 s. Reconnect and start over after a break.',
  security: bearer,
  request: { params: conversationParam },
  responses: answersAs('text/event-stream', 'The events.'),
});

export function conversationRoutes(app: OpenAPIHono, context: ApiContext): void {
  const { store, personId, log } = context;

  app.openapi(listRoute, async (c) => {
    const { limit, before } = c.req.valid('query');
    const [rows, current, running] = await Promise.all([
      store.conversations.list(personId, before === undefined ? { limit } : { limit, before }),
      store.conversations.current(personId),
      store.turns.running(),
    ]);
    const busy = new Set(running.map((turn) => turn.conversationId));
    const conversations = rows.map((row) =>
      conversationView(row, { current: row.id === current.id, running: busy.has(row.id) }),
    );
    return c.json({ conversations }, 200);
  });

  app.openapi(createRouteOf, async (c) => {
    const { title, name } = c.req.valid('json');
    const row = await store.conversations.create({
      id: conversationIdFor(randomUUID()),
      personId,
      platform: 'api',
      ...(title === undefined ? {} : { title }),
      ...(name === undefined ? {} : { name }),
    });
    return c.json(await viewOf(context, row), 200);
  });

  app.openapi(getRoute, async (c) => {
    const row = await findConversation(context, c.req.valid('param').idOrName);
    return c.json(await viewOf(context, row), 200);
  });

  app.openapi(configureRoute, async (c) => {
    const before = await findConversation(context, c.req.valid('param').idOrName);
    const row = await configureConversation(context, before.id, c.req.valid('json'));
    return c.json(await viewOf(context, row), 200);
  });

  app.openapi(deleteRoute, async (c) => {
    const row = await findConversation(context, c.req.valid('param').idOrName);
    if (c.req.valid('query').force) {
      await context.client.interrupt(row.id, { by: 'api' }).catch((err: unknown) => {
        log.warn({ conversationId: row.id, err }, 'deleting a conversation whose turn could not be interrupted');
      });
    } else await refuseWhileBusy(store, row.id, 'deleting it');
    await store.conversations.delete(row.id);
    return c.json({ id: row.id }, 200);
  });

  app.openapi(messagesRoute, async (c) => {
    const { limit, beforeId } = c.req.valid('query');
    const row = await findConversation(context, c.req.valid('param').idOrName);
    const page = await store.transcript.page(row.id, beforeId === undefined ? { limit } : { limit, beforeId });
    return c.json({ messages: page.map(messageView) }, 200);
  });

  app.openapi(eventsRoute, async (c) => {
    const row = await findConversation(context, c.req.valid('param').idOrName);
    const onError = (err: unknown): void => log.warn({ conversationId: row.id, err }, 'an event stream broke off');
    return eventStream(c, { closing: context.closing, onError }, (stream) =>
      watchConversation(context, row.id, stream),
    );
  });
}

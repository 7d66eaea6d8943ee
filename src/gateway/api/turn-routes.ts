import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import {
  conversationSchema,
  handoffRequestSchema,
  handoffResponseSchema,
  interruptRequestSchema,
  interruptResponseSchema,
  submitResponseSchema,
  undoResponseSchema,
} from '../../contracts/api.ts';
import { Refusal } from '../refusal.ts';
import { takeBackToAskAgain, turnToRetry, turnToTakeBack } from '../take-back.ts';
import { findConversation, viewOf } from './conversation-lookup.ts';
import type { ApiContext } from './deps.ts';
import { answers, bearer, body, conversationParam } from './schemas.ts';

const one = '/api/conversations/{idOrName}';

const interruptRoute = createRoute({
  method: 'post',
  path: `${one}/interrupt`,
  summary: 'Stop the running turn',
  security: bearer,
  request: { params: conversationParam, body: body(interruptRequestSchema.strict(), false) },
  responses: answers(interruptResponseSchema, 'Whether a turn ran, and which.'),
});

const undoRoute = createRoute({
  method: 'post',
  path: `${one}/undo`,
  summary: 'Take back the last turn',
  description: 'Hides it from the model, lists and search. 409 while a turn runs.',
  security: bearer,
  request: { params: conversationParam },
  responses: answers(undoResponseSchema, 'The turn, and what its user messages said.'),
});

const retryRoute = createRoute({
  method: 'post',
  path: `${one}/retry`,
  summary: 'Take back the last turn and send its text again',
  security: bearer,
  request: { params: conversationParam },
  responses: answers(submitResponseSchema, 'The new message.'),
});

const resumeRoute = createRoute({
  method: 'post',
  path: `${one}/resume`,
  summary: 'Make this the current conversation',
  security: bearer,
  request: { params: conversationParam },
  responses: answers(conversationSchema, 'The conversation.'),
});

const handoffRoute = createRoute({
  method: 'post',
  path: `${one}/handoff`,
  summary: 'Go on with this conversation on a chat platform',
  description:
    "The person's direct chat there is told; what a running turn says goes there. 409 when there is no such chat.",
  security: bearer,
  request: { params: conversationParam, body: body(handoffRequestSchema.strict(), true) },
  responses: answers(handoffResponseSchema, 'Where it goes on.'),
});

export function turnRoutes(app: OpenAPIHono, context: ApiContext): void {
  const { store } = context;

  app.openapi(interruptRoute, async (c) => {
    const row = await findConversation(context, c.req.valid('param').idOrName);
    const { turn } = c.req.valid('json');
    const result = await context.client.interrupt(row.id, { by: 'api', ...(turn === undefined ? {} : { turn }) });
    return c.json({ ...result }, 200);
  });

  app.openapi(undoRoute, async (c) => {
    const row = await findConversation(context, c.req.valid('param').idOrName);
    const turn = await turnToTakeBack(store, row, 'undo');
    return c.json({ turn, text: await store.transcript.hideTurn(row.id, turn) }, 200);
  });

  app.openapi(retryRoute, async (c) => {
    const row = await findConversation(context, c.req.valid('param').idOrName);
    const { turn, inboundId } = await turnToRetry(store, row);
    const text = await takeBackToAskAgain(store, row.id, turn);
    const [first] = (await store.turns.get(row.id, turn))?.inboundIds ?? [];
    const platform = (first === undefined ? null : await store.inbox.get(first))?.platform ?? row.platform;
    const result = await context.submit({ inboundId, text, platform, conversation: { id: row.id } });
    return c.json({ ...result }, 200);
  });

  app.openapi(resumeRoute, async (c) => {
    const row = await findConversation(context, c.req.valid('param').idOrName);
    await store.conversations.setCurrent(context.personId, row.id);
    return c.json(await viewOf(context, row), 200);
  });

  app.openapi(handoffRoute, async (c) => {
    const conversation = await findConversation(context, c.req.valid('param').idOrName);
    if (context.handOff === undefined) throw new Refusal('Api.NotSupported', 'No chat platform is set up.');
    return c.json(await context.handOff({ conversation, ...c.req.valid('json') }), 200);
  });
}

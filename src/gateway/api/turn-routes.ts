import { createHash } from 'node:crypto';
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import {
  conversationSchema,
  interruptRequestSchema,
  interruptResponseSchema,
  submitResponseSchema,
  undoResponseSchema,
} from '../../contracts/api.ts';
import type { ConversationRow } from '../../store/ports.ts';
import { Refusal } from '../refusal.ts';
import { findConversation, refuseWhileBusy, viewOf } from './conversation-lookup.ts';
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
    const turn = await lastTurn(context, row, 'undo');
    return c.json({ turn, text: await store.transcript.hideTurn(row.id, turn) }, 200);
  });

  app.openapi(retryRoute, async (c) => {
    const row = await findConversation(context, c.req.valid('param').idOrName);
    const { turn, inboundId } = await turnToRetry(context, row);
    const text = await store.transcript.hideTurn(row.id, turn);
    if (text.trim() === '') throw new Refusal('Api.Conflict', 'The last turn holds no message to send again.');
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
}

async function lastTurn(context: ApiContext, row: ConversationRow, what: string): Promise<number> {
  await refuseWhileBusy(context, row, what);
  const turn = await context.store.turns.last(row.id);
  if (turn !== null) return turn.turn;
  throw new Refusal('Api.Conflict', `There is no turn to ${what}.`);
}

/**
 * The retry is noted down before the turn is hidden: when the service dies between hiding and sending, the next retry
 * finishes that one instead of taking back one turn more.
 */
async function turnToRetry(context: ApiContext, row: ConversationRow): Promise<{ turn: number; inboundId: string }> {
  const { store } = context;
  await refuseWhileBusy(context, row, 'retry');
  const begun = row.lastTurn > 0 ? await store.idempotency.find(retryKey(row.id, row.lastTurn)) : null;
  if (begun !== null && (await store.inbox.get(begun.inboundId)) === null) {
    return { turn: row.lastTurn, inboundId: begun.inboundId };
  }
  const turn = await lastTurn(context, row, 'retry');
  const inboundId = retryId(row.id, turn);
  const entry = { requestHash: 'retry', inboundId, conversationId: row.id };
  await store.idempotency.reserve({ key: retryKey(row.id, turn), ...entry });
  return { turn, inboundId };
}

function retryKey(conversationId: string, turn: number): string {
  return `retry:${conversationId}/${String(turn)}`;
}

/** A turn is taken back once, so its number makes the id of its retry unique. */
function retryId(conversationId: string, turn: number): string {
  const hash = createHash('sha256').update(retryKey(conversationId, turn)).digest('hex');
  return `retry-${hash.slice(0, 32)}`;
}

import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { z } from 'zod';
import { answerSchema, submitRequestSchema, submitResponseSchema } from '../../contracts/api.ts';
import { Refusal } from '../refusal.ts';
import { awaitAnswer, findTarget } from './answer.ts';
import type { ApiContext } from './deps.ts';
import { requestEnd } from './request-end.ts';
import { answers, bearer, body, whole } from './schemas.ts';

const conversation = submitRequestSchema.shape.conversation.unwrap();
const strictChoice = z.union(conversation.options.map((option) => option.strict()));

const submitRoute = createRoute({
  method: 'post',
  path: '/api/messages',
  summary: 'Send a message',
  description: 'Accepted once answered: it is in the store then and will reach its conversation.',
  security: bearer,
  request: { body: body(submitRequestSchema.extend({ conversation: strictChoice.optional() }).strict(), true) },
  responses: answers(submitResponseSchema, 'Accepted; or accepted before, where `created` is false.'),
});

const answerRoute = createRoute({
  method: 'get',
  path: '/api/messages/{inboundId}/answer',
  summary: 'Wait for the answer to a message',
  security: bearer,
  request: {
    params: z.object({ inboundId: z.string() }),
    query: z.object({
      waitMs: whole({ min: 0, max: 600_000, default: 0 }).describe('Longest wait; then the state is `pending`.'),
      waitFor: z.enum(['done', 'waiting']).default('waiting').describe('`done`: also wait while a person must decide.'),
    }),
  },
  responses: answers(answerSchema, 'How the message stands.'),
});

export function messageRoutes(app: OpenAPIHono, context: ApiContext): void {
  app.openapi(submitRoute, async (c) => {
    const result = await context.submit(c.req.valid('json'));
    return c.json(result, 200);
  });

  app.openapi(answerRoute, async (c) => {
    const { inboundId } = c.req.valid('param');
    const { waitMs, waitFor } = c.req.valid('query');
    const target = await findTarget(context.store, inboundId);
    if (target === null) throw new Refusal('Api.NotFound', `No message ${inboundId} was ever accepted.`);
    const through = waitFor === 'done' ? 'end' : 'waiting';
    const { signal, release } = requestEnd(c, context);
    try {
      return c.json(await awaitAnswer(context, target, { waitMs, through, signal }), 200);
    } finally {
      release();
    }
  });
}

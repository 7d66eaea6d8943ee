import type { OpenAPIHono } from '@hono/zod-openapi';
import { z } from 'zod';
import { bearer } from '../schemas.ts';
import { chatRequest, responsesRequest } from './requests.ts';

const openAi = 'As in the interface of OpenAI; `hermes` holds what it has no field for.';
const headers = z.object({
  'x-hermes-conversation': z
    .string()
    .optional()
    .describe(
      'Name or id of the conversation to continue with the last user message; without it the request stands alone.',
    ),
  'idempotency-key': z.string().max(255).optional().describe('A repeated request gets the first answer.'),
});

/** The OpenAI interfaces in the API's own description. */
export function describeV1(app: OpenAPIHono): void {
  const post = (path: string, summary: string, schema: z.ZodType): void =>
    app.openAPIRegistry.registerPath({
      method: 'post',
      path,
      summary,
      description: 'With `stream: true` the answer is a stream of server-sent events.',
      security: bearer,
      request: { headers, body: { content: { 'application/json': { schema } }, required: true } },
      responses: { 200: json },
    });
  const get = (path: string, summary: string): void =>
    app.openAPIRegistry.registerPath({ method: 'get', path, summary, security: bearer, responses: { 200: json } });
  post('/v1/chat/completions', 'Chat completion', chatRequest);
  post('/v1/responses', 'Response', responsesRequest);
  get('/v1/responses/{id}', 'How a response stands');
  get('/v1/models', 'The agent, and the models it can use');
  get('/v1/models/{id}', 'One model');
}

const json = { description: openAi, content: { 'application/json': { schema: z.looseObject({}) } } };

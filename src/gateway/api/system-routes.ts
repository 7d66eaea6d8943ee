import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { z } from 'zod';
import {
  healthSchema,
  modelListSchema,
  promptSizeSchema,
  searchResponseSchema,
  statusSchema,
  uncertainListSchema,
  usageResponseSchema,
} from '../../contracts/api.ts';
import type { StreamEvent } from '../../contracts/stream.ts';
import { parseStreamEvents } from '../../stream/receive.ts';
import { Refusal } from '../refusal.ts';
import type { ApiContext } from './deps.ts';
import { answers, bearer, whole } from './schemas.ts';

const get = <P extends string, S extends z.ZodType>(path: P, summary: string, schema: S) =>
  createRoute({ method: 'get', path, summary, security: bearer, responses: answers(schema, summary) });

const statusRoute = get('/api/status', 'The state of the service', statusSchema);
const modelsRoute = get('/api/models', 'The models the configured provider offers', modelListSchema);
const promptRoute = get('/api/prompt', 'The fixed part of a prompt and its size', promptSizeSchema);
const uncertainRoute = get('/api/uncertain', 'Calls whose effect nobody can vouch for', uncertainListSchema);
const healthRoute = createRoute({
  method: 'get',
  path: '/health',
  summary: 'Whether the API answers; wants no token',
  responses: answers(healthSchema, 'It does.'),
});
const searchRoute = createRoute({
  method: 'get',
  path: '/api/search',
  summary: 'Search all conversations',
  security: bearer,
  request: {
    query: z.object({ q: z.string().min(1).max(2_000), limit: whole({ min: 1, max: 100, default: 10 }) }),
  },
  responses: answers(searchResponseSchema, 'Best first.'),
});
const usageRoute = createRoute({
  method: 'get',
  path: '/api/usage',
  summary: 'Tokens and money per day and model',
  security: bearer,
  request: { query: z.object({ days: whole({ min: 1, max: 3_650, default: 30 }) }) },
  responses: answers(usageResponseSchema, 'Newest day first.'),
});

const uncertainLimit = 200;

export function systemRoutes(app: OpenAPIHono, context: ApiContext): void {
  const { store } = context;
  app.openapi(healthRoute, (c) => c.json({ status: 'ok' as const, version: context.version }, 200));
  app.openapi(statusRoute, async (c) => c.json(await context.status(), 200));
  app.openapi(modelsRoute, async (c) => c.json(await context.listModels(), 200));
  app.openapi(promptRoute, async (c) => c.json(await context.promptSize(), 200));

  app.openapi(uncertainRoute, async (c) => {
    const rows = await store.toolCalls.uncertain(uncertainLimit);
    const calls = rows.map(({ callKey, conversationId, turn, name, summary, startedAt }) => {
      return { callKey, conversationId, turn, name, summary, startedAt };
    });
    return c.json({ calls }, 200);
  });

  app.openapi(searchRoute, async (c) => {
    const { q, limit } = c.req.valid('query');
    const hits = await store.search.search({ personId: context.personId, text: q, maxResults: limit });
    return c.json({ hits: hits.map((hit) => ({ ...hit })) }, 200);
  });

  app.openapi(usageRoute, async (c) => {
    const days = await store.usage.byDay(c.req.valid('query').days);
    return c.json({ days: days.map((day) => ({ ...day })) }, 200);
  });

  // Between parts of one installation, hence not described.
  app.post('/internal/stream', async (c) => {
    for (const event of readEvents(await c.req.json())) context.bus.publish(event);
    return c.body(null, 204);
  });
}

function readEvents(body: unknown): readonly StreamEvent[] {
  try {
    return parseStreamEvents(body);
  } catch (error) {
    throw new Refusal('Api.Invalid', `These are no stream events: ${(error as Error).message}`);
  }
}

import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { z } from 'zod';
import {
  backendListSchema,
  changeEnvironmentSchema,
  copyRequestSchema,
  copyResponseSchema,
  environmentListSchema,
  environmentViewSchema,
  leaseRequestSchema,
  leaseSchema,
} from '../../contracts/api-environments.ts';
import type { ApiContext } from './deps.ts';
import { answers, bearer, body } from './schemas.ts';

const one = z.object({ id: z.string().min(1).max(300).describe('`current`: the one of the next command.') });

const backendsRoute = createRoute({
  method: 'get',
  path: '/api/backends',
  summary: 'Try every kind of machine commands can run on',
  security: bearer,
  responses: answers(backendListSchema, 'All there are.'),
});
const listRoute = createRoute({
  method: 'get',
  path: '/api/environments',
  summary: 'List environments',
  security: bearer,
  responses: answers(environmentListSchema, 'Newest first.'),
});
const getRoute = createRoute({
  method: 'get',
  path: '/api/environments/{id}',
  summary: 'Show an environment',
  security: bearer,
  request: { params: one },
  responses: answers(environmentViewSchema, 'As it is now.'),
});
const changeRoute = createRoute({
  method: 'post',
  path: '/api/environments/{id}',
  summary: 'Wake, put to sleep or begin afresh',
  description: 'Answers when it is done. `reset` removes the environment with its files.',
  security: bearer,
  request: { params: one, body: body(changeEnvironmentSchema.strict(), true) },
  responses: answers(environmentViewSchema, 'As it is afterwards.'),
});
const leaseRoute = createRoute({
  method: 'put',
  path: '/api/environments/{id}/lease',
  summary: 'Keep an environment awake',
  security: bearer,
  request: { params: one, body: body(leaseRequestSchema.strict(), true) },
  responses: answers(leaseSchema, 'It is awake.'),
});
const releaseRoute = createRoute({
  method: 'delete',
  path: '/api/environments/{id}/lease/{holder}',
  summary: 'Give a lease back',
  security: bearer,
  request: { params: one.extend({ holder: z.string().min(1).max(100) }) },
  responses: answers(z.object({}), 'It is given back.'),
});
const copyRoute = createRoute({
  method: 'post',
  path: '/api/environments/copy',
  summary: 'Carry a folder from one backend to another',
  security: bearer,
  request: { body: body(copyRequestSchema.strict(), true) },
  responses: answers(copyResponseSchema, 'What was carried.'),
});

export function environmentRoutes(app: OpenAPIHono, { environments }: ApiContext): void {
  app.openapi(backendsRoute, async (c) => c.json({ backends: [...(await environments.backends())] }, 200));
  app.openapi(listRoute, async (c) => c.json({ environments: [...(await environments.list())] }, 200));
  app.openapi(getRoute, async (c) => c.json(await environments.get(c.req.valid('param').id), 200));
  app.openapi(copyRoute, async (c) => c.json(await environments.copy(c.req.valid('json'), c.req.raw.signal), 200));
  app.openapi(changeRoute, async (c) =>
    c.json(await environments.change(c.req.valid('param').id, c.req.valid('json').what), 200),
  );
  app.openapi(leaseRoute, async (c) =>
    c.json(await environments.lease(c.req.valid('param').id, c.req.valid('json')), 200),
  );
  app.openapi(releaseRoute, async (c) => {
    const { id, holder } = c.req.valid('param');
    await environments.release(id, holder);
    return c.json({}, 200);
  });
}

import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { z } from 'zod';
import { approvalListSchema, approvalSchema, decideRequestSchema } from '../../contracts/api.ts';
import type { ApprovalRow } from '../../store/ports.ts';
import { createDecide } from '../decide.ts';
import { Refusal } from '../refusal.ts';
import type { ApiContext } from './deps.ts';
import { answers, bearer, body, whole } from './schemas.ts';
import { approvalView } from './views.ts';

const states = ['waiting', 'approved', 'denied', 'answered', 'closed'] as const;

const listRoute = createRoute({
  method: 'get',
  path: '/api/approvals',
  summary: 'List what waits, or waited, for a decision',
  security: bearer,
  request: {
    query: z.object({
      state: z.enum([...states, 'all']).default('waiting'),
      conversationId: z.string().optional(),
      limit: whole({ min: 1, max: 1_000, default: 100 }),
    }),
  },
  responses: answers(approvalListSchema, 'Newest first.'),
});

const decideRoute = createRoute({
  method: 'post',
  path: '/api/approvals/{id}',
  summary: 'Decide',
  description: 'Durable once answered; the conversation goes on as soon as it can be told. 409 when decided before.',
  security: bearer,
  request: {
    params: z.object({ id: z.string().describe('Percent-encoded: ids hold slashes.') }),
    body: body(decideRequestSchema.strict(), true),
  },
  responses: answers(approvalSchema, 'The approval as decided.'),
});

export function approvalRoutes(app: OpenAPIHono, context: ApiContext): void {
  const decide = createDecide(context);

  app.openapi(listRoute, async (c) => {
    const { state, conversationId, limit } = c.req.valid('query');
    const rows = await context.store.approvals.list({
      ...(state === 'all' ? {} : { state }),
      ...(conversationId === undefined ? {} : { conversationId }),
      limit,
    });
    return c.json({ approvals: rows.map(approvalView) }, 200);
  });

  app.openapi(decideRoute, async (c) => {
    const approvalId = c.req.valid('param').id;
    const { decided, row } = await decide({ approvalId, ...c.req.valid('json'), by: 'api' });
    if (!decided) throw new Refusal('Api.Conflict', `"${row.title}" ${howDecided(row)}.`);
    return c.json(approvalView(row), 200);
  });
}

function howDecided(row: ApprovalRow): string {
  const at = row.decidedAt === null ? '' : ` at ${row.decidedAt}`;
  if (row.state === 'closed') return `waits no more: its turn went on or ended${at}`;
  const scope = row.scope === null || row.scope === 'once' ? '' : ` (${row.scope})`;
  const answer = row.state === 'answered' ? `: ${row.answer ?? ''}` : '';
  return `was ${row.state}${scope}${at} already${answer}`;
}
